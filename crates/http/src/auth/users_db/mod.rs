//! The database `_users`: what is seen of it and taken there, and how a new password gets into a document.

mod passwords;

pub(crate) use passwords::rule;
mod rules;

pub(crate) use passwords::{count, prepare};

use super::User;
use crate::config::Config;
use crate::error::Result;
use rules::Change;
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit};
use trunkline_core::rev::Rev;
use trunkline_store::{Database, Leaf, Refused, Seen, Sees, Store, Takes};
use trunkline_wire::user_doc;

/// Its name.
pub(crate) const NAME: &str = "_users";

/// Makes it where there are administrators, who find it there from the start as in CouchDB: a replication of users needs it
/// before anybody has asked for it. Blocks.
pub(crate) fn make(store: &Store, config: &Config) -> std::result::Result<(), trunkline_store::Error> {
    if config.admins.is_empty() {
        return Ok(());
    }
    let Ok(name) = DbName::parse(NAME) else {
        return Ok(());
    };
    match store.create(&name) {
        Err(trunkline_store::Error::DatabaseExists(_)) => Ok(()),
        made => made.map(|_| ()),
    }
}

/// Whether a database is this one.
pub(crate) fn is(db: &Database) -> bool {
    db.name().as_str() == NAME
}

/// What somebody sees and may do here. Who administers the server or this database sees all; everyone else no more than
/// their own document. Which documents are taken at all is the same for everyone, but for the rounds of a password.
pub(crate) fn asker_parts(user: &Arc<User>, is_admin: bool, iterations_max: u32) -> (Option<Sees>, Takes) {
    let own = user
        .of_password()
        .map(|name| format!("{}{name}", user_doc::ID_PREFIX));
    let sees: Option<Sees> = match is_admin {
        true => None,
        false => Some(Arc::new(move |seen| own.as_deref() == Some(seen.id))),
    };
    let user = user.clone();
    let takes: Takes = Arc::new(move |candidate| {
        rules::judge(&user, is_admin, &Change::of(candidate, iterations_max)).map_err(rules::forbidden)
    });
    (sees, takes)
}

/// Which of some edits are of documents that who is bound to the own one never changes; `None` where all may be tried. They
/// are refused before anything is looked up: whether a revision is there would tell whether a user is.
pub(crate) fn others(db: &Database, edits: &[Edit]) -> Option<Vec<bool>> {
    let asker = db.asker().filter(|_| is(db) && !db.is_whole())?;
    let (sees, rev) = (asker.sees.as_ref()?, Rev::parse("1-0").ok()?);
    // The own document is the one that is seen, whatever is in it.
    let is_other = |edit: &Edit| {
        let (Edit::Interactive(InteractiveEdit { id, .. }) | Edit::Replicated(ReplicatedEdit { id, .. })) =
            edit;
        !sees(&Seen {
            id: id.as_str(),
            rev: &rev,
            deleted: false,
            body: "{}",
            attachments: &[],
        })
    };
    let others: Vec<_> = edits.iter().map(is_other).collect();
    others.contains(&true).then_some(others)
}

/// What is said of them.
pub(crate) fn not_yours() -> Refused {
    rules::forbidden(rules::NOT_YOURS)
}

/// What the settings let everyone see of a user's document that `db` does not show; `None` when that is nothing.
pub(crate) fn public_part(db: &Database, id: &str, config: &Config) -> Result<Option<Leaf>> {
    let fields = &config.authentication.passwords.public_fields;
    if fields.is_empty() || !is(db) || db.is_whole() || !id.starts_with(user_doc::ID_PREFIX) {
        return Ok(None);
    }
    let Some(leaf) = db.whole().get(id, None)?.filter(|leaf| !leaf.deleted) else {
        return Ok(None);
    };
    let part = user_doc::public(leaf.body.as_str(), fields).and_then(|text| Body::parse(&text).ok());
    Ok(part.map(|body| Leaf {
        body,
        attachments: Vec::new(),
        ..leaf
    }))
}
