//! What is said to those who do not pass, and to the log.

use super::user;
use crate::audit;
use crate::auth::User;
use crate::connection::Peer;
use crate::error::Error;
use axum::http::request::Parts;
use trunkline_core::access::Rights;

/// 401 for who has not said a name, and may try with one; 403 for who has.
pub(super) fn of(user: &User, reason: &str) -> Error {
    match user.name {
        None => Error::Unauthorized(reason.to_owned()),
        Some(_) => Error::Forbidden(reason.to_owned()),
    }
}

/// None of `needed` is among the rights that are had.
pub(super) fn of_rights(user: &User, had: Rights, needed: Rights) -> Error {
    if had == Rights::NONE {
        return of(
            user,
            match user.name {
                None => "You are not authorized to access this db.",
                Some(_) => "You are not allowed to access this db.",
            },
        );
    }
    if needed == Rights::CONFIGURE {
        return of(user, NOT_CONFIGURE);
    }
    of(
        user,
        &format!("This needs the right to {needed} in this database."),
    )
}

/// CouchDB's words for who may not change design documents and settings.
pub(super) const NOT_CONFIGURE: &str = "You are not a db or server admin.";

/// Puts down whose body was cut off.
pub(super) fn note_late(user: &User, reason: &str) {
    let user = user.name.as_deref();
    if audit::is_listed(user, None) {
        tracing::warn!(target: audit::TARGET, user, reason, "refused");
    }
}

/// Puts down who was refused what. The query string stays out: it may hold keys of documents.
pub(super) fn note(parts: &Parts, error: &Error) {
    let (Error::Unauthorized(reason) | Error::Forbidden(reason)) = error else {
        return;
    };
    let user = user(parts).ok();
    let name = user.as_ref().and_then(|user| user.name.as_deref());
    let address = parts.extensions.get::<Peer>().and_then(|peer| peer.address);
    if !audit::is_listed(name, address) {
        return;
    }
    tracing::warn!(
        target: audit::TARGET,
        user = name,
        address = address.map(tracing::field::display),
        method = %parts.method,
        path = &*audit::beginning(parts.uri.path()),
        reason,
        "refused"
    );
}
