//! Which documents of `_users` are taken: what CouchDB's `_design/_auth` says, in its words.

use crate::auth::User;
use trunkline_store::{Candidate, Refused};
use trunkline_wire::user_doc::{self, UserDoc};

/// A document as it would be, and as it is.
pub(super) struct Change<'a> {
    pub(super) id: &'a str,
    pub(super) deleted: bool,
    pub(super) body: &'a str,
    /// The body of the live leaf that it follows.
    pub(super) old: Option<&'a str>,
    /// Whether it goes on from that leaf, where there is one.
    pub(super) follows: bool,
    /// Rounds that who is no administrator may give the own password.
    pub(super) iterations_max: u32,
}

impl<'a> Change<'a> {
    pub(super) fn of(candidate: &Candidate<'a>, iterations_max: u32) -> Change<'a> {
        let old = candidate.old.filter(|old| !old.deleted);
        Change {
            id: candidate.id,
            deleted: candidate.deleted,
            body: candidate.body,
            old: old.map(|old| old.body.as_str()),
            follows: old.is_none_or(|old| candidate.path.revs().any(|rev| rev == old.rev)),
            iterations_max,
        }
    }
}

pub(super) fn forbidden(reason: &'static str) -> Refused {
    Refused::Forbidden(reason.to_owned())
}

pub(super) const NOT_YOURS: &str = "You may only update your own user document.";

/// Whether a document is that of somebody, who has shown its password.
pub(super) fn is_own(user: &User, id: &str) -> bool {
    let own = id.strip_prefix(user_doc::ID_PREFIX);
    own.is_some() && own == user.of_password()
}

/// Why a change is refused. What is wrong with a document is said to administrators, too.
pub(super) fn judge(user: &User, is_admin: bool, change: &Change<'_>) -> Result<(), &'static str> {
    if change.id.starts_with("_design/") {
        return if is_admin {
            Ok(())
        } else {
            Err("You are not a db or server admin.")
        };
    }
    let old = change.old.and_then(user_doc::read);
    let is_own = is_own(user, change.id);
    if change.deleted {
        return if is_admin || is_own {
            Ok(())
        } else {
            Err("Only admins may delete other user docs.")
        };
    }
    // The same whatever is there: nobody learns so which users there are.
    if !is_admin && !is_own && user.name.is_some() {
        return Err(NOT_YOURS);
    }
    let doc = user_doc::read(change.body).ok_or("doc.type must be user")?;
    let roles = check(change.id, &doc)?;
    if let Some(old) = &old
        && old.name != doc.name
    {
        return Err("Usernames can not be changed.");
    }
    if !is_admin {
        // What is changed in one leaf would stay in the other.
        if !change.follows {
            return Err("Only _admin may make a conflict of a user document.");
        }
        may_change(is_own, old.as_ref(), roles)?;
        let rounds = |doc: &UserDoc| doc.iterations.unwrap_or(0);
        let former = old.as_ref().map_or(0, rounds);
        // Whoever tries to log in makes the server do them.
        if rounds(&doc) > former.max(u64::from(change.iterations_max)) {
            return Err("Only _admin may set more iterations than the settings.");
        }
    }
    if roles.iter().any(|role| role.starts_with('_')) {
        return Err("No system roles (starting with underscore) in users db.");
    }
    // Last: a new password is not derived where anything else is wrong.
    if doc.has_password {
        return Err("doc.password must not be kept in clear.");
    }
    Ok(())
}

/// What every document must be; answers its roles.
fn check<'a>(id: &str, doc: &'a UserDoc) -> Result<&'a [String], &'static str> {
    let name = doc.name.as_deref().filter(|name| !name.is_empty());
    let name = name.ok_or("doc.name is required")?;
    if doc.kind.as_deref() != Some("user") {
        return Err("doc.type must be user");
    }
    let roles = doc
        .roles
        .as_deref()
        .ok_or("doc.roles must be an array of strings")?;
    if id.strip_prefix(user_doc::ID_PREFIX) != Some(name) {
        return Err("Doc ID must be of the form org.couchdb.user:name");
    }
    if doc.password_sha.is_some() && doc.salt.is_none() {
        return Err("Users with password_sha must have a salt.");
    }
    if doc.password_scheme.as_deref() == Some("pbkdf2") {
        doc.iterations.ok_or("iterations must be a number.")?;
        doc.derived_key.as_ref().ok_or("derived_key must be a string.")?;
    }
    if name.starts_with('_') {
        return Err("Username may not start with underscore.");
    }
    if name.contains(':') {
        return Err("Character `:` is not allowed in usernames.");
    }
    Ok(roles)
}

/// What is for administrators only. Who says no name may register, where the database's `_security` lets them in at all.
fn may_change(is_own: bool, old: Option<&UserDoc>, roles: &[String]) -> Result<(), &'static str> {
    let Some(old) = old else {
        return match roles {
            [] => Ok(()),
            _ => Err("Only _admin may set roles"),
        };
    };
    if !is_own {
        return Err(NOT_YOURS);
    }
    let sorted = |roles: &[String]| {
        let mut roles = roles.to_vec();
        roles.sort_unstable();
        roles
    };
    if sorted(old.roles.as_deref().unwrap_or_default()) != sorted(roles) {
        return Err("Only _admin may edit roles");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
