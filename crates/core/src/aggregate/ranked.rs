//! The greatest and the least of values. Numbers come before texts in either direction, so that a text among numbers is
//! neither; what is neither number nor text has no rank.

use super::state::change;
use crate::collate;
use std::cmp::Ordering;

/// How two values follow each other: `Less` when `a` comes first. Equal values go by their spelling.
pub(super) fn order(a: &str, b: &str, greatest: bool) -> Ordering {
    let is_text = |value: &str| value.starts_with('"');
    let by_value = || match greatest {
        false => collate::compare(a, b),
        true => collate::compare(b, a),
    };
    let by_kind = is_text(a).cmp(&is_text(b));
    by_kind
        .then_with(by_value)
        .then_with(|| (a.len(), a).cmp(&(b.len(), b)))
}

/// Whether a value has a rank.
pub(super) fn has_rank(value: &str) -> bool {
    value.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// The documents that come first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ranked(Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    value: Box<str>,
    id: Box<str>,
    shown: Box<str>,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Entry>() + self.value.len() + self.id.len() + self.shown.len()
    }
}

impl Ranked {
    /// Adds a document, if it is among the first so many; answers how many bytes more that takes.
    pub(super) fn add(
        &mut self,
        (most, greatest): (usize, bool),
        (value, id): (&str, &str),
        shown: impl FnOnce() -> String,
    ) -> isize {
        let place = self.place(value, id, greatest);
        if place >= most {
            return 0;
        }
        let entry = Entry {
            value: value.into(),
            id: id.into(),
            shown: shown().into(),
        };
        let bytes = entry.bytes();
        self.0.insert(place, entry);
        let dropped = self.0.get(most).map_or(0, Entry::bytes);
        self.0.truncate(most);
        change(dropped, bytes)
    }

    fn place(&self, value: &str, id: &str, greatest: bool) -> usize {
        let is_before = |entry: &Entry| {
            order(&entry.value, value, greatest)
                .then_with(|| (*entry.id).cmp(id))
                .is_lt()
        };
        // Few of many are among the first: the last one tells.
        match self.0.last() {
            Some(last) if is_before(last) => self.0.len(),
            _ => self.0.partition_point(is_before),
        }
    }

    pub(super) fn merge(&mut self, (most, greatest): (usize, bool), other: Ranked) {
        for entry in other.0 {
            let place = self.place(&entry.value, &entry.id, greatest);
            if place < most {
                self.0.insert(place, entry);
            }
        }
        self.0.truncate(most);
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(Entry::bytes).sum()
    }

    /// A JSON array.
    pub(super) fn text(&self) -> String {
        let shown: Vec<&str> = self.0.iter().map(|entry| &*entry.shown).collect();
        format!("[{}]", shown.join(","))
    }
}
