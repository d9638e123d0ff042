//! The audit log: who was refused what, and who changed users, design documents, databases, `_security` and the
//! configuration. Events of tracing with a target of their own, so that an operator sends them where he likes. No secret is
//! ever in one.

mod refused;

pub(crate) use refused::{beginning, is_listed};

use crate::auth::{User, users_db};
use trunkline_core::doc::{Edit, InteractiveEdit, ReplicatedEdit};
use trunkline_store::{Batch, Database, Outcome, Refused};

/// The target of its events.
pub const TARGET: &str = "audit";

/// Begins the id of a design document.
const DESIGN: &str = "_design/";

/// Someone changed something that decides who may do what.
pub(crate) fn changed(user: &User, what: &str, of: &str) {
    tracing::info!(target: TARGET, user = user.name.as_deref(), what, of, "changed");
}

/// What is to be put down of edits, once it is known what became of them.
pub(crate) struct Edits {
    database: String,
    user: Option<String>,
    /// Of documents of users and design documents, with their places among the edits.
    ids: Vec<(usize, String)>,
}

impl Edits {
    pub(crate) fn of(database: &Database, batch: &Batch) -> Option<Edits> {
        let name = database.name().as_str();
        let asker = database.asker();
        let ids = batch.edits.iter().map(id).enumerate();
        let ids = ids.filter(|(_, id)| name == users_db::NAME || id.starts_with(DESIGN));
        let ids: Vec<_> = ids.map(|(place, id)| (place, id.to_owned())).collect();
        if ids.is_empty() && asker.is_none_or(|asker| asker.takes.is_none()) {
            return None;
        }
        Some(Edits {
            database: name.to_owned(),
            user: asker.and_then(|asker| asker.user.name()).map(str::to_owned),
            ids,
        })
    }

    pub(crate) fn note(&self, outcomes: &[Outcome]) {
        let (user, database) = (self.user.as_deref(), &self.database);
        let is_done = |place: usize| outcomes.get(place).is_some_and(Result::is_ok);
        for (_, id) in self.ids.iter().filter(|(place, _)| is_done(*place)) {
            let what = match id.starts_with(DESIGN) {
                true => "design document",
                false => "user",
            };
            tracing::info!(target: TARGET, user, what, database, of = id, "changed");
        }
        let reason = |outcome: &Outcome| match outcome {
            Err(Refused::Forbidden(reason) | Refused::Unauthorized(reason)) => Some(reason.clone()),
            _ => None,
        };
        let mut refused = outcomes.iter().filter_map(reason);
        if let Some(reason) = refused.next().filter(|_| is_listed(user, None)) {
            let reason = &*beginning(&reason);
            let edits = refused.count() + 1;
            tracing::warn!(target: TARGET, user, database, edits, reason, "refused");
        }
    }
}

fn id(edit: &Edit) -> &str {
    let (Edit::Interactive(InteractiveEdit { id, .. }) | Edit::Replicated(ReplicatedEdit { id, .. })) = edit;
    id.as_str()
}

#[cfg(test)]
mod tests;
