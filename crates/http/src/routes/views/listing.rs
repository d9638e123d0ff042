//! One listing of a view, rendered chunk by chunk on threads that may block; nothing is held between two chunks.

use super::documents;
use crate::app::App;
use crate::error::{Error, Result};
use crate::request::view_query::ViewQuery;
use crate::routes::listed::Listed;
use crate::views::Opened;
use md5::{Digest, Md5};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_core::collate::Collation;
use trunkline_core::limits::{REDUCE_CHUNK_MS, SCAN_CHUNK_BYTES};
use trunkline_query::design::View;
use trunkline_query::index::{Grouping, Row, Snapshot, whole};
use trunkline_query::view::{Keys, Places};
use trunkline_query::{Patience, ReduceFailure, ViewIndex};
use trunkline_wire::format::Format;
use trunkline_wire::seq;
use trunkline_wire::view::{self as wire, Head, Writer};

pub(super) struct Listing {
    index: Arc<ViewIndex>,
    view: View,
    order: Collation,
    grouping: Option<Grouping>,
    ranges: Ranges,
    /// What is left of the range that is being read.
    current: Option<Places>,
    done: bool,
    skip: u64,
    limit: u64,
    asked: ViewQuery,
    writer: Writer,
    patience: Arc<Patience>,
    inline_bytes_max: u64,
}

/// The ranges that are still to be read.
#[derive(Clone, Debug)]
struct Ranges {
    /// One, or one for each key: the next one last.
    keys: Option<Vec<String>>,
    one: Option<Keys>,
}

impl Ranges {
    fn next(&mut self) -> Option<Keys> {
        let Some(keys) = &mut self.keys else {
            return self.one.take();
        };
        let key = keys.pop()?;
        Some(Keys {
            start: Some(key.clone()),
            end: Some(key),
            ..self.one.clone().unwrap_or_default()
        })
    }
}

impl Listed for Listing {
    fn is_done(&self) -> bool {
        self.limit == 0 || self.done
    }

