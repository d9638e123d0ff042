//! The database `_users`: what is seen of it and taken there, and how a new password gets into a document.

mod passwords;
mod rules;

pub(crate) use passwords::prepare;

use super::User;
use rules::Change;
use std::sync::Arc;
use trunkline_store::{Database, Sees, Takes};
use trunkline_wire::user_doc;

/// Its name.
pub(crate) const NAME: &str = "_users";

/// Whether a database is this one.
pub(crate) fn is(db: &Database) -> bool {
    db.name().as_str() == NAME
}

/// What somebody sees and may do here. Who administers the server or this database sees all; everyone else no more than
/// their own document. Which documents are taken at all is the same for everyone.
pub(crate) fn asker_parts(user: &Arc<User>, is_admin: bool) -> (Option<Sees>, Takes) {
    let own = user
        .name
        .as_ref()
        .map(|name| format!("{}{name}", user_doc::ID_PREFIX));
    let sees: Option<Sees> = match is_admin {
        true => None,
        false => Some(Arc::new(move |seen| own.as_deref() == Some(seen.id))),
    };
    let user = user.clone();
    let takes: Takes = Arc::new(move |candidate| {
        rules::judge(&user, is_admin, &Change::of(candidate)).map_err(rules::forbidden)
    });
    (sees, takes)
}
