//! Which databases were created, updated or deleted, for `_db_updates`.

use crate::{DbEvent, DbUpdate};
use event_listener::{Event, EventListener};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use trunkline_core::db_name::DbName;

/// The newest event of each database, ordered by when it happened.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    rows: Mutex<Rows>,
    changed: Event,
}

#[derive(Debug, Default)]
struct Rows {
    last: u64,
    by_seq: BTreeMap<u64, (DbName, DbEvent)>,
    by_name: HashMap<DbName, u64>,
}

impl Updates {
    pub(crate) fn record(&self, name: &DbName, event: DbEvent) {
        let mut rows = self.rows.lock();
        let rows = &mut *rows;
        rows.last += 1;
        match rows.by_name.get_mut(name) {
            Some(seq) => {
                let row = rows.by_seq.remove(seq);
                *seq = rows.last;
                // Keeps the row's own name: a busy database records at every commit.
                let name = row.map_or_else(|| name.clone(), |(name, _)| name);
                rows.by_seq.insert(rows.last, (name, event));
            }
            None => {
                rows.by_name.insert(name.clone(), rows.last);
                rows.by_seq.insert(rows.last, (name.clone(), event));
            }
        }
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn since(&self, since: u64) -> (Vec<DbUpdate>, u64) {
        let rows = self.rows.lock();
        let newer = rows.by_seq.range(since.saturating_add(1)..);
        let newer = newer.map(|(&seq, (name, event))| DbUpdate {
            name: name.clone(),
            event: *event,
            seq,
        });
        (newer.collect(), rows.last)
    }

    pub(crate) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    pub(crate) fn wake(&self) {
        self.changed.notify(usize::MAX);
    }
}
