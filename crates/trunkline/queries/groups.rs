//! Groups of a view's rows, and what they come to.

use super::buffered::{Buffered, Chunks};
use super::view::View;
use crate::doc::value_of;
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_query::index::Grouping;
use trunkline_query::{ReduceFailure, Walk};
use trunkline_wire::view::group_key;

/// What rows of one key come to, or of keys that begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<K, V> {
    /// The key, or what the keys begin with.
    pub key: K,
    /// What the reduce function makes of their values.
    pub value: V,
}

/// Iterates over groups, made by [`View::groups`]. Reads a chunk at a time and holds nothing open between chunks, the
/// first when the first group is asked for.
#[derive(Debug)]
pub struct Groups<K, V> {
    groups: Buffered<GroupChunks>,
    types: PhantomData<fn() -> (K, V)>,
}

/// Key and value.
type Texts = [String; 2];

#[derive(Debug)]
struct GroupChunks {
    asked: Option<Box<View>>,
    going: Option<(Walk, Grouping)>,
}

impl Chunks for GroupChunks {
    type Part = Texts;

    fn chunk(&mut self, into: &mut VecDeque<Texts>) -> Result<bool> {
        if let Some(view) = self.asked.take() {
            self.going = Some(view.open(true)?);
        }
        let Some((walk, grouping)) = &mut self.going else {
            return Ok(false);
        };
        let Some(snapshot) = walk.snapshot()? else {
            return Ok(false);
        };
        let level = match grouping {
            Grouping::All => Some(0),
            Grouping::Elements(level) => Some(*level),
            Grouping::Keys => None,
        };
        let (mut bytes, mut failed) = (0, None);
        walk.groups(&snapshot, *grouping, &mut |key, value| {
            match value {
                Ok(value) => {
                    let key = group_key(key, level);
                    bytes += key.len() + value.len();
                    into.push_back([key, value]);
                }
                Err(failure) => failed = Some(failure),
            }
            match bytes >= SCAN_CHUNK_BYTES || failed.is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        match failed {
            Some(failure) => Err(Error::Reduce(reason(failure))),
            None => Ok(!walk.is_done()),
        }
    }
}

fn reason(failure: ReduceFailure) -> String {
    match failure {
        ReduceFailure::BuiltIn(error) => error.reason,
        ReduceFailure::Bound(reason) | ReduceFailure::Overflow(reason) => reason,
    }
}

pub(super) fn of_groups<K, V>(view: View) -> Groups<K, V> {
    Groups {
        groups: Buffered::new(GroupChunks {
            asked: Some(view.into()),
            going: None,
        }),
        types: PhantomData,
    }
}

impl<K: DeserializeOwned, V: DeserializeOwned> Iterator for Groups<K, V> {
    type Item = Result<Group<K, V>>;

    fn next(&mut self) -> Option<Result<Group<K, V>>> {
        let texts = self.groups.next()?;
        Some(texts.and_then(|[key, value]| {
            Ok(Group {
                value: value_of(&key, &value)?,
                key: value_of(&key, &key)?,
            })
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.groups.at_hand(), None)
    }
}
