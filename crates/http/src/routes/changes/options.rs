//! What a client asks of a changes feed.

use crate::error::{Error, Result};
use crate::feed::{Clock, Feed};
use crate::request::{Query, header_text};
use crate::room::Room;
use axum::http::{HeaderMap, HeaderName};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use trunkline_core::limits::REQUEST_ITEMS_MAX;
use trunkline_core::rev::Rev;
use trunkline_core::selector::{Selector, TooMuchWork, Work};
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::seq::{self, Since};

/// Options of a feed, parsed once.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) feed: Feed,
    pub(super) clock: Clock,
    pub(super) since: Since,
    pub(super) until: Option<Since>,
    pub(super) limit: usize,
    pub(super) descending: bool,
    /// `style=all_docs`: every leaf, not the winner alone.
    pub(super) all_leaves: bool,
    pub(super) include_docs: bool,
    pub(super) conflicts: bool,
    pub(super) attachments: bool,
    pub(super) att_encoding_info: bool,
    /// Every so many rows bear their seq, the others `null`.
    pub(super) seq_interval: u64,
    pub(super) filter: Filter,
    /// `feed_name`: only what is in this feed.
    pub(super) feed_name: Option<String>,
    /// What the filter takes.
    pub(super) room: Room,
}

/// Which documents' changes are wanted.
#[derive(Debug)]
pub(super) enum Filter {
    All,
    /// Sorted, so that looking them up walks the table once.
    DocIds(BTreeSet<String>),
    Selector(Box<Selector>),
    Designs,
    /// A function of a design document.
    Function {
        design: String,
        name: String,
        /// Whether it is a view.
        is_view: bool,
    },
}

impl Filter {
    /// Bytes that its patterns take.
    pub(super) fn pattern_bytes(&self) -> usize {
        match self {
            Filter::Selector(selector) => selector.pattern_bytes(),
            _ => 0,
        }
    }

    /// Whether a row may pass by its id alone.
    pub(super) fn takes_id(&self, id: &str) -> bool {
        match self {
            Filter::DocIds(ids) => ids.contains(id),
            Filter::Designs => id.starts_with("_design/"),
            _ => true,
        }
    }

    /// Whether a leaf passes; `leaves` are all of its document, where it is listed alone.
    pub(super) fn takes_doc(
        &self,
        doc: Pieces<'_>,
        leaves: &[(Rev, bool)],
        work: &Work,
    ) -> Result<bool, TooMuchWork> {
        match self {
            Filter::Selector(selector) => document::judged(selector, doc, leaves, work),
            _ => Ok(true),
        }
    }
}

/// Members of a POST that mean something to a feed.
#[derive(Debug, Default, serde::Deserialize)]
struct Posted<'a> {
    doc_ids: Option<Vec<String>>,
    #[serde(borrow)]
    selector: Option<&'a RawValue>,
}

impl Options {
    pub(super) fn parse(query: &Query, headers: &HeaderMap, posted: &[u8]) -> Result<Options> {
        let posted: Posted<'_> = if posted.iter().all(u8::is_ascii_whitespace) {
            Posted::default()
        } else {
            let is_object = posted.trim_ascii_start().starts_with(b"{");
            let invalid = |error: serde_json::Error| match (error.is_data(), is_object) {
                (true, true) => NO_DOC_IDS,
                (true, false) => Error::bad("Request body must be a JSON object"),
                (false, _) => crate::body::INVALID_JSON,
            };
            serde_json::from_slice(posted).map_err(invalid)?
        };
        let feed = Feed::parse(query.text("feed"))?;
        Ok(Options {
            feed,
            clock: Clock::parse(query.text("heartbeat"), query.text("timeout"))?,
            since: since(query, headers, feed)?,
            until: query.text("until").map(bound).transpose()?,
            limit: number(query, "limit")?.unwrap_or(usize::MAX),
            descending: query.is_true("descending"),
            all_leaves: match query.text("style") {
                None | Some("main_only") => false,
                Some("all_docs") => true,
                Some(_) => return Err(Error::bad("Supported `style` values: main_only, all_docs")),
            },
            include_docs: query.is_true("include_docs"),
            conflicts: query.is_true("conflicts"),
            attachments: query.is_true("attachments"),
            att_encoding_info: query.is_true("att_encoding_info"),
            seq_interval: match query.text("seq_interval").map(str::parse) {
                None => 1,
                Some(Ok(interval @ 1..)) => interval,
                Some(_) => return Err(Error::bad("invalid_seq_interval")),
            },
            feed_name: feed_name(query)?,
            filter: filter(query, posted)?,
            room: Room::default(),
        })
    }
}

