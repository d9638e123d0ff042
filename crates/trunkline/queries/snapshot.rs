//! One moment of a database, for several questions.

use crate::{Database, Result};
use std::ops::Deref;

/// A database as it was at one moment: documents, changes and views that agree with each other, whatever is written
/// meanwhile. It is used as the [`Database`] is. What is written through it goes to the database, and is not seen here.
///
/// It ends when it is dropped, and by itself after some minutes
/// ([`SNAPSHOT_AGE_MAX_MS`](crate::core::limits::SNAPSHOT_AGE_MAX_MS)), since it keeps the files of the database from
/// using again what has been replaced. Questions fail then.
#[derive(Debug)]
pub struct Snapshot {
    database: Database,
}

impl Database {
    /// This moment, with all views. Brings every index up to date first: where some views are enough, see
    /// [`Database::snapshot_of`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        let ids = self.index_files().designs(self.engine())?;
        // One that cannot be read answers nothing.
        self.pin(ids, true)
    }

    /// This moment, with the views of these design documents, and no others.
    pub fn snapshot_of(&self, designs: &[&str]) -> Result<Snapshot> {
        self.pin(designs.iter().map(|name| format!("_design/{name}")), false)
    }

    fn pin(&self, ids: impl IntoIterator<Item = String>, leave_out: bool) -> Result<Snapshot> {
        let mut designs = Vec::new();
        for id in ids {
            let opened = self.index_files().open(self.engine(), &id);
            let updated = opened.and_then(|opened| opened.update().map(|()| opened.design));
            match updated {
                Ok(design) => designs.push(design),
                Err(_) if leave_out => {}
                Err(error) => return Err(error.into()),
            }
        }
        let pinned = self.index_files().pin(self.engine(), designs)?;
        Ok(Snapshot {
            database: self.of_engine(pinned),
        })
    }
}

impl Deref for Snapshot {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let database = &self.database;
        database.index_files().unpin(database.engine());
    }
}
