//! Many fields of a document, looked up in one pass over it: a test of each would read the document again.

use super::Condition;
use super::field::{FieldPath, Found};
use super::matching::ATTACHED;
use super::work::Work;
use crate::json::{self, JsonError, Reader};
use std::ops::Range;

/// Fields that are looked up one by one: most selectors have no more, and stop at the first that does not match.
pub(super) const FIELDS_APART: usize = 8;

/// Paths that a selector looks up in bodies, each once, in order: those with the same beginning are neighbours.
#[derive(Clone, Debug)]
pub(super) struct Fields(Vec<Vec<Box<str>>>);

impl Fields {
    /// Those of a selector with many, whose paths are numbered.
    pub(super) fn of(condition: &mut Condition) -> Option<Fields> {
        let mut all = Vec::new();
        collect(condition, &mut all);
        if all.len() <= FIELDS_APART {
            return None;
        }
        let mut paths: Vec<_> = all.iter().map(|field| field.path.clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        for field in all {
            field.number = paths.partition_point(|path| *path < field.path);
        }
        Some(Fields(paths))
    }

    /// What stands at each path in a body, by number.
    pub(super) fn find<'a>(&self, body: &'a str, work: &Work) -> Vec<Found<'a>> {
        work.take(body.len() + self.0.len());
        let mut pass = Pass {
            paths: &self.0,
            work,
            found: vec![None; self.0.len()],
        };
        let mut reader = Reader::new(body);
        let _ = pass.value(&mut reader, body, 0..self.0.len(), 0);
        let found = pass.found.into_iter();
        found.map(|found| found.unwrap_or(Found::NoPath)).collect()
    }
}

/// The paths into bodies. Those below the operators on elements and keys are not the document's.
fn collect<'c>(condition: &'c mut Condition, all: &mut Vec<&'c mut FieldPath>) {
    match condition {
        Condition::And(inner) | Condition::Or(inner) => {
            inner.iter_mut().for_each(|inner| collect(inner, all));
        }
        Condition::Not(inner) => collect(inner, all),
        Condition::Field(field, _) => {
            let first = field.path.first().map(|first| &**first);
            let is_special = |name| ATTACHED.contains(&name) || ["_id", "_rev", "_deleted"].contains(&name);
            let is_body = first.is_some_and(|first| !is_special(first));
            if is_body {
                all.push(field);
            }
        }
    }
}

/// One pass over a body.
struct Pass<'p, 'a> {
    paths: &'p [Vec<Box<str>>],
    work: &'p Work,
    /// `None` where nothing was looked at yet: of equal keys the first counts.
    found: Vec<Option<Found<'a>>>,
}

