//! The same database under tokio: no call blocks the runtime.

use crate::database::{all_written, first_rev};
use crate::doc::{Doc, creation, deletion};
use crate::{AsyncChanges, Database, Edits, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use trunkline_core::Seq;
use trunkline_core::doc::Edit;
use trunkline_core::rev::Rev;
use trunkline_store::{self as engine, Outcome, Written};

/// A database for use under tokio. Writes wait in the database's queue without a thread each; reads run on tokio's
/// blocking threads. Dropping a future of a write does not take the write back.
#[derive(Clone, Debug)]
pub struct AsyncDatabase {
    database: Database,
}

impl From<Database> for AsyncDatabase {
    fn from(database: Database) -> AsyncDatabase {
        AsyncDatabase { database }
    }
}

impl AsyncDatabase {
    /// As [`Database::relaxed`].
    pub fn relaxed(&self) -> AsyncDatabase {
        AsyncDatabase::from(self.database.relaxed())
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// As [`Database::put`].
    pub async fn put<T: Serialize + ?Sized>(&self, id: &str, value: &T) -> Result<Rev> {
        self.write_one(Edit::Interactive(creation(id, value)?)).await
    }

    /// As [`Database::save`].
    pub async fn save<T: Serialize>(&self, doc: &mut Doc<T>) -> Result<()> {
        doc.rev = self.write_one(Edit::Interactive(doc.edit()?)).await?;
        Ok(())
    }

    /// As [`Database::delete`].
    pub async fn delete(&self, id: &str, rev: &Rev) -> Result<Rev> {
        self.write_one(Edit::Interactive(deletion(id, rev)?)).await
    }

    /// As [`Database::write`].
    pub async fn write(&self, edits: Edits) -> Result<Vec<Outcome>> {
        self.submit(edits, false).await
    }

    /// As [`Database::write_all`].
    pub async fn write_all(&self, edits: Edits) -> Result<Vec<Written>> {
        let ids = edits.ids();
        all_written(&ids, self.submit(edits, true).await?)
    }

    /// As [`Database::get`].
    pub async fn get<T>(&self, id: &str) -> Result<Option<Doc<T>>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let id = id.to_owned();
        self.blocking(move |database| database.get(&id)).await
    }

    /// Every change after `since`, and then each one as it comes.
    pub fn changes(&self, since: Seq) -> AsyncChanges {
        AsyncChanges::new(self.database.engine().clone(), since)
    }

    /// Runs any other call of [`Database`] on a thread that may block. What iterates is for [`AsyncDatabase::stream`].
    pub async fn blocking<R, F>(&self, call: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnOnce(&Database) -> Result<R> + Send + 'static,
    {
        let database = self.database.clone();
        blocking(move || call(&database)).await
    }

    async fn write_one(&self, edit: Edit) -> Result<Rev> {
        let mut edits = Edits::new();
        edits.push(edit);
        first_rev(self.write_all(edits).await?)
    }

    async fn submit(&self, edits: Edits, atomic: bool) -> Result<Vec<Outcome>> {
        let (tell, told) = oneshot::channel();
        let batch = self.database.batch(edits, atomic);
        let leader = self.database.engine().submit(batch, move |outcomes| {
            // Nobody listens any more when the future was dropped; the write stands.
            let _ = tell.send(outcomes);
        });
        if let Some(leader) = leader {
            spawn_blocking(move || leader.run());
        }
        Ok(told.await.unwrap_or(Err(engine::Error::Closed))?)
    }
}

/// Runs a call on a thread that may block. A panic in it goes on here; a runtime that ends answers as a closed store.
pub(crate) async fn blocking<R, F>(call: F) -> Result<R>
where
    R: Send + 'static,
    F: FnOnce() -> Result<R> + Send + 'static,
{
    match spawn_blocking(call).await {
        Ok(answer) => answer,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Store(engine::Error::Closed)),
        },
    }
}
