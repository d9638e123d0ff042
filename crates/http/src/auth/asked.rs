//! What the audit log has of requests whose credentials do not hold. What they present stays out.

use crate::audit;
use crate::connection::Peer;
use crate::error::Error;
use axum::extract::Request;
use axum::http::{Method, Uri};
use std::net::IpAddr;

/// What a request asks for, for the audit log.
pub(super) struct Asked {
    method: Method,
    uri: Uri,
    pub(super) address: Option<IpAddr>,
}

impl Asked {
    pub(super) fn of(request: &Request, peer: Option<Peer>) -> Asked {
        Asked {
            method: request.method().clone(),
            uri: request.uri().clone(),
            address: peer.and_then(|peer| peer.address),
        }
    }

    /// Puts down that it presents what does not hold, or nothing where it must. What it presents stays out.
    pub(super) fn note(&self, error: &Error) {
        let reason: &str = match error {
            Error::Unauthorized(reason) | Error::Forbidden(reason) => reason,
            Error::BadRequest(reason) => reason,
            _ => return,
        };
        if !audit::is_listed(None, self.address) {
            return;
        }
        let address = self.address.map(tracing::field::display);
        let path = &*audit::beginning(self.uri.path());
        tracing::warn!(target: audit::TARGET, address, method = %self.method, path, reason, "refused");
    }
}

/// Puts down who was not let in. Whoever sends names chooses their length.
pub(super) fn note_failure(name: &str, address: Option<IpAddr>, reason: &'static str) {
    if !audit::is_listed(None, address) {
        return;
    }
    let user: String = name.chars().take(NAME_CHARS_NOTED).collect();
    let address = address.map(tracing::field::display);
    tracing::warn!(target: audit::TARGET, user, address, reason, "refused");
}

/// Characters of a name that the log shows.
const NAME_CHARS_NOTED: usize = 128;