impl<'a> Pass<'_, 'a> {
    /// Takes the value at the reader, to which the first so many parts of some paths lead.
    fn value(
        &mut self,
        reader: &mut Reader<'a>,
        text: &'a str,
        some: Range<usize>,
        depth: usize,
    ) -> Result<(), JsonError> {
        let kind = reader.peek();
        let from = reader.at();
        let ends_here = self.paths.get(some.start).is_some_and(|path| path.len() == depth);
        let deeper = some.start + usize::from(ends_here)..some.end;
        let absent = match kind {
            _ if deeper.is_empty() => {
                reader.raw()?;
                Found::NoPath
            }
            Some(b'{') => {
                reader.raw_members(|key, reader| {
                    let below = match key.contains('\\') {
                        true => self.below(&deeper, depth, &json::unescape(key)),
                        false => self.below(&deeper, depth, key),
                    };
                    self.first(reader, text, below, depth)
                })?;
                Found::Nothing
            }
            Some(b'[') => {
                let places = self.places(&deeper, depth);
                let mut at = 0;
                reader.elements(|reader| {
                    let from = places.partition_point(|(place, _)| *place < at);
                    let to = places.partition_point(|(place, _)| *place <= at);
                    at += 1;
                    match places.get(from..to).unwrap_or_default() {
                        [] => Ok(()),
                        [(_, below)] => self.first(reader, text, below.clone(), depth),
                        // An element may have several names: `1`, `01`.
                        aliases => {
                            let element = reader.raw()?;
                            aliases.iter().try_for_each(|(_, below)| {
                                self.work.take(element.len());
                                self.first(&mut Reader::new(element), element, below.clone(), depth)
                            })
                        }
                    }
                })?;
                Found::NoPath
            }
            _ => {
                reader.raw()?;
                Found::NoPath
            }
        };
        for found in self.found.get_mut(deeper).into_iter().flatten() {
            found.get_or_insert(absent);
        }
        if ends_here && let Some(found) = self.found.get_mut(some.start) {
            *found = text.get(from..reader.at()).map(Found::Value);
        }
        Ok(())
    }

    /// Takes the value at the reader, if some paths lead there and none came by before.
    fn first(
        &mut self,
        reader: &mut Reader<'a>,
        text: &'a str,
        below: Range<usize>,
        depth: usize,
    ) -> Result<(), JsonError> {
        match self.found.get(below.start) {
            Some(None) if self.work.is_too_much() => Ok(()),
            Some(None) if !below.is_empty() => self.value(reader, text, below, depth + 1),
            _ => Ok(()),
        }
    }

    /// Those of some paths that go on with a part.
    fn below(&self, some: &Range<usize>, depth: usize, part: &str) -> Range<usize> {
        let paths = self.paths.get(some.clone()).unwrap_or_default();
        let order = |path: &Vec<Box<str>>| path.get(depth).map(|other| (**other).cmp(part));
        let from = paths.partition_point(|path| order(path).is_some_and(|order| order.is_lt()));
        let many = paths
            .get(from..)
            .unwrap_or_default()
            .partition_point(|path| order(path).is_some_and(|order| order.is_eq()));
        some.start + from..some.start + from + many
    }

    /// Those of some paths that go on with the place of an element, in the order of places.
    fn places(&self, some: &Range<usize>, depth: usize) -> Vec<(usize, Range<usize>)> {
        let mut places = Vec::new();
        let mut next = some.start;
        while next < some.end {
            let Some(part) = self.paths.get(next).and_then(|path| path.get(depth)) else {
                break;
            };
            let below = self.below(&(next..some.end), depth, part);
            next = below.end.max(next + 1);
            if let Ok(place) = part.parse() {
                places.push((place, below));
            }
        }
        places.sort_by_key(|(place, _)| *place);
        places
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::find;
    use super::super::quoted;
    use super::*;

    /// What each path finds is what it finds by itself.
    #[test]
    fn one_pass_finds_what_single_looks_find() {
        let bodies = [
            r#"{"a":{"b":[10,{"c":null}],"":1},"x.y":1,"\u006b":2,"n":3,"a":7,"deep":{"er":{"still":"x"}}}"#,
            r#"{"a":[[1,2],{"b":{"c":3}}],"n":{"z":[]},"k":{"k":{"k":1}}}"#,
            r#"{ "a" : { "b" : [ 1 , 2 ] } , "n" : "s" }"#,
            "{}",
            r#"{"a":[1],"a":[1,2,3]}"#,
        ];
        let names = [
            "a",
            "a.b",
            "a.b.0",
            "a.b.00",
            "a.b.1",
            "a.b.1.c",
            "a.b.2",
            "a.b.-1",
            "a.b.+1",
            "a.b.c",
            "a.0",
            "a.0.1",
            "a.1",
            "a.1.b.c",
            "a.1.b",
            "x\\.y",
            "x.y",
            "k",
            "k.k",
            "k.k.k",
            "n",
            "n.z",
            "n.z.0",
            "deep.er.still",
            "deep.er.more",
            "deep.er",
            "missing",
            "missing.too",
            "a.2",
        ];
        let all: Vec<String> = names
            .iter()
            .map(|name| format!("{{{}:1}}", quoted(name)))
            .collect();
        let (mut condition, _) =
            super::super::parse::selector(&format!(r#"{{"$or":[{}]}}"#, all.join(","))).unwrap();
        let fields = Fields::of(&mut condition).unwrap();
        let Condition::Or(tests) = condition else {
            panic!("{condition:?}");
        };
        for body in bodies {
            let found = fields.find(body, &Work::default());
            assert_eq!(found.len(), names.len());
            for test in &tests {
                let Condition::Field(field, _) = test else {
                    panic!("{test:?}");
                };
                assert_eq!(
                    found[field.number],
                    find(body, &field.path),
                    "{} in {body}",
                    field.name()
                );
            }
        }
    }
}