    fn format(&self) -> Format {
        self.asked.format
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let Some(snapshot) = self.index.snapshot()? else {
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
        if asked.keys.is_none() && asked.range.is_reversed(order) {
            let other = !asked.range.descending;
            return Err(Error::QueryParse(format!(
                "No rows can match your key range, reverse your start_key and end_key or set descending={other}"
            )));
        }
        let snapshot = index.snapshot()?;
        let etag = etag(opened, name, &asked, snapshot.as_deref())?;
        let mut keys = asked.keys.take();
        if let Some(keys) = &mut keys {
            keys.reverse();
        }
        let ranges = Ranges {
            keys,
            one: Some(asked.range.clone()),
        };
        let mut head = Head {
            docs: asked.include_docs,
            ..Head::default()
        };
        if grouping.is_none() {
            head.counts = Some(counts(
                snapshot.as_deref(),
                view,
                order,
                ranges.clone(),
                asked.skip,
            )?);
        }
        if asked.update_seq {
            let at = snapshot.as_ref().map_or(0, |snapshot| snapshot.state().seq);
            let uuid = index.database().info()?.uuid;
            head.update_seq = Some(seq::json(at, seq::suffix(&uuid)));
        }
        let listing = Listing {
            view,
            order,
            grouping,
            ranges,
            current: None,
            done: snapshot.is_none(),
            skip: asked.skip,
            limit: asked.limit.unwrap_or(u64::MAX),
            writer: Writer::open(out, &head, asked.format),
            asked,
            patience: Arc::default(),
            inline_bytes_max: app.config.request_buffer_bytes_max as u64,
            index,
        };
        Ok((listing, etag))
    }

    /// What is to be read next.
    fn next(&mut self) -> Result<Option<Places>> {
        if let Some(places) = self.current.take() {
            return Ok(Some(places));
        }
        let keys = self.ranges.next();
        let places = keys.map(|keys| keys.places(self.view.number, self.order));
        self.done = places.is_none();
        places.transpose().map_err(|_| crate::body::INVALID_JSON)
    }

    fn rows(&mut self, snapshot: &Snapshot, out: &mut Vec<u8>) -> Result<()> {
        let index = self.index.clone();
        while let Some(mut places) = self.next()? {
            let (mut last, mut failed) = (None, None);
            let skip = self.skip;
            let skipped = index.rows(snapshot, &places, skip, &mut |row| {
                if let Err(error) = self.row(&row, out) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                self.limit -= 1;
                if self.limit == 0 || out.len() >= SCAN_CHUNK_BYTES {
                    last = Some(row.place.to_vec());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })?;
            self.skip -= skipped;
            if let Some(error) = failed {
                return Err(error);
            }
            if let Some(last) = last {
                places.go_on_behind(&last);
                self.current = Some(places);
                return Ok(());
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<()> {
        let id = row.id();
        let texts = (row.key, row.value);
        if !self.asked.include_docs {
            self.writer.row(out, &id, texts, None);
            return Ok(());
        }
        let value = String::from_utf8_lossy(row.value);
        let db = self.index.database();
        let doc = documents::of_row(db, (&id, &value), &self.asked, self.inline_bytes_max)?;
        self.writer
            .row(out, &id, texts, Some(&mut |out| out.extend_from_slice(&doc)));
        Ok(())
    }

    fn groups(&mut self, snapshot: &Snapshot, grouping: Grouping, out: &mut Vec<u8>) -> Result<()> {
        let mut reducing = self.index.reducing(&self.patience);
        let begun = Instant::now();
        let chunk_time = Duration::from_millis(REDUCE_CHUNK_MS);
        let reduce = self.view.reduce.unwrap_or_default();
        let level = match grouping {
            Grouping::All => Some(0),
            Grouping::Elements(level) => Some(level),
            Grouping::Keys => None,
        };
        while let Some(mut places) = self.next()? {
            let mut last = None;
            reducing.groups(snapshot, &places, grouping, reduce, &mut |key, value| {
                if self.skip > 0 {
                    self.skip -= 1;
                    return Ok(ControlFlow::Continue(()));
                }
                let key = String::from_utf8_lossy(key);
                let value = value.unwrap_or_else(|failure| failed(&failure));
                self.writer.group(out, &wire::group_key(&key, level), &value);
                self.limit -= 1;
                if self.limit == 0 || out.len() >= SCAN_CHUNK_BYTES || begun.elapsed() >= chunk_time {
                    last = Some(key.into_owned());
                    return Ok(ControlFlow::Break(()));
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if let Some(last) = last {
                let gone_on = places.go_on_behind_group(&last, grouping, self.order);
                gone_on.map_err(|error| Error::Internal(error.to_string()))?;
                self.current = Some(places);
                return Ok(());
            }
        }
        Ok(())
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

/// `total_rows` and `offset`.
fn counts(
    snapshot: Option<&Snapshot>,
    view: View,
    order: Collation,
    mut ranges: Ranges,
    skip: u64,
) -> Result<(u64, u64)> {
    let Some(snapshot) = snapshot else {
        return Ok((0, 0));
    };
    let all = whole(view.number);
    let total = snapshot.count(&all)?;
    let by_key = ranges.keys.is_some();
    let mut before = 0;
    while let Some(keys) = ranges.next() {
        let places = keys
            .places(view.number, order)
            .map_err(|_| crate::body::INVALID_JSON)?;
        // Of several keys, the first that has rows.
        if by_key && snapshot.count(&places.range)? == 0 {
            continue;
        }
        let Range { start, end } = places.range;
        before = snapshot.count(&match places.descending {
            true => end..all.end.clone(),
            false => all.start.clone()..start,
        })?;
        break;
    }
    Ok((total, before.saturating_add(skip).min(total)))
}

/// Names what the answer is made of: the same tag, the same answer.
fn etag(opened: &Opened, name: &str, asked: &ViewQuery, snapshot: Option<&Snapshot>) -> Result<String> {
    let db = opened.index.database();
    let state = snapshot.map(Snapshot::state);
    let documents = match asked.include_docs {
        true => Some(db.last_seq()?),
        false => None,
    };
    let made_of = (opened.design.signature, name, asked, state, documents);
    let digest: [u8; 16] = Md5::digest(format!("{made_of:?}")).into();
    Ok(format!("\"{:032x}\"", u128::from_be_bytes(digest)))
}
