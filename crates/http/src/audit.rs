//! The audit log: who was refused what, and who changed users, design documents, replications, databases, `_security` and the
//! configuration. Events of tracing with a target of their own, so that an operator sends them where he likes. No secret is
//! ever in one.

mod refused;
mod who;

pub(crate) use refused::{beginning, is_listed};
pub(crate) use who::Who;

use crate::auth::users_db;
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Edit, InteractiveEdit, ReplicatedEdit};
use trunkline_core::limits::AUDIT_IDS_BYTES_MAX;
use trunkline_replicate::is_replicator;
use trunkline_store::{Batch, Outcome, Refused, Told, Witness};

/// The target of its events.
pub const TARGET: &str = "audit";

/// Begins the id of a design document.
const DESIGN: &str = "_design/";

/// Someone changed something that decides who may do what, or how much is kept.
pub(crate) fn changed(who: &Who, what: &str, of: &str) {
    let (user, address) = (who.user(), who.address());
    tracing::info!(target: TARGET, user, address, what, of, "changed");
}

/// Documents were removed without a trace: these, as [`listed`] has them.
pub(crate) fn purged(who: &Who, database: &str, ids: &str) {
    let (user, address) = (who.user(), who.address());
    tracing::info!(target: TARGET, user, address, what = "purged", of = database, ids, "changed");
}

/// A replication was begun or ended at somebody's request. No credentials are in what it is called, and in its ends.
pub(crate) fn replication(who: &Who, what: &str, named: &str, ends: Option<[String; 2]>) {
    let (user, address) = (who.user(), who.address());
    let [source, target] = ends.map_or([None, None], |ends| ends.map(Some));
    tracing::info!(target: TARGET, user, address, what, of = named, source, target, "changed");
}

/// Ids for the log, as many as are to be read.
pub(crate) fn listed<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for id in ids {
        let between = if out.is_empty() { "" } else { ", " };
        let room = AUDIT_IDS_BYTES_MAX.saturating_sub(out.len() + between.len());
        out.push_str(between);
        if id.len() > room {
            out.push_str(id.get(..id.floor_char_boundary(room)).unwrap_or_default());
            out.push('…');
            break;
        }
        out.push_str(id);
    }
    out
}

/// What hears of the edits that someone makes, and puts down what is to be put down of them: changes of users,
/// design documents and replications, and, if `refusals`, that some were refused.
pub(crate) fn witness(who: Who, refusals: bool) -> Witness {
    Arc::new(move |database: &DbName, batch: &Batch| -> Option<Told> {
        let edits = Edits::of(batch, kind_of_all(database), refusals)?;
        let (who, database) = (who.clone(), database.clone());
        Some(Box::new(move |outcomes: &[Outcome]| {
            edits.note(&who, &database, outcomes)
        }))
    })
}

/// What all documents of a database are, where they are noted.
fn kind_of_all(database: &DbName) -> Option<&'static str> {
    match database.as_str() {
        users_db::NAME => Some("user"),
        _ if is_replicator(database) => Some("replication"),
        _ => None,
    }
}

/// What is to be put down of edits, once it is known what became of them.
struct Edits {
    /// What was changed, its id, and its place among the edits.
    noted: Vec<(usize, &'static str, String)>,
    /// The ids of all, for those that are refused.
    ids: Option<Ids>,
}

impl Edits {
    fn of(batch: &Batch, all: Option<&'static str>, refusals: bool) -> Option<Edits> {
        let kind = |id: &str| match id.starts_with(DESIGN) {
            true => Some("design document"),
            false => all,
        };
        let ids = batch.edits.iter().map(id).enumerate();
        let noted = ids.filter_map(|(place, id)| Some((place, kind(id)?, id.to_owned())));
        let noted: Vec<_> = noted.collect();
        let ids = refusals.then(|| Ids::of(batch));
        (!noted.is_empty() || ids.is_some()).then_some(Edits { noted, ids })
    }

    fn note(self, who: &Who, database: &DbName, outcomes: &[Outcome]) {
        let (user, address, replication) = (who.user(), who.address(), who.replication());
        let database = database.as_str();
        for (place, what, id) in &self.noted {
            if outcomes.get(*place).is_some_and(Result::is_ok) {
                let of = id;
                tracing::info!(target: TARGET, user, address, replication, what, database, of, "changed");
            }
        }
        let Some(ids) = self.ids else { return };
        let reason = |(place, outcome): (usize, &Outcome)| match outcome {
            Err(Refused::Forbidden(reason) | Refused::Unauthorized(reason)) => Some((place, reason.clone())),
            _ => None,
        };
        let mut refused = outcomes.iter().enumerate().filter_map(reason);
        let Some((place, reason)) = refused.next() else {
            return;
        };
        let edits = refused.count() + 1;
        who.was_refused();
        if who.is_listed() {
            let (of, reason) = (ids.get(place).map(beginning), &*beginning(&reason));
            let of = of.as_deref();
            tracing::warn!(target: TARGET, user, address, replication, database, of, edits, reason, "refused");
        }
    }
}

/// The ids of edits, one behind the other: a batch may have many, and hardly one is refused.
#[derive(Default)]
struct Ids {
    text: String,
    ends: Vec<usize>,
}

impl Ids {
    fn of(batch: &Batch) -> Ids {
        let mut ids = Ids::default();
        ids.ends.reserve(batch.edits.len());
        for edit in &batch.edits {
            ids.text.push_str(id(edit));
            ids.ends.push(ids.text.len());
        }
        ids
    }

    fn get(&self, place: usize) -> Option<&str> {
        let before = place.checked_sub(1).and_then(|before| self.ends.get(before));
        self.text.get(*before.unwrap_or(&0)..*self.ends.get(place)?)
    }
}

fn id(edit: &Edit) -> &str {
    let (Edit::Interactive(InteractiveEdit { id, .. }) | Edit::Replicated(ReplicatedEdit { id, .. })) = edit;
    id.as_str()
}

#[cfg(test)]
pub(crate) mod tests;
