//! Documents going in.

use super::state::State;
use super::{Aggregate, Report, SPECIAL};
use crate::json;
use crate::rev::Rev;
use crate::selector::quoted;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// The groups of some documents.
#[derive(Clone, Debug)]
pub struct Fold {
    aggregate: Arc<Aggregate>,
    /// By the values that make a group, as JSON texts with commas between; of a bucket, its beginning.
    pub(super) groups: HashMap<Box<str>, Vec<State>>,
    bytes: usize,
    key: String,
}

/// A document as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// `_id`
    pub id: &'a str,
    /// `_rev`
    pub rev: &'a Rev,
    /// All else, JSON text.
    pub body: &'a str,
}

/// Bytes of a group beside its key and its states.
const GROUP_BYTES: usize = 96;

impl Fold {
    /// Of no documents.
    pub fn new(aggregate: Arc<Aggregate>) -> Fold {
        Fold {
            aggregate,
            groups: HashMap::new(),
            bytes: 0,
            key: String::new(),
        }
    }

    /// Adds a document.
    pub fn add(&mut self, doc: Seen<'_>) {
        let aggregate = self.aggregate.clone();
        let mut found = aggregate.picker.pick(doc.body);
        let special: Vec<String> = aggregate
            .fields
            .iter()
            .skip(found.len())
            .map(|field| match field.name() == SPECIAL[0] {
                true => quoted(doc.id),
                false => quoted(&doc.rev.to_string()),
            })
            .collect();
        found.extend(special.iter().map(|text| Some(text.as_str())));
        self.add_found(doc.id, &found);
    }

    /// Adds a document of which is known what its [`Aggregate::fields`] hold.
    pub fn add_found(&mut self, id: &str, found: &[Option<&str>]) {
        let aggregate = &self.aggregate;
        let at = |place: usize| found.get(place).copied().flatten();
        self.key.clear();
        for (group, place) in aggregate.groups.iter().zip(&aggregate.group_fields) {
            if !self.key.is_empty() {
                self.key.push(',');
            }
            let value = at(*place).unwrap_or("null");
            match &group.bucket {
                None => self.key.push_str(value),
                Some(bucket) => match bucket.start(value) {
                    // Writing to a String cannot fail.
                    Some(start) => drop(write!(self.key, "{start}")),
                    None => self.key.push_str("null"),
                },
            }
        }
        let states = match self.groups.get_mut(self.key.as_str()) {
            Some(states) => states,
            None => {
                let states = aggregate.values.iter().map(State::new).collect();
                self.bytes += bytes(&self.key, &states);
                self.groups.entry(self.key.as_str().into()).or_insert(states)
            }
        };
        let fields = aggregate.value_fields.iter().zip(&aggregate.shown_fields);
        for ((value, state), (place, shown)) in aggregate.values.iter().zip(states).zip(fields) {
            let found = match place {
                None => Some("true"),
                Some(place) => at(*place),
            };
            let show = || {
                show(
                    value
                        .measure
                        .shown()
                        .iter()
                        .zip(shown.iter().map(|place| at(*place))),
                )
            };
            if let Some(found) = found {
                let more = state.add(&value.measure, found, id, &show);
                self.bytes = self.bytes.saturating_add_signed(more);
            }
        }
    }

    /// Adds the documents of another fold of the same aggregate.
    pub fn merge(&mut self, other: Fold) {
        for (key, states) in other.groups {
            self.merge_group(key, states);
        }
    }

    fn merge_group(&mut self, key: Box<str>, others: Vec<State>) {
        let Some(states) = self.groups.get_mut(&key) else {
            self.bytes += bytes(&key, &others);
            self.groups.insert(key, others);
            return;
        };
        let before = bytes(&key, states);
        for ((value, state), other) in self.aggregate.values.iter().zip(states.iter_mut()).zip(others) {
            state.merge(&value.measure, other);
        }
        self.bytes = (self.bytes + bytes(&key, states)).saturating_sub(before);
    }

    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows, sorted, without the first so many and at most so many.
    pub fn finish(mut self, skip: usize, limit: usize) -> Report {
        if self.groups.is_empty() && self.aggregate.groups.is_empty() {
            let states = self.aggregate.values.iter().map(State::new).collect();
            self.groups.insert("".into(), states);
        }
        Report::new(self.aggregate, self.groups, skip, limit)
    }
}

fn bytes(key: &str, states: &Vec<State>) -> usize {
    let inside: usize = states.iter().map(State::bytes).sum();
    GROUP_BYTES + key.len() + size_of_val(states.as_slice()) + inside
}

/// An object of the fields that there are.
fn show<'a>(
    fields: impl Iterator<Item = (&'a (String, crate::selector::FieldPath), Option<&'a str>)>,
) -> String {
    let mut out = vec![b'{'];
    for ((name, _), value) in fields {
        let Some(value) = value else { continue };
        if out.len() > 1 {
            out.push(b',');
        }
        json::quote(name, &mut out);
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}
