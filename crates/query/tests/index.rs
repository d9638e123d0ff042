//! An index against a model: random edits of documents with random rows, then every kind of reading.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand::Rng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use trunkline_query::Error;
use trunkline_query::index::{
    Index, IndexState, Part, Parts, Reduce, Row, Rows, Snapshot, Step, ViewNumber, behind, put_emitted, whole,
};
use trunkline_testkit::seed::with_seeds;

const VIEWS: u16 = 3;

/// A reduction that any lost, doubled or misplaced row changes: how many, and a polynomial over their hashes.
struct Fingerprint;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    power: u64,
    hash: u64,
}

impl Sum {
    fn nothing() -> Sum {
        Sum { power: 1, hash: 0 }
    }

    fn of_row(key: &[u8], value: &[u8]) -> Sum {
        let bytes = key.iter().chain([&7]).chain(value);
        let hash = bytes.fold(1_u64, |hash, &byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        Sum {
            power: 1_000_003,
            hash,
        }
    }

    fn then(self, next: Sum) -> Sum {
        Sum {
            power: self.power.wrapping_mul(next.power),
            hash: self.hash.wrapping_mul(next.power).wrapping_add(next.hash),
        }
    }

    fn encode(self) -> Parts {
        vec![
            [self.power.to_be_bytes(), self.hash.to_be_bytes()]
                .concat()
                .into(),
        ]
    }

    fn decode(parts: &Parts) -> Sum {
        let number = |at: usize| u64::from_be_bytes(parts[0][at..at + 8].try_into().unwrap());
        Sum {
            power: number(0),
            hash: number(8),
        }
    }
}

impl Reduce for Fingerprint {
    fn rows(&mut self, _: ViewNumber, rows: &Rows, range: Range<usize>) -> Result<Parts, Error> {
        let rows = range.map(|index| rows.get(index).unwrap());
        Ok(rows
            .map(|row| Sum::of_row(row.key, row.value))
            .fold(Sum::nothing(), Sum::then)
            .encode())
    }

    fn merge(&mut self, _: ViewNumber, parts: &[&Parts]) -> Result<Parts, Error> {
        let sums = parts.iter().map(|parts| Sum::decode(parts));
        Ok(sums.fold(Sum::nothing(), Sum::then).encode())
    }
}

type Emitted = Vec<(u16, Vec<u8>, Vec<u8>)>;

/// What documents emit now, by id.
#[derive(Default)]
struct Model(BTreeMap<String, Emitted>);

impl Model {
    /// Rows by place.
    fn rows(&self) -> BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)> {
        let mut all = Rows::default();
        for (id, emitted) in &self.0 {
            push(&mut all, id, emitted);
        }
        let rows = all.iter().filter(|row| !row.place.starts_with(&[0xff, 0xff]));
        rows.map(|row| (row.place.to_vec(), (row.key.to_vec(), row.value.to_vec())))
            .collect()
    }
}

fn push(rows: &mut Rows, id: &str, emitted: &Emitted) {
    let mut numbers = [0; VIEWS as usize];
    let mut list = Vec::new();
    for (view, key, value) in emitted {
        let number = &mut numbers[usize::from(*view)];
        rows.push(*view, &sort_key(key), id, *number, key, value);
        put_emitted(*view, &sort_key(key), &mut list);
        *number += 1;
    }
    rows.push_document(id, &list);
}

/// Stands for a real one: self-delimiting, in the order of its text.
fn sort_key(key: &[u8]) -> Vec<u8> {
    [key, b"\0"].concat()
}

fn emitted(random: &mut StdRng) -> Emitted {
    let rows = if random.random_bool(0.2) {
        0
    } else {
        random.random_range(1..4)
    };
    (0..rows)
        .map(|_| {
            let view = random.random_range(0..VIEWS);
            let keys = [3, 40, 100_000][usize::from(view)];
            let key = format!("{:05}", random.random_range(0..keys));
            let length = match random.random_range(0..50) {
                0 => 20_000,
                1..5 => 2000,
                _ => 150,
            };
            let value = vec![random.random_range(b'a'..=b'z'); random.random_range(0..length)];
            (view, key.into_bytes(), value)
        })
        .collect()
}

fn seen(snapshot: &Snapshot, range: &Range<Vec<u8>>, backwards: bool, skip: u64) -> Vec<Vec<u8>> {
    let mut seen = Vec::new();
    snapshot
        .rows(range, backwards, skip, &mut |row: Row<'_>| {
            seen.push([row.place, row.key, row.value].concat());
            ControlFlow::Continue(())
        })
        .unwrap();
    seen
}

fn reduced(snapshot: &Snapshot, range: &Range<Vec<u8>>) -> (Sum, usize) {
    let mut sum = Sum::nothing();
    let mut read = 0;
    snapshot
        .walk(range, false, &mut |part| {
            let parts = match part {
                Part::Head(head) => head.parts.clone(),
                Part::Rows(rows, range) => Fingerprint.rows(0, rows, range)?,
            };
            read += 1;
            sum = sum.then(Sum::decode(&parts));
            Ok(Step::Next)
        })
        .unwrap();
    (sum, read)
}

