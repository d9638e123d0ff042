//! Moments of databases that clients ask several questions about: named by tokens, bounded in number and age.

use crate::app::App;
use crate::auth::User;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use trunkline_core::db_name::DbName;
use trunkline_core::limits::{SNAPSHOTS_MAX, SNAPSHOTS_OF_ONE_MAX, SNAPSHOTS_OF_USERS_MAX};
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
    whose: Whose,
    until: Instant,
}

/// Whose share of the snapshots it counts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Who administers the server.
    ServerAdmin,
    /// Of everyone else, by name; those without one have a share together.
    User(Option<String>),
}

impl Whose {
    pub(crate) fn of(user: &User) -> Whose {
        match user.is_admin() {
            true => Whose::ServerAdmin,
            false => Whose::User(user.name.clone()),
        }
    }
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
        (whose, seconds): (Whose, u64),
    ) -> Result<(String, Kept)> {
        self.drop_ended(indexes);
        has_room(&self.0.lock(), &whose)?;
        // Not under the lock, since indexes may be read for it.
        let kept = Kept {
            db: indexes.pin(db, designs)?,
            whose,
            until: Instant::now() + Duration::from_secs(seconds),
        };
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut all = self.0.lock();
        if let Err(error) = has_room(&all, &kept.whose) {
            drop(all);
            indexes.unpin(&kept.db);
            return Err(error);
        }
        all.insert(token.clone(), kept.clone());
        Ok((token, kept))
    }

    fn drop_ended(&self, indexes: &Indexes) {
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

fn has_room(all: &HashMap<String, Kept>, whose: &Whose) -> Result<()> {
    let count = |is: &dyn Fn(&Whose) -> bool| all.values().filter(|kept| is(&kept.whose)).count();
    let is_users = |whose: &Whose| matches!(whose, Whose::User(_));
    let is_full = all.len() >= SNAPSHOTS_MAX
        || is_users(whose)
            && (count(&is_users) >= SNAPSHOTS_OF_USERS_MAX
                || count(&|other| other == whose) >= SNAPSHOTS_OF_ONE_MAX);
    match is_full {
        true => Err(Error::TooManySnapshots),
        false => Ok(()),
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
        let make = |seconds| {
            let made = snapshots.make(&indexes, &db, Vec::new(), (Whose::ServerAdmin, seconds));
            made.map(drop)
        };
        for seconds in [0, 60] {
            for _ in 0..SNAPSHOTS_MAX {
                make(seconds).unwrap();
            }
        }
        assert!(matches!(make(60), Err(Error::TooManySnapshots)));
    }

    #[test]
    fn no_user_has_them_all_and_no_users_have() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let (indexes, snapshots) = (Indexes::of(&store), Snapshots::default());
        let make = |whose| snapshots.make(&indexes, &db, Vec::new(), (whose, 60)).map(drop);
        let of = |name: &str| make(Whose::User(Some(name.to_owned())));
        for _ in 0..SNAPSHOTS_OF_ONE_MAX {
            of("anna").unwrap();
        }
        assert!(matches!(of("anna"), Err(Error::TooManySnapshots)));
        for one in SNAPSHOTS_OF_ONE_MAX..SNAPSHOTS_OF_USERS_MAX {
            of(&format!("user {one}")).unwrap();
        }
        assert!(matches!(of("ben"), Err(Error::TooManySnapshots)));
        for _ in SNAPSHOTS_OF_USERS_MAX..SNAPSHOTS_MAX {
            make(Whose::ServerAdmin).unwrap();
        }
        assert!(matches!(make(Whose::ServerAdmin), Err(Error::TooManySnapshots)));
    }
}
