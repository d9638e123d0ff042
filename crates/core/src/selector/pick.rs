//! The values of several fields, in one pass over a document.

use super::FieldPath;
use crate::json::{self, JsonError, Reader};

/// Which fields are looked for.
#[derive(Clone, Debug, Default)]
pub struct Picker {
    root: Node,
    fields: usize,
}

/// What is wanted of a value: itself, by places among what is found, and what is below it.
#[derive(Clone, Debug, Default)]
struct Node {
    places: Vec<usize>,
    below: Vec<(Box<str>, Node)>,
}

/// What was found, and how much is not yet.
struct Found<'a> {
    values: Vec<Option<&'a str>>,
    left: usize,
}

/// The way out of a walk.
enum Stop {
    AllFound,
    Broken,
}

impl From<JsonError> for Stop {
    fn from(_: JsonError) -> Stop {
        Stop::Broken
    }
}

impl Picker {
    /// Of these fields.
    pub fn new<'a>(fields: impl IntoIterator<Item = &'a FieldPath>) -> Picker {
        let mut picker = Picker::default();
        for field in fields {
            picker.root.add(field.parts(), picker.fields);
            picker.fields += 1;
        }
        picker
    }

    /// What each field has in a value, a valid JSON text; what comes behind the last of them is not read.
    pub fn pick<'a>(&self, value: &'a str) -> Vec<Option<&'a str>> {
        let mut found = Found {
            values: vec![None; self.fields],
            left: self.fields,
        };
        if self.fields > 0 {
            let _ = self.root.take(&mut Reader::new(value), &mut found);
        }
        found.values
    }
}

impl Node {
    fn add<'a>(&mut self, path: impl Iterator<Item = &'a str>, place: usize) {
        let mut node = self;
        for part in path {
            let known = node.below.iter().position(|(name, _)| **name == *part);
            let at = known.unwrap_or(node.below.len());
            if known.is_none() {
                node.below.push((part.into(), Node::default()));
            }
            node = match node.below.get_mut(at) {
                Some((_, child)) => child,
                None => return,
            };
        }
        node.places.push(place);
    }

    fn child(&self, key: &str) -> Option<&Node> {
        let is = |name: &str| name == key || (key.contains('\\') && json::unescape(key) == *name);
        self.below
            .iter()
            .find_map(|(name, node)| is(name).then_some(node))
    }

    fn take<'a>(&self, reader: &mut Reader<'a>, found: &mut Found<'a>) -> Result<(), Stop> {
        if self.places.is_empty() {
            return self.enter(reader, found);
        }
        let text = reader.raw()?;
        for place in &self.places {
            if let Some(value @ None) = found.values.get_mut(*place) {
                *value = Some(text);
                found.left -= 1;
            }
        }
        match found.left {
            0 => Err(Stop::AllFound),
            _ if self.below.is_empty() => Ok(()),
            _ => self.enter(&mut Reader::new(text), found),
        }
    }

    /// Looks below the value that the reader stands at, and takes it if there may be something.
    fn enter<'a>(&self, reader: &mut Reader<'a>, found: &mut Found<'a>) -> Result<(), Stop> {
        match reader.peek() {
            Some(b'{') => reader.raw_members(|key, reader| match self.child(key) {
                Some(child) => child.take(reader, found),
                None => Ok(()),
            }),
            Some(b'[') => {
                let mut at = 0;
                reader.elements(|reader| {
                    let name = |part: &str| part.parse() == Ok(at);
                    let child = self.below.iter().find(|(part, _)| name(part));
                    at += 1;
                    match child {
                        Some((_, child)) => child.take(reader, found),
                        None => Ok(()),
                    }
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_picked_is_what_is_found_one_by_one() {
        let names = [
            "a", "a.b", "a.b.0", "a.b.1.c", "a.b.9", "x\\.y", "x.y", "k", "n.z", "n", "n", "e", "e.f",
        ];
        let fields: Vec<FieldPath> = names.iter().map(|name| FieldPath::parse(name).unwrap()).collect();
        for doc in [
            r#"{"a":{"b":[10,{"c":null}]},"x.y":1,"\u006b":2,"n":3,"e":{"f":[]}}"#,
            r#"{"n":{"z":1},"a":[{"b":1}],"e":{}}"#,
            "{}",
            "[]",
            "1",
        ] {
            // Each alone, and all together.
            for some in (0..fields.len()).map(|at| &fields[at..=at]).chain([&fields[..]]) {
                let one_by_one: Vec<_> = some.iter().map(|field| field.find(doc)).collect();
                assert_eq!(Picker::new(some).pick(doc), one_by_one, "{doc}");
            }
        }
        assert!(Picker::new([]).pick("{}").is_empty());
    }
}
