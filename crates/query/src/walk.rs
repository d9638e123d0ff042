//! Going through what was asked of a view, chunk by chunk: nothing is held between two of them.

use crate::Error;
use crate::design::View;
use crate::index::{Grouping, Row, Snapshot, whole};
use crate::patience::Patience;
use crate::reducers::ReduceFailure;
use crate::view::{Keys, Places};
use crate::view_index::ViewIndex;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_core::collate::Collation;
use trunkline_core::limits::REDUCE_CHUNK_MS;
use trunkline_store::Database;

/// Rows or groups of a view that are still to be shown.
#[derive(Debug)]
pub struct Walk {
    /// As the one sees it who asks.
    db: Database,
    index: Arc<ViewIndex>,
    view: View,
    order: Collation,
    ranges: Ranges,
    /// What is left of the range that is being read.
    current: Option<Places>,
    done: bool,
    skip: u64,
    limit: u64,
    /// Of reduce functions, over all of the answer.
    patience: Arc<Patience>,
    begun: bool,
}

/// Is shown each group: the key of one of its rows, and what it comes to; JSON texts.
type EachGroup<'a> = dyn FnMut(&str, Result<String, ReduceFailure>) -> ControlFlow<()> + 'a;

/// Documents that are looked up before somebody looks whether anyone still waits.
const LOOK_UPS_MAX: usize = 1024;

