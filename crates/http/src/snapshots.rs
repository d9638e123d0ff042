//! Moments of databases that clients ask several questions about: named by tokens, bounded in number and age.

use crate::app::App;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use trunkline_core::db_name::DbName;
use trunkline_core::limits::{SNAPSHOTS_MAX, SNAPSHOTS_OF_ONE_MAX};
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
        self.has_room(indexes, db)?;
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

    fn has_room(&self, indexes: &Indexes, db: &Database) -> Result<()> {
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
        let all = self.0.lock();
        let same = |kept: &&Kept| bounded(&kept.db) == bounded(db);
        let full = all.len() >= SNAPSHOTS_MAX
            || bounded(db).is_some() && all.values().filter(same).count() >= SNAPSHOTS_OF_ONE_MAX;
        match full {
            true => Err(Error::TooManySnapshots),
            false => Ok(()),
        }
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

/// Whose share of the snapshots counts: of who administers neither server nor database, by name.
fn bounded(db: &Database) -> Option<Option<&str>> {
    let asker = db.asker().filter(|asker| asker.takes.is_some())?;
    Some(asker.user.name())
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
    use std::sync::Arc;
    use trunkline_store::{Asker, Store};
    use trunkline_wire::functions::User;

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

    #[test]
    fn no_user_has_them_all() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let whole = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let (indexes, snapshots) = (Indexes::of(&store), Snapshots::default());
        let of = |name| {
            whole.on_behalf(Arc::new(Asker {
                user: Arc::new(User::new(Some(name), [])),
                takes: Some(Arc::new(|_| Ok(()))),
                ..Asker::default()
            }))
        };
        let make = |db: &Database| snapshots.make(&indexes, db, Vec::new(), 60).map(drop);
        for _ in 0..SNAPSHOTS_OF_ONE_MAX {
            make(&of("anna")).unwrap();
        }
        assert!(matches!(make(&of("anna")), Err(Error::TooManySnapshots)));
        make(&of("ben")).unwrap();
        make(&whole).unwrap();
    }
}
