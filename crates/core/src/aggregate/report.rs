//! Rows coming out.

use super::Aggregate;
use super::state::State;
use crate::collate::Collation;
use crate::json::Reader;
use std::collections::HashMap;
use std::sync::Arc;

/// Goes through the rows: the JSON texts of each, in the order of [`Aggregate::columns`].
#[derive(Debug)]
pub struct Report {
    aggregate: Arc<Aggregate>,
    rows: std::vec::IntoIter<Row>,
}

#[derive(Debug)]
struct Row {
    key: Box<str>,
    states: Vec<State>,
    /// Rows are in the order of these bytes.
    place: Vec<u8>,
}

impl Report {
    pub(super) fn new(
        aggregate: Arc<Aggregate>,
        groups: HashMap<Box<str>, Vec<State>>,
        skip: usize,
        limit: usize,
    ) -> Report {
        let groups = one_spelling(&aggregate, groups);
        let row = |(key, states): (Box<str>, Vec<State>)| Row {
            place: aggregate.place(&key, &states),
            key,
            states,
        };
        let mut rows: Vec<Row> = groups.map(row).collect();
        let order = |a: &Row, b: &Row| (&a.place, &a.key).cmp(&(&b.place, &b.key));
        let end = skip.saturating_add(limit);
        if end < rows.len() {
            rows.select_nth_unstable_by(end, order);
            rows.truncate(end);
        }
        rows.sort_unstable_by(order);
        rows.drain(..skip.min(rows.len()));
        rows.shrink_to_fit();
        Report {
            rows: rows.into_iter(),
            aggregate,
        }
    }

    /// What is asked.
    pub fn aggregate(&self) -> &Aggregate {
        &self.aggregate
    }
}

impl Iterator for Report {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        let row = self.rows.next()?;
        let columns = 0..self.aggregate.groups.len() + self.aggregate.values.len();
        let parts = parts(&row.key);
        let text = |column| self.aggregate.text(column, &parts, &row.states);
        Some(columns.map(text).collect())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Report {}

impl Aggregate {
    fn text(&self, column: usize, parts: &[&str], states: &[State]) -> String {
        let Some(group) = self.groups.get(column) else {
            let column = column - self.groups.len();
            let value = self.values.get(column).zip(states.get(column));
            return value.map_or_else(String::new, |(value, state)| state.text(&value.measure));
        };
        let part = parts.get(column).copied().unwrap_or("null");
        match (&group.bucket, part.parse()) {
            (Some(bucket), Ok(start)) => bucket.spell(start),
            _ => part.to_owned(),
        }
    }

    /// Sorts as the columns that rows are sorted by, and then as the groups.
    fn place(&self, key: &str, states: &[State]) -> Vec<u8> {
        let mut place = Vec::new();
        let parts = parts(key);
        for (column, descending) in &self.sort {
            let from = place.len();
            // What is written here is JSON.
            let _ = Collation::Unicode.sort_key(&self.text(*column, &parts, states), &mut place);
            if *descending {
                place.iter_mut().skip(from).for_each(|byte| *byte = !*byte);
            }
        }
        let _ = Collation::Unicode.sort_key(&format!("[{key}]"), &mut place);
        place
    }
}

/// Groups whose values are equal, but not spelled alike, are one; it has the shortest spelling.
fn one_spelling(
    aggregate: &Aggregate,
    groups: HashMap<Box<str>, Vec<State>>,
) -> impl Iterator<Item = (Box<str>, Vec<State>)> {
    let mut all: HashMap<Vec<u8>, (Box<str>, Vec<State>)> = HashMap::with_capacity(groups.len());
    for (key, states) in groups {
        let mut value = Vec::new();
        let _ = Collation::Raw.sort_key(&format!("[{key}]"), &mut value);
        match all.entry(value) {
            std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert((key, states))),
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                let (spelling, known) = entry.get_mut();
                for ((value, known), state) in aggregate.values.iter().zip(known).zip(states) {
                    known.merge(&value.measure, state);
                }
                if (key.len(), &key) < (spelling.len(), spelling) {
                    *spelling = key;
                }
            }
        }
    }
    all.into_values()
}

fn parts(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut reader = Reader::new(key);
    while let Ok(part) = reader.raw() {
        parts.push(part);
        if reader.peek() != Some(b',') || !reader.next(b']').unwrap_or_default() {
            break;
        }
    }
    parts
}