/// Whether a row of a document may be shown: it is there and seen, and has not changed since the index was brought up to
/// date, or else the row might tell what it was when it was not seen.
fn is_seen(db: &Database, snapshot: &Snapshot, id: &str) -> Result<bool, Error> {
    let leaf = db.get(id, None)?;
    Ok(leaf.is_some_and(|leaf| !leaf.deleted && leaf.seq <= snapshot.state().seq))
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

impl Walk {
    /// Through a range, or through the rows of each of some keys in their order; without the first so many, and without
    /// those behind so many. Shows rows of documents that `db` sees; the index is of the whole database.
    pub fn new(
        db: &Database,
        index: Arc<ViewIndex>,
        view: View,
        range: Keys,
        mut keys: Option<Vec<String>>,
        (skip, limit): (u64, u64),
    ) -> Walk {
        if let Some(keys) = &mut keys {
            keys.reverse();
        }
        Walk {
            db: db.clone(),
            order: index.collation(view.number),
            index,
            view,
            ranges: Ranges {
                keys,
                one: Some(range),
            },
            current: None,
            done: false,
            skip,
            limit,
            patience: Arc::default(),
            begun: false,
        }
    }

    /// Whether all is shown.
    pub fn is_done(&self) -> bool {
        self.limit == 0 || self.done
    }

    /// The index that it goes through.
    pub fn index(&self) -> &Arc<ViewIndex> {
        &self.index
    }

    /// What the next chunk is read from; `None` where the index was never built. One that was there when the walk began,
    /// and is not any more, is an error.
    pub fn snapshot(&mut self) -> Result<Option<Arc<Snapshot>>, Error> {
        let snapshot = self.index.snapshot()?;
        if snapshot.is_none() && self.begun {
            return Err(Error::Outdated);
        }
        self.begun = true;
        Ok(snapshot)
    }

    /// The database, as the one sees it who asks.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// How many rows the view has, and how many are in front of the first to be shown; asked before any is. Not told to one
    /// who does not see all documents.
    pub fn counts(&self, snapshot: &Snapshot) -> Result<Option<(u64, u64)>, Error> {
        if !self.db.is_whole() {
            return Ok(None);
        }
        let all = whole(self.view.number);
        let total = snapshot.count(&all)?;
        let mut ranges = self.ranges.clone();
        let by_key = ranges.keys.is_some();
        let mut before = 0;
        while let Some(keys) = ranges.next() {
            let places = self.places(&keys)?;
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
        Ok(Some((total, before.saturating_add(self.skip).min(total))))
    }

    /// How many rows there are to be shown. Refused to one who does not see all documents.
    pub fn count(&self, snapshot: &Snapshot) -> Result<u64, Error> {
        if !self.db.is_whole() {
            return Err(trunkline_store::Error::NotWhole.into());
        }
        let mut ranges = self.ranges.clone();
        let mut count = 0;
        while let Some(keys) = ranges.next() {
            count += snapshot.count(&self.places(&keys)?.range)?;
        }
        Ok(count.saturating_sub(self.skip).min(self.limit))
    }

    /// Shows rows until `each` breaks, all are shown, or many were passed over that are not seen.
    pub fn rows<E: From<Error>>(
        &mut self,
        snapshot: &Snapshot,
        each: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        if !self.db.is_whole() {
            return self.rows_seen(snapshot, each);
        }
        while let Some(mut places) = self.next()? {
            let (mut last, mut failed) = (None, None);
            let limit = &mut self.limit;
            let skipped = self.index.rows(snapshot, &places, self.skip, &mut |row| {
                if *limit == 0 {
                    return ControlFlow::Break(());
                }
                *limit -= 1;
                match each(row) {
                    Ok(ControlFlow::Continue(())) if *limit > 0 => ControlFlow::Continue(()),
                    Ok(_) => {
                        last = Some(row.place.to_vec());
                        ControlFlow::Break(())
                    }
                    Err(error) => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
                }
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

    /// The same, of documents that are seen: each is looked up.
    fn rows_seen<E: From<Error>>(
        &mut self,
        snapshot: &Snapshot,
        each: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut looked_up = 0;
        while let Some(mut places) = self.next()? {
            let mut stopped = None;
            let (db, skip, limit) = (&self.db, &mut self.skip, &mut self.limit);
            self.index.rows(snapshot, &places, 0, &mut |row| {
                looked_up += 1;
                let shown = is_seen(db, snapshot, &row.id()).map_err(E::from);
                let flow = shown.and_then(|is_seen| match is_seen {
                    true if *skip == 0 => {
                        *limit -= 1;
                        each(row)
                    }
                    is_seen => {
                        *skip -= u64::from(is_seen);
                        Ok(ControlFlow::Continue(()))
                    }
                });
                match flow {
                    Ok(ControlFlow::Continue(())) if *limit > 0 && looked_up < LOOK_UPS_MAX => {
                        ControlFlow::Continue(())
                    }
                    flow => {
                        stopped = Some(flow.map(|_| row.place.to_vec()));
                        ControlFlow::Break(())
                    }
                }
            })?;
            if let Some(last) = stopped.transpose()? {
                places.go_on_behind(&last);
                self.current = Some(places);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Shows groups until `each` breaks, all are shown, or it takes long. [`Error::ReducesAll`] for one who does not see all
    /// documents.
    pub fn groups(
        &mut self,
        snapshot: &Snapshot,
        grouping: Grouping,
        each: &mut EachGroup<'_>,
    ) -> Result<(), Error> {
        if !self.db.is_whole() {
            return Err(Error::ReducesAll);
        }
        let mut reducing = self.index.reducing(&self.patience);
        let (begun, most) = (Instant::now(), Duration::from_millis(REDUCE_CHUNK_MS));
        let reduce = self.view.reduce.unwrap_or_default();
        while let Some(mut places) = self.next()? {
            let mut last = None;
            let (skip, limit) = (&mut self.skip, &mut self.limit);
            reducing.groups(snapshot, &places, grouping, reduce, &mut |key, value| {
                if *skip > 0 {
                    *skip -= 1;
                    return Ok(ControlFlow::Continue(()));
                }
                let key = String::from_utf8_lossy(key);
                *limit -= 1;
                if each(&key, value).is_break() || *limit == 0 || begun.elapsed() >= most {
                    last = Some(key.into_owned());
                    return Ok(ControlFlow::Break(()));
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if let Some(last) = last {
                let gone_on = places.go_on_behind_group(&last, grouping, self.order);
                gone_on.map_err(|_| Error::Key)?;
                self.current = Some(places);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is to be read next.
    fn next(&mut self) -> Result<Option<Places>, Error> {
        if self.is_done() {
            return Ok(None);
        }
        if let Some(places) = self.current.take() {
            return Ok(Some(places));
        }
        let keys = self.ranges.next();
        self.done = keys.is_none();
        keys.map(|keys| self.places(&keys)).transpose()
    }

    fn places(&self, keys: &Keys) -> Result<Places, Error> {
        keys.places(self.view.number, self.order).map_err(|_| Error::Key)
    }
}
