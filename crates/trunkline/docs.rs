//! Reading documents in the order of their ids.

use crate::Result;
use crate::doc::Doc;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow, RangeBounds};
use trunkline_core::attachment::Attachment;
use trunkline_core::rev::Rev;
use trunkline_store::{self as engine, DocsScan};

/// Iterates over documents in the order of their ids. Reads a chunk at a time and holds nothing open between chunks.
#[derive(Debug)]
pub struct Docs<T> {
    engine: engine::Database,
    scan: DocsScan,
    buffer: VecDeque<Row>,
    done: bool,
    value: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Row {
    id: String,
    rev: Rev,
    json: String,
    attachments: Vec<Attachment>,
}

impl<T> Docs<T> {
    pub(crate) fn new<'a>(engine: engine::Database, ids: impl RangeBounds<&'a str>) -> Docs<T> {
        let (start, after_start) = match ids.start_bound() {
            Bound::Included(id) => (Some((*id).to_owned()), false),
            Bound::Excluded(id) => (Some((*id).to_owned()), true),
            Bound::Unbounded => (None, false),
        };
        let (end, inclusive_end) = match ids.end_bound() {
            Bound::Included(id) => (Some((*id).to_owned()), true),
            Bound::Excluded(id) => (Some((*id).to_owned()), false),
            Bound::Unbounded => (None, true),
        };
        Docs {
            engine,
            scan: DocsScan {
                start,
                after_start,
                end,
                inclusive_end,
                descending: false,
                bodies: true,
                limit: usize::MAX,
            },
            buffer: VecDeque::new(),
            done: false,
            value: PhantomData,
        }
    }

    fn read_chunk(&mut self) -> Result<()> {
        let buffer = &mut self.buffer;
        let end = self.engine.all_docs(&self.scan, &mut |row| {
            if let Some(winner) = row.winner {
                buffer.push_back(Row {
                    id: row.id.to_owned(),
                    rev: row.rev,
                    json: winner.body.to_owned(),
                    attachments: winner.attachments,
                });
            }
            ControlFlow::Continue(())
        })?;
        self.done = end.done;
        if end.last.is_some() {
            self.scan.start = end.last;
            self.scan.after_start = true;
        }
        Ok(())
    }
}

impl<T: DeserializeOwned> Iterator for Docs<T> {
    type Item = Result<Doc<T>>;

    fn next(&mut self) -> Option<Result<Doc<T>>> {
        loop {
            if let Some(row) = self.buffer.pop_front() {
                return Some(Doc::from_json(row.id, row.rev, &row.json, row.attachments));
            }
            if self.done {
                return None;
            }
            if let Err(error) = self.read_chunk() {
                self.done = true;
                return Some(Err(error));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.buffer.len(), None)
    }
}
