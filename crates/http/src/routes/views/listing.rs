//! One listing of a view, rendered chunk by chunk on threads that may block; nothing is held between two chunks.

use super::documents;
use crate::app::App;
use crate::error::{Error, Result};
use crate::request::view_query::ViewQuery;
use crate::routes::listed::Listed;
use md5::{Digest, Md5};
use std::ops::ControlFlow;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_query::index::{Grouping, Snapshot};
use trunkline_query::{Opened, ReduceFailure, Walk};
use trunkline_wire::format::Format;
use trunkline_wire::seq;
use trunkline_wire::view::{self as wire, Head, Writer};

pub(super) struct Listing {
    walk: Walk,
    grouping: Option<Grouping>,
    /// There is nothing to be read.
    empty: bool,
    asked: ViewQuery,
    writer: Writer,
    inline_bytes_max: u64,
}

impl Listed for Listing {
    fn is_done(&self) -> bool {
        self.empty || self.walk.is_done()
    }

    fn format(&self) -> Format {
        self.asked.format
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let Some(snapshot) = self.walk.index().snapshot()? else {
            // It was there when the listing was begun.
            return Err(Error::Internal("the index is to be made anew".to_owned()));
        };
        match self.grouping {
            None => self.rows(&snapshot, out),
            Some(grouping) => self.groups(&snapshot, grouping, out),
        }
    }

    fn close(self, out: &mut Vec<u8>) {
        self.writer.close(out);
    }
}

impl Listing {
    /// Appends the head of a listing; with its tag.
    pub(super) fn open(
        app: &App,
        opened: &Opened,
        name: &str,
        mut asked: ViewQuery,
        out: &mut Vec<u8>,
    ) -> Result<(Listing, String)> {
        let view = opened.view(name)?;
        let index = opened.index.clone();
        let order = index.collation(view.number);
        let grouping = asked.grouping(view.reduce.is_some())?;
        if grouping.is_some() && !opened.db.is_whole() {
            return Err(trunkline_query::Error::ReducesAll.into());
        }
        if asked.keys.is_none() && asked.range.is_reversed(order) {
            let other = !asked.range.descending;
            return Err(Error::QueryParse(format!(
                "No rows can match your key range, reverse your start_key and end_key or set descending={other}"
            )));
        }
        let snapshot = index.snapshot()?;
        let etag = etag(opened, name, &asked, snapshot.as_deref())?;
        let keys = asked.keys.take();
        let page = (asked.skip, asked.limit.unwrap_or(u64::MAX));
        let walk = Walk::new(&opened.db, index.clone(), view, asked.range.clone(), keys, page);
        let mut head = Head {
            rows: grouping.is_none(),
            docs: asked.include_docs,
            ..Head::default()
        };
        if grouping.is_none() {
            head.counts = match snapshot.as_deref() {
                Some(snapshot) => walk.counts(snapshot)?,
                None => Some((0, 0)),
            };
        }
        if asked.update_seq {
            let at = snapshot.as_ref().map_or(0, |snapshot| snapshot.state().seq);
            let uuid = index.database().info()?.uuid;
            head.update_seq = Some(seq::json(at, seq::suffix(&uuid)));
        }
        let listing = Listing {
            walk,
            grouping,
            empty: snapshot.is_none(),
            writer: Writer::open(out, &head, asked.format),
            asked,
            inline_bytes_max: app.config().request_buffer_bytes_max as u64,
        };
        Ok((listing, etag))
    }

    fn rows(&mut self, snapshot: &Snapshot, out: &mut Vec<u8>) -> Result<()> {
        let Listing {
            walk,
            asked,
            writer,
            inline_bytes_max,
            ..
        } = self;
        let db = walk.database().clone();
        walk.rows(snapshot, &mut |row| {
            let id = row.id();
            let texts = (row.key, row.value);
            if asked.include_docs {
                let value = String::from_utf8_lossy(row.value);
                let doc = documents::of_row(&db, (&id, &value), asked, *inline_bytes_max)?;
                let mut write = |out: &mut Vec<u8>| out.extend_from_slice(&doc);
                writer.row(out, &id, texts, Some(&mut write));
            } else {
                writer.row(out, &id, texts, None);
            }
            Ok(flow(out))
        })
    }

    fn groups(&mut self, snapshot: &Snapshot, grouping: Grouping, out: &mut Vec<u8>) -> Result<()> {
        let level = match grouping {
            Grouping::All => Some(0),
            Grouping::Elements(level) => Some(level),
            Grouping::Keys => None,
        };
        let Listing { walk, writer, .. } = self;
        walk.groups(snapshot, grouping, &mut |key, value| {
            let value = value.unwrap_or_else(|failure| failed(&failure));
            writer.group(out, &wire::group_key(key, level), &value);
            flow(out)
        })?;
        Ok(())
    }
}

/// Breaks when a chunk is full.
fn flow(out: &[u8]) -> ControlFlow<()> {
    match out.len() >= SCAN_CHUNK_BYTES {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// The value of a group that has none.
fn failed(failure: &ReduceFailure) -> String {
    match failure {
        ReduceFailure::BuiltIn(error) => {
            wire::builtin_reduce_error(&error.reason, error.caused_by.as_deref())
        }
        ReduceFailure::Overflow(reason) => wire::reduce_overflow_error(reason),
        ReduceFailure::Bound(reason) => wire::reduce_limit_error(reason),
    }
}

/// Names what the answer is made of: the same tag, the same answer.
fn etag(opened: &Opened, name: &str, asked: &ViewQuery, snapshot: Option<&Snapshot>) -> Result<String> {
    let db = opened.index.database();
    let state = snapshot.map(Snapshot::state);
    let documents = match asked.include_docs {
        true => Some(db.last_seq()?),
        false => None,
    };
    // Which rows are seen may change although none does: no two answers are taken for the same.
    let only = (!opened.db.is_whole()).then(uuid::Uuid::new_v4);
    let made_of = (only, opened.design.signature, name, asked, state, documents);
    let digest: [u8; 16] = Md5::digest(format!("{made_of:?}")).into();
    Ok(format!("\"{:032x}\"", u128::from_be_bytes(digest)))
}
