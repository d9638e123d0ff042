//! Documents taken apart: special members to one side, the compact body to the other, in one pass over the text.

use super::JsonError;
use super::reader::{Blind, Observer, Reader};
use super::text::unescape;
use crate::doc::Body;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

thread_local! {
    /// Kept between documents, so that taking one apart allocates nothing but its body.
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch { out: String::new(), key_hashes: Vec::new() }) };
}

/// Bytes of each part of [`Scratch`] that stay allocated between documents; few documents need more.
const SCRATCH_BYTES_KEPT: usize = 64 << 10;

#[derive(Default)]
struct Scratch {
    /// The text as copied so far.
    out: String,
    /// Hashes of the keys of all objects that are open.
    key_hashes: Vec<u64>,
}

impl Scratch {
    fn keep(mut self) {
        self.out.clear();
        self.out.shrink_to(SCRATCH_BYTES_KEPT);
        self.key_hashes.clear();
        self.key_hashes.shrink_to(SCRATCH_BYTES_KEPT / size_of::<u64>());
        SCRATCH.set(self);
    }
}

/// Copies a text up to now without what is to be left out, in pieces as long as possible.
struct Compactor<'a> {
    text: &'a str,
    /// What is before this offset has been copied or left out.
    from: usize,
    scratch: Scratch,
    /// Whether two keys of one object had equal hashes.
    repeats: bool,
}

impl<'a> Compactor<'a> {
    fn new(reader: &Reader<'a>) -> Compactor<'a> {
        Compactor {
            text: reader.text,
            from: reader.at,
            scratch: SCRATCH.take(),
            repeats: false,
        }
    }

    /// Copies up to `to`, and leaves out what is between there and `next`.
    fn leave_out(&mut self, to: usize, next: usize) {
        let piece = self.text.get(self.from..to).unwrap_or_default();
        self.scratch.out.push_str(piece);
        self.from = next;
    }

    /// The copy up to `to`.
    fn finish(mut self, to: usize) -> Result<Box<str>, JsonError> {
        let rest = self.text.get(self.from..to).unwrap_or_default();
        let whole = if self.scratch.out.is_empty() {
            rest
        } else {
            self.scratch.out.push_str(rest);
            &self.scratch.out
        };
        let copy = if self.repeats {
            last_of_equal_keys(whole)?
        } else {
            whole.into()
        };
        self.scratch.keep();
        Ok(copy)
    }
}

impl<'a> Observer<'a> for Compactor<'a> {
    fn white_space(&mut self, from: usize, to: usize) {
        self.leave_out(from, to);
    }

    fn object_start(&mut self) -> usize {
        self.scratch.key_hashes.len()
    }

    fn key(&mut self, inside: &'a str) {
        match hash(inside) {
            Some(hash) => self.scratch.key_hashes.push(hash),
            // An escape may hide that two keys are equal, and is rare enough in keys for the slow path.
            None => self.repeats = true,
        }
    }

    fn object_end(&mut self, start: usize) {
        self.repeats |= has_equal(self.scratch.key_hashes.get_mut(start..).unwrap_or_default());
        self.scratch.key_hashes.truncate(start);
    }
}

/// `None` for a key with a backslash. Mixes well into the upper bits, of which [`has_equal`] takes its first look.
/// Whoever makes two keys collide gains nothing but the slow path for their document.
fn hash(key: &str) -> Option<u64> {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;
    let mut backslash = 0;
    let mut hash = key.len() as u64;
    let mut mix = |word: u64| {
        let zero_at_backslash = word ^ (EVERY_BYTE * u64::from(b'\\'));
        backslash |= zero_at_backslash.wrapping_sub(EVERY_BYTE) & !zero_at_backslash;
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
    };
    let (words, rest) = key.as_bytes().as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    if let Some(place) = last.get_mut(..rest.len()) {
        place.copy_from_slice(rest);
    }
    mix(u64::from_le_bytes(last));
    (backslash & (EVERY_BYTE << 7) == 0).then_some(hash)
}

/// Whether two hashes are equal. Leaves them in any order.
fn has_equal(hashes: &mut [u64]) -> bool {
    if hashes.len() <= 64 {
        let mut seen = [0_u64; 16];
        let clash = hashes.iter().any(|hash| {
            let bit = 1 << (hash >> 54 & 63);
            seen.get_mut((hash >> 60) as usize).is_none_or(|word| {
                let clash = *word & bit != 0;
                *word |= bit;
                clash
            })
        });
        if !clash {
            return false;
        }
    }
    hashes.sort_unstable();
    hashes.windows(2).any(|pair| pair.first() == pair.last())
}