const NO_DOC_IDS: Error = Error::BadRequest(std::borrow::Cow::Borrowed(
    "`doc_ids` filter parameter is not a list of doc ids.",
));

fn since(query: &Query, headers: &HeaderMap, feed: Feed) -> Result<Since> {
    // A browser that reconnects knows better than the page's URL.
    if let (Feed::EventSource, Some(text)) = (
        feed,
        header_text(headers, HeaderName::from_static("last-event-id")),
    ) {
        return place(text);
    }
    query
        .text("since")
        .or(query.text("last-event-id"))
        .map_or(Ok(Since::Start), place)
}

fn place(text: &str) -> Result<Since> {
    seq::parse(text).map_err(|_| Error::bad("Malformed sequence supplied in 'since' parameter."))
}

fn bound(text: &str) -> Result<Since> {
    seq::parse(text).map_err(|_| Error::bad("Malformed sequence supplied in 'until' parameter."))
}

fn number(query: &Query, name: &str) -> Result<Option<usize>> {
    let Some(text) = query.text(name) else {
        return Ok(None);
    };
    match text.parse::<i64>() {
        Ok(number) if number >= 0 => Ok(Some(usize::try_from(number).unwrap_or(usize::MAX))),
        _ => Err(Error::bad(format!("`{name}` must be an integer of at least 0"))),
    }
}

fn feed_name(query: &Query) -> Result<Option<String>> {
    let name = query.text("feed_name");
    match (name, query.text("filter")) {
        (Some(""), _) => Err(Error::bad("`feed_name` must name a feed.")),
        (Some(_), Some(filter)) if !filter.is_empty() => {
            Err(Error::bad("`feed_name` and `filter` exclude each other."))
        }
        _ => Ok(name.map(str::to_owned)),
    }
}

fn filter(query: &Query, posted: Posted<'_>) -> Result<Filter> {
    match query.text("filter") {
        None | Some("") => Ok(Filter::All),
        Some("_design") => Ok(Filter::Designs),
        Some("_doc_ids") => {
            let in_query = || {
                query
                    .text("doc_ids")
                    .and_then(|text| serde_json::from_str(text).ok())
            };
            let ids: Option<Vec<String>> = posted.doc_ids.or_else(in_query);
            let ids = ids.ok_or(NO_DOC_IDS)?;
            if ids.len() > REQUEST_ITEMS_MAX {
                return Err(Error::TooLarge);
            }
            Ok(Filter::DocIds(ids.into_iter().collect()))
        }
        Some("_selector") => {
            let text = posted
                .selector
                .ok_or(Error::bad("Selector must be specified in POST payload"))?;
            let selector = Selector::parse(text.get()).map_err(|invalid| Error::bad(invalid.to_string()))?;
            Ok(Filter::Selector(Box::new(selector)))
        }
        Some("_view") => {
            let view = query.text("view").unwrap_or_default();
            if view.is_empty() {
                return Err(Error::bad("`view` filter parameter is not provided."));
            }
            function(view, true).ok_or(Error::bad("`view` must be of the form `designname/viewname`"))
        }
        Some(name) if name.starts_with('_') => Err(Error::bad("unknown builtin filter name")),
        Some(name) => {
            function(name, false).ok_or(Error::bad("`filter` must be of the form `designname/filtername`"))
        }
    }
}

fn function(path: &str, is_view: bool) -> Option<Filter> {
    let (design, name) = path.split_once('/').filter(|(_, name)| !name.contains('/'))?;
    Some(Filter::Function {
        design: design.to_owned(),
        name: name.to_owned(),
        is_view,
    })
}
