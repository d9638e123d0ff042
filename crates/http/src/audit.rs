//! The audit log: who was refused what, and who changed users, `_security` and the configuration. Events of tracing with
//! a target of their own, so that an operator sends them where he likes. No secret is ever in one.

use crate::auth::User;
use trunkline_core::doc::{Edit, InteractiveEdit, ReplicatedEdit};
use trunkline_store::{Batch, Database, Outcome, Refused};

/// The target of its events.
pub const TARGET: &str = "audit";

/// Documents of this database decide who is who.
const USERS: &str = "_users";

/// Someone changed something that decides who may do what.
pub(crate) fn changed(user: &User, what: &str, of: &str) {
    tracing::info!(target: TARGET, user = user.name.as_deref(), what, of, "changed");
}

/// What is to be put down of edits, once it is known what became of them.
pub(crate) struct Edits {
    database: String,
    user: Option<String>,
    /// Of the documents of users, in order.
    ids: Vec<String>,
}

impl Edits {
    pub(crate) fn of(database: &Database, batch: &Batch) -> Option<Edits> {
        let name = database.name().as_str();
        let asker = database.asker();
        if name != USERS && asker.is_none_or(|asker| asker.takes.is_none()) {
            return None;
        }
        let ids = batch.edits.iter().filter(|_| name == USERS);
        Some(Edits {
            database: name.to_owned(),
            user: asker.and_then(|asker| asker.user.name()).map(str::to_owned),
            ids: ids.map(id).collect(),
        })
    }

    pub(crate) fn note(&self, outcomes: &[Outcome]) {
        for (id, _) in self
            .ids
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
        {
            tracing::info!(target: TARGET, user = self.user.as_deref(), what = "user", of = id, "changed");
        }
        let reason = |outcome: &Outcome| match outcome {
            Err(Refused::Forbidden(reason) | Refused::Unauthorized(reason)) => Some(reason.clone()),
            _ => None,
        };
        let mut refused = outcomes.iter().filter_map(reason);
        if let Some(reason) = refused.next() {
            let (edits, database) = (refused.count() + 1, &self.database);
            tracing::warn!(target: TARGET, user = self.user.as_deref(), database, edits, reason, "refused");
        }
    }
}

fn id(edit: &Edit) -> String {
    let (Edit::Interactive(InteractiveEdit { id, .. }) | Edit::Replicated(ReplicatedEdit { id, .. })) = edit;
    id.as_str().to_owned()
}
