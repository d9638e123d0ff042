//! Moments of databases that clients ask several questions about: named by tokens, bounded in number and age.

use crate::app::App;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use trunkline_core::db_name::DbName;
use trunkline_core::limits::SNAPSHOTS_MAX;
use trunkline_query::Indexes;
use trunkline_query::design::Design;
use trunkline_store::Database;

/// The snapshots that are kept, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(Mutex<HashMap<String, Kept>>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) db: Database,
    until: Instant,
}

impl Kept {
    /// Seconds for which it is kept still.
    pub(crate) fn seconds(&self) -> u64 {
        self.until.saturating_duration_since(Instant::now()).as_secs()
    }
}

impl Snapshots {
    /// Makes a snapshot with the indexes of these design documents; with its token. Blocks.
    pub(crate) fn make(
        &self,
        indexes: &Indexes,
        db: &Database,
        designs: Vec<Design>,
        seconds: u64,
    ) -> Result<(String, Kept)> {
        // Not under the lock, since indexes may be read for it: a few more than allowed may be made for a moment.
        self.has_room(indexes)?;
        let kept = Kept {
            db: indexes.pin(db, designs)?,
            until: Instant::now() + Duration::from_secs(seconds),
        };
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut all = self.0.lock();
        if all.len() >= SNAPSHOTS_MAX {
            drop(all);
            indexes.unpin(&kept.db);
            return Err(Error::TooManySnapshots);
        }
        all.insert(token.clone(), kept.clone());
        Ok((token, kept))
    }

    fn has_room(&self, indexes: &Indexes) -> Result<()> {
        let now = Instant::now();
        let old: Vec<Kept> = self
            .0
            .lock()
            .extract_if(|_, kept| kept.until <= now)
            .map(|(_, kept)| kept)
            .collect();
        for kept in old {
            indexes.unpin(&kept.db);
        }
        if self.0.lock().len() >= SNAPSHOTS_MAX {
            return Err(Error::TooManySnapshots);
        }
        Ok(())
    }

    /// A snapshot of a database.
    pub(crate) fn find(&self, name: &DbName, token: &str) -> Result<Kept> {
        let kept = self.0.lock().get(token).cloned();
        kept.filter(|kept| kept.db.name() == name && kept.until > Instant::now())
            .ok_or(Error::SnapshotEnded)
    }

    /// Ends one, if it is kept.
    pub(crate) fn end(&self, indexes: &Indexes, token: &str) {
        let ended = self.0.lock().remove(token);
        if let Some(kept) = ended {
            indexes.unpin(&kept.db);
        }
    }
}

/// Ends a snapshot when its time is over.
pub(crate) async fn end_in_time(app: App, token: String, kept: Kept) {
    let left = kept.until.saturating_duration_since(Instant::now());
    drop(kept);
    tokio::select! {
        () = tokio::time::sleep(left) => {}
        () = app.stopping.cancelled() => {}
    }
    app.snapshots.end(&app.views.indexes, &token);
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_store::Store;

    #[test]
    fn those_past_their_time_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let (indexes, snapshots) = (Indexes::of(&store), Snapshots::default());
        let make = |seconds| snapshots.make(&indexes, &db, Vec::new(), seconds).map(drop);
        for seconds in [0, 60] {
            for _ in 0..SNAPSHOTS_MAX {
                make(seconds).unwrap();
            }
        }
        assert!(matches!(make(60), Err(Error::TooManySnapshots)));
    }
}
