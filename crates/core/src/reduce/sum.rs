//! `_sum`: of numbers, of arrays of them place by place, of objects member by member.

use super::number::Number;
use crate::json::{self, JsonError, Reader};
use crate::limits::REDUCTION_BYTES_MAX;

/// A value that is summed up.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    Number(Number),
    Array(Vec<Term>),
    /// In the order of the only object there was, or sorted by key.
    Object(Vec<(String, Term)>),
    /// JSON that has no sum, but may stand where nothing is added to it.
    Other(String),
}

/// Why there is no sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsummable {
    /// These values do not add up.
    Kinds,
    /// No JSON number holds the sum.
    Infinite,
    /// It does not get shorter by summing up: its bytes.
    Long(usize),
}

impl Term {
    /// A row's value. A sum begins with zero, so that an array begins with a number.
    pub(super) fn of_row(value: &str) -> Result<Term, Unsummable> {
        let term = Term::parse(value).map_err(|_| Unsummable::Kinds)?;
        match &term {
            Term::Number(_) | Term::Object(_) => {}
            Term::Array(elements) => match elements.first() {
                None => return Ok(Term::Array(vec![Term::Number(Number::zero())])),
                Some(Term::Number(_)) => {}
                Some(_) => return Err(Unsummable::Kinds),
            },
            Term::Other(_) => return Err(Unsummable::Kinds),
        }
        term.bounded()
    }

    fn parse(value: &str) -> Result<Term, JsonError> {
        let mut reader = Reader::new(value);
        let term = Term::read(&mut reader)?;
        reader.end()?;
        Ok(term)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Term, JsonError> {
        Ok(match reader.peek() {
            Some(b'{') => {
                let mut members = Vec::new();
                reader.members(|key, reader| {
                    members.push((key.into_owned(), Term::read(reader)?));
                    Ok::<_, JsonError>(())
                })?;
                Term::Object(members)
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                reader.elements(|reader| {
                    elements.push(Term::read(reader)?);
                    Ok::<_, JsonError>(())
                })?;
                Term::Array(elements)
            }
            Some(b'-' | b'0'..=b'9') => Term::Number(Number::parse(reader.raw()?)),
            _ => Term::Other(reader.raw()?.to_owned()),
        })
    }

    pub(super) fn plus(self, other: Term) -> Result<Term, Unsummable> {
        self.add(other)?.bounded()
    }

    fn add(self, other: Term) -> Result<Term, Unsummable> {
        match (self, other) {
            (Term::Number(a), Term::Number(b)) => a.plus(&b).map(Term::Number).ok_or(Unsummable::Infinite),
            (Term::Array(a), Term::Array(b)) => add_arrays(a, b),
            (Term::Array(a), b @ Term::Number(_)) => add_arrays(a, vec![b]),
            (a @ Term::Number(_), Term::Array(b)) => add_arrays(vec![a], b),
            (Term::Object(a), Term::Object(b)) => add_objects(a, b),
            _ => Err(Unsummable::Kinds),
        }
    }

    /// Only numbers are not bounded here: their digits are.
    fn bounded(self) -> Result<Term, Unsummable> {
        match self.bytes() {
            bytes @ REDUCTION_BYTES_MAX.. => Err(Unsummable::Long(bytes)),
            _ => Ok(self),
        }
    }

    /// Never less for a sum than for a part of it, so that it does not matter in which order parts were summed up.
    fn bytes(&self) -> usize {
        match self {
            Term::Number(_) => 8,
            Term::Array(elements) => elements.iter().map(Term::bytes).sum(),
            Term::Object(members) => members.iter().map(|(key, term)| key.len() + term.bytes()).sum(),
            Term::Other(text) => text.len(),
        }
    }

    /// Appends its JSON, which is its own encoding as well.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Term::Number(number) => out.extend(number.to_string().bytes()),
            Term::Array(elements) => {
                out.push(b'[');
                separated(elements, out, Term::write);
                out.push(b']');
            }
            Term::Object(members) => {
                out.push(b'{');
                separated(members, out, |(key, term), out| {
                    json::quote(key, out);
                    out.push(b':');
                    term.write(out);
                });
                out.push(b'}');
            }
            Term::Other(text) => out.extend(text.bytes()),
        }
    }
}

fn add_arrays(a: Vec<Term>, b: Vec<Term>) -> Result<Term, Unsummable> {
    let (mut longer, shorter) = if a.len() < b.len() { (b, a) } else { (a, b) };
    for (place, term) in longer.iter_mut().zip(shorter) {
        match (&place, term) {
            (Term::Number(a), Term::Number(b)) => {
                *place = Term::Number(b.plus(a).ok_or(Unsummable::Infinite)?);
            }
            _ => return Err(Unsummable::Kinds),
        }
    }
    Ok(Term::Array(longer))
}

fn add_objects(mut a: Vec<(String, Term)>, mut b: Vec<(String, Term)>) -> Result<Term, Unsummable> {
    a.append(&mut b);
    a.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut sum: Vec<(String, Term)> = Vec::with_capacity(a.len());
    for (key, term) in a {
        match sum.pop_if(|(last, _)| *last == key) {
            Some((key, before)) => sum.push((key, before.add(term)?)),
            None => sum.push((key, term)),
        }
    }
    Ok(Term::Object(sum))
}

/// Writes each, with commas between.
pub(super) fn separated<T>(items: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    for (index, item) in items.iter().enumerate() {
        if index != 0 {
            out.push(b',');
        }
        write(item, out);
    }
}
