//! Named feeds of a peer. A server that keeps none passes over the option and sends everything: it is asked first.

use super::address::escaped;
use super::client::{Client, QUICK};
use crate::peer::{PeerError, PeerErrorKind};
use trunkline_wire::feeds;

/// Makes sure that the peer keeps this feed.
pub(super) async fn check(client: &Client, name: &str) -> Result<(), PeerError> {
    let none = || {
        let reason =
            format!("it keeps no named feeds, so none is called {name}: filter by a selector instead");
        client.error(PeerErrorKind::Invalid, reason)
    };
    let (design, feed) = name.rsplit_once('/').ok_or_else(none)?;
    let url = client
        .address
        .below(&format!("_feed/{}/{}", escaped(design), escaped(feed)));
    let answer = client.read(client.get(url), QUICK).await;
    let answer = answer.map_err(|error| match error.kind {
        // It may still come, as a database may.
        PeerErrorKind::Protocol if error.reason.ends_with(feeds::MISSING) => {
            client.error(PeerErrorKind::DatabaseMissing, format!("there is no feed {name}"))
        }
        // It is declared, but wrongly: whoever made the mistake may mend it.
        PeerErrorKind::Protocol if error.reason.starts_with("400") && error.reason.contains(": `feeds") => {
            client.error(PeerErrorKind::Unavailable, error.reason)
        }
        PeerErrorKind::Unavailable
        | PeerErrorKind::Unauthorized
        | PeerErrorKind::Forbidden
        | PeerErrorKind::DatabaseMissing
        | PeerErrorKind::Untrusted => error,
        _ => none(),
    })?;
    let told = std::str::from_utf8(&answer).ok();
    match told.map(|answer| feeds::tells_of(answer, name)) {
        Some(Ok(true)) => Ok(()),
        _ => Err(none()),
    }
}

/// The feed as an option of `_changes`.
pub(super) fn query(name: &str) -> String {
    format!("&feed_name={}", escaped(name))
}