fn compare(index: &Arc<Index>, model: &Model, random: &mut StdRng) {
    let all = model.rows();
    let snapshot = Snapshot::of(index.clone()).unwrap();
    for view in 0..VIEWS {
        let mut ranges = vec![whole(view)];
        for _ in 0..6 {
            let mut ends = [0, 1].map(|_| {
                let whole = whole(view);
                let places: Vec<_> = all
                    .range(whole.start.clone()..whole.end.clone())
                    .map(|row| row.0)
                    .collect();
                let place = match places.len() {
                    0 => whole.start,
                    count => places[random.random_range(0..count)].clone(),
                };
                match random.random_range(0..3) {
                    0 => place,
                    1 => behind(&place),
                    _ => place[..random.random_range(2..=place.len())].to_vec(),
                }
            });
            ends.sort();
            let [start, end] = ends;
            ranges.push(start..end);
        }
        for range in ranges {
            let expected: Vec<_> = all.range(range.start.clone()..range.end.clone()).collect();
            let joined: Vec<Vec<u8>> = expected
                .iter()
                .map(|(place, (key, value))| [place.as_slice(), key, value].concat())
                .collect();
            let skip = random.random_range(0..=joined.len() as u64 + 2);
            assert_eq!(seen(&snapshot, &range, false, 0), joined);
            assert_eq!(
                seen(&snapshot, &range, false, skip),
                joined[joined.len().min(skip as usize)..]
            );
            let mut backwards = joined.clone();
            backwards.reverse();
            assert_eq!(seen(&snapshot, &range, true, 0), backwards);
            assert_eq!(
                seen(&snapshot, &range, true, skip),
                backwards[joined.len().min(skip as usize)..]
            );
            assert_eq!(snapshot.count(&range).unwrap(), joined.len() as u64);
            let sums = expected.iter().map(|(_, (key, value))| Sum::of_row(key, value));
            let (sum, read) = reduced(&snapshot, &range);
            assert_eq!(sum, sums.fold(Sum::nothing(), Sum::then));
            assert!(read < 6 * 130, "{read} parts for {} rows", joined.len());
        }
    }
}

#[test]
fn edits_are_seen_as_the_model_sees_them() {
    with_seeds(2, |random| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let mut index = Arc::new(Index::open(&path, VIEWS, 4 << 20).unwrap());
        let mut model = Model::default();
        let ids = random.random_range(1..6000);
        for round in 0..8 {
            let edits = [1, 30, 3000][random.random_range(0..3)];
            let mut batch = BTreeMap::new();
            for _ in 0..edits {
                let id = format!("doc-{}", random.random_range(0..ids));
                batch.insert(id, emitted(random));
            }
            if round == 6 {
                // Nearly everything goes.
                let gone = model.0.keys().filter(|_| random.random_bool(0.95));
                batch.extend(gone.map(|id| (id.clone(), Emitted::new())));
            }
            let mut rows = Rows::default();
            for (id, emitted) in &batch {
                push(&mut rows, id, emitted);
            }
            rows.sort();
            let state = IndexState {
                seq: round,
                ..IndexState::default()
            };
            index
                .apply(&rows, &state, &mut Fingerprint, round % 2 == 0)
                .unwrap();
            model.0.extend(batch);
            if random.random_bool(0.3) {
                drop(index);
                index = Arc::new(Index::open(&path, VIEWS, 4 << 20).unwrap());
            }
            assert_eq!(index.state().unwrap().seq, round);
            compare(&index, &model, random);
        }
    });
}

#[test]
fn an_index_built_at_once_is_as_one_that_grew() {
    with_seeds(2, |random| {
        let dir = tempfile::tempdir().unwrap();
        let index = Arc::new(Index::open(&dir.path().join("index"), VIEWS, 4 << 20).unwrap());
        let mut model = Model::default();
        for number in 0..random.random_range(0..8000) {
            model.0.insert(format!("doc-{number}"), emitted(random));
        }
        let mut rows = Rows::default();
        for (id, emitted) in model.0.iter().filter(|(_, emitted)| !emitted.is_empty()) {
            push(&mut rows, id, emitted);
        }
        rows.sort();
        // By views, in pieces.
        let all: Vec<Row<'_>> = rows.iter().collect();
        for of_view in all.chunk_by(|a, b| a.place[..2] == b.place[..2]) {
            let mut rest = of_view;
            let mut piece = Rows::default();
            while !rest.is_empty() {
                let (some, behind) = rest.split_at(rest.len().min(random.random_range(1..2000)));
                rest = behind;
                some.iter().for_each(|row| piece.copy(row));
                let added = index.append(&piece, !rest.is_empty(), &mut Fingerprint).unwrap();
                let mut left = Rows::default();
                piece.iter().skip(added).for_each(|row| left.copy(&row));
                piece = left;
            }
            assert!(piece.is_empty());
        }
        let state = IndexState::default();
        index.finish(&state, &mut Fingerprint).unwrap();
        compare(&index, &model, random);
        // And what documents emitted is known.
        let mut gone = Rows::default();
        for id in model.0.keys() {
            gone.push_document(id, &[]);
        }
        gone.sort();
        index.apply(&gone, &state, &mut Fingerprint, false).unwrap();
        compare(&index, &Model::default(), random);
    });
}