impl<'a> Reader<'a> {
    /// Takes a document: an object whose members that start with `_` go to `special` (key unescaped, value's text)
    /// in order, a repeated one each time; all else becomes the body, where the last of equal keys stays.
    pub fn body<E: From<JsonError>>(
        &mut self,
        mut special: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), E>,
    ) -> Result<Body, E> {
        if self.peek() != Some(b'{') {
            self.value(&mut Blind)?;
            return Err(JsonError::Expected("object").into());
        }
        let mut compactor = Compactor::new(self);
        self.deeper()?;
        self.at += 1;
        self.white_space(&mut compactor);
        let start = compactor.object_start();
        let mut more = self.byte() != Some(b'}');
        while more {
            let from = self.at;
            if let Some(key) = self.special_key()? {
                special(key, self.raw()?)?;
                more = self.next_member(&mut Blind)?;
                compactor.leave_out(from, self.at);
                if !more && compactor.scratch.out.ends_with(',') {
                    compactor.scratch.out.pop();
                }
            } else {
                let key = self.observed_key(&mut compactor)?;
                compactor.key(key);
                self.value(&mut compactor)?;
                more = self.next_member(&mut compactor)?;
            }
        }
        self.at += 1;
        self.shallower();
        compactor.object_end(start);
        Ok(Body(compactor.finish(self.at)?))
    }

    /// Takes a key that starts with `_`, with its colon; stays where it is before any other.
    fn special_key(&mut self) -> Result<Option<Cow<'a, str>>, JsonError> {
        let from = self.at;
        // An escape may spell the underscore.
        if !matches!(self.text.as_bytes().get(from..from + 2), Some(b"\"_" | b"\"\\")) {
            return Ok(None);
        }
        let key = unescape(self.key()?);
        if key.starts_with('_') {
            return Ok(Some(key));
        }
        self.at = from;
        Ok(None)
    }

    /// Goes to the next key of the document (true), or to its closing brace.
    fn next_member<O: Observer<'a>>(&mut self, observer: &mut O) -> Result<bool, JsonError> {
        self.white_space(observer);
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                self.white_space(observer);
                Ok(true)
            }
            Some(b'}') => Ok(false),
            _ => self.syntax(),
        }
    }
}

/// Appends `text` without its insignificant white space; keys may repeat.
pub(super) fn compact(text: &str, out: &mut String) -> Result<(), JsonError> {
    let mut reader = Reader::new(text);
    let mut compactor = Compactor::new(&reader);
    reader.white_space(&mut compactor);
    reader.value(&mut compactor)?;
    let end = reader.at;
    reader.end()?;
    compactor.repeats = false;
    out.push_str(&compactor.finish(end)?);
    Ok(())
}

/// Copies compact JSON; of equal keys in one object only the last stays, where it stands. Goes over the text twice,
/// however deep it is: inner objects are not copied again for each object around them.
fn last_of_equal_keys(text: &str) -> Result<Box<str>, JsonError> {
    let mut repeated = Vec::new();
    find_repeated(&mut Reader::new(text), &mut repeated)?;
    repeated.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (start, end) in repeated {
        // One inside another that is left out starts before `from`.
        if let Some(piece) = text.get(from..start) {
            out.push_str(piece);
            from = end;
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Ok(out.into_boxed_str())
}

/// Takes a value of compact JSON; tells where members are that have an equal key behind them, up to the next member.
fn find_repeated(reader: &mut Reader<'_>, repeated: &mut Vec<(usize, usize)>) -> Result<(), JsonError> {
    match reader.peek() {
        Some(b'[') => reader.elements(|reader| find_repeated(reader, repeated)),
        Some(b'{') => {
            let mut members = Vec::new();
            reader.raw_members(|key, reader| {
                // Two quotes and the colon.
                members.push((unescape(key), reader.at - key.len() - 3));
                find_repeated(reader, repeated)
            })?;
            let last: HashMap<&str, usize> = members.iter().map(|(key, start)| (&**key, *start)).collect();
            if last.len() < members.len() {
                // The last member of all is never one of them.
                for ((key, start), (_, next)) in members.iter().zip(members.iter().skip(1)) {
                    if last.get(&**key) != Some(start) {
                        repeated.push((*start, *next));
                    }
                }
            }
            Ok(())
        }
        _ => reader.raw().map(|_| ()),
    }
}
