//! On whose behalf a handle is used: what is seen through it, and which edits are taken from it.

use crate::{Batch, Candidate, Database, Error, Outcome, Refused, Sees};
use std::fmt;
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_wire::functions::User;

/// Says whether an edit is taken.
pub type Takes = Arc<dyn Fn(&Candidate<'_>) -> Result<(), Refused> + Send + Sync>;

/// Is shown each batch of edits of a database before it is queued, and says who is to be told what became of it.
pub type Witness = Arc<dyn Fn(&DbName, &Batch) -> Option<Told> + Send + Sync>;

/// Is told what became of a batch's edits, in their order, once they are committed and before whoever wrote them hears of
/// it. The thread that leads the commit tells it: it is to be quick.
pub type Told = Box<dyn FnOnce(&[Outcome]) + Send>;

/// On whose behalf a handle reads and writes.
#[derive(Default)]
pub struct Asker {
    /// Who, as validation functions are told.
    pub user: Arc<User>,
    /// What is not seen is not there for any read of documents, and what tells of all documents is refused
    /// ([`crate::Error::NotWhole`]); `None` sees all.
    pub sees: Option<Sees>,
    /// Named feeds, `design/name`: of documents in them tombstones are seen that `sees` does not show, as revisions without
    /// members. So who follows documents that he sees hears of their end.
    pub tombstones_of: Vec<Box<str>>,
    /// The local documents are its own, few and short: by its name, and by this text, which is short. `None` has those of
    /// everybody.
    pub own_locals: Option<Box<str>>,
    /// Asked about every edit before any guard, about those of design documents too; `None` takes all.
    ///
    /// It is asked once with the document's winner as `old`, a tombstone too, and once more with the leaf that the edit goes
    /// on from, where that is another. Where an edit comes to nothing, because it conflicts or is here already, it is
    /// asked about the winner in the edit's place: who may not write a document does not hear which revisions it has.
    /// An edit of a document whose end is not seen is judged as it comes, whichever of its revisions are here, and one of a
    /// client's begins the document anew, without its ancestors.
    pub takes: Option<Takes>,
    /// Hears of all edits, whether or not who wrote them waits to hear of them.
    pub witness: Option<Witness>,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker")
            .field("user", &self.user)
            .field("sees_all", &self.sees.is_none())
            .field("tombstones_of", &self.tombstones_of)
            .field("own_locals", &self.own_locals)
            .field("takes_all", &self.takes.is_none())
            .field("has_witness", &self.witness.is_some())
            .finish()
    }
}

impl Database {
    /// The same database, on behalf of someone.
    pub fn on_behalf(&self, asker: Arc<Asker>) -> Database {
        Database {
            asker: Some(asker),
            ..self.clone()
        }
    }

    /// On whose behalf, if it is anybody's; `None` sees and takes all.
    pub fn asker(&self) -> Option<&Arc<Asker>> {
        self.asker.as_ref()
    }

    /// Who is to be told what becomes of a batch.
    pub(crate) fn told(&self, batch: &Batch) -> Option<Told> {
        self.asker.as_ref()?.witness.as_ref()?(self.name(), batch)
    }

    /// The same database on nobody's behalf: for what is done for all who use it.
    pub fn whole(&self) -> Database {
        Database {
            asker: None,
            ..self.clone()
        }
    }
}

/// Tells who is to be told, unless nothing was committed.
pub(crate) fn tell(told: Option<Told>, outcomes: &Result<Vec<Outcome>, Error>) {
    if let (Some(told), Ok(outcomes)) = (told, outcomes) {
        told(outcomes);
    }
}
