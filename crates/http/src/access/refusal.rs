//! What is said to those who do not pass, and to the log.

use super::user;
use crate::audit::{self, Who};
use crate::auth::User;
use crate::error::{Error, Result};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::Response;
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

/// What of a request goes to the audit log, should it be refused. The query string stays out: it may hold keys of documents.
pub(super) struct Asked {
    pub(super) who: Who,
    method: Method,
    uri: Uri,
}

impl Asked {
    pub(super) fn of(parts: &Parts) -> Result<Asked> {
        Ok(Asked {
            who: Who::of(&user(parts)?, parts),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
        })
    }

    /// Puts down that it was refused, if it was, for what reason, and unless that was done before.
    pub(super) fn note(&self, answer: &Response) {
        let Some(Refusal(reason)) = answer.extensions().get() else {
            return;
        };
        if self.who.was_refused() || !self.who.is_listed() {
            return;
        }
        tracing::warn!(
            target: audit::TARGET,
            user = self.who.user(),
            address = self.who.address(),
            method = %self.method,
            path = &*audit::beginning(self.uri.path()),
            reason,
            "refused"
        );
    }
}

/// Why someone may not do what was asked, in the extensions of the answer that says so.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) String);
