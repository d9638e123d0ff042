//! Filter functions that a peer runs: how they are asked for, and what they say.

use super::address::escaped;
use super::client::{Client, QUICK};
use crate::peer::{PeerError, PeerErrorKind};
use crate::session::SourceFilter;
use trunkline_wire::design_doc;

/// The filter as options of a feed.
pub(super) fn query(filter: &SourceFilter) -> String {
    let mut query = format!("&filter={}", escaped(&filter.name));
    for (name, value) in &filter.params {
        query.push_str(&format!("&{}={}", escaped(name), escaped(value)));
    }
    query
}

/// The source of the function; nothing for `_view` and other built-in ones, which their parameters name.
pub(super) async fn code(client: &Client, filter: &SourceFilter) -> Result<String, PeerError> {
    if filter.name.starts_with('_') {
        return Ok(String::new());
    }
    let reason = || format!("there is no filter function {}", filter.name);
    // It may still come, as a database may.
    let missing = || client.error(PeerErrorKind::DatabaseMissing, reason());
    let no_name = || client.error(PeerErrorKind::Invalid, reason());
    let (design, name) = filter.name.split_once('/').ok_or_else(no_name)?;
    let url = client.address.below(&format!("_design/{}", escaped(design)));
    let answer = client.read(client.get(url), QUICK).await;
    let answer = answer.map_err(|error| match error.kind {
        PeerErrorKind::Protocol if error.reason.starts_with("404") => missing(),
        _ => error,
    })?;
    let odd = |error: &dyn std::fmt::Display| {
        let reason = format!("the design document of {}: {error}", filter.name);
        client.error(PeerErrorKind::Protocol, reason)
    };
    let text = std::str::from_utf8(&answer).map_err(|error| odd(&error))?;
    let mut design = design_doc::parse(text).map_err(|error| odd(&error))?;
    design.filters.remove(name).ok_or_else(missing)
}
