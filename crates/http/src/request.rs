//! Requests taken apart once: path segments, query values, headers. Handlers see typed values only.

pub(crate) mod docs_range;
pub(crate) mod range;
pub(crate) mod view_query;

use crate::access::Granted;
use crate::app::App;
use crate::error::{Error, Result};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use trunkline_core::doc_id::DocId;
use trunkline_store::Database;
use trunkline_wire::format::Format;

/// The database named in the path, which exists.
pub(crate) struct Db(pub(crate) Database);

impl FromRequestParts<App> for Db {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Db> {
        granted(parts).map(Db)
    }
}

/// The database named in the path, as it was at the moment that `snapshot` names, or else as it is.
pub(crate) struct Moment(pub(crate) Database);

impl FromRequestParts<App> for Moment {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Moment> {
        let Db(db) = Db::from_request_parts(parts, app).await?;
        Ok(Moment(moment(parts, app, db)?))
    }
}

/// A database at the moment that the request's `snapshot` names, or else as it is.
pub(crate) fn moment(parts: &Parts, app: &App, db: Database) -> Result<Database> {
    let query = parts.uri.query().filter(|query| query.contains("snapshot"));
    let Some(query) = query.map(Query::parse).transpose()? else {
        return Ok(db);
    };
    match query.text("snapshot") {
        Some(token) => {
            let kept = app.snapshots.find(db.name(), token)?.db.whole();
            // Whoever made it: it shows what the one may see who asks.
            Ok(match db.asker() {
                Some(asker) => kept.on_behalf(asker.clone()),
                None => kept,
            })
        }
        None => Ok(db),
    }
}

/// The path's database as its gate let the request have it. Behind no gate there is none.
pub(crate) fn granted(parts: &Parts) -> Result<Database> {
    match parts.extensions.get::<Granted>() {
        Some(Granted(db)) => Ok(db.clone()),
        None => Err(Error::Internal("a route without a gate".to_owned())),
    }
}

/// A document in the path, in a database that exists, and what comes behind the document.
pub(crate) struct Target {
    pub(crate) db: Database,
    pub(crate) path: DocPath,
    /// The attachment's name; may hold slashes.
    pub(crate) attachment: String,
}

impl FromRequestParts<App> for Target {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Target> {
        let (mut db, mut path, mut attachment) = (None, None, String::new());
        for (capture, value) in &captures(parts).await? {
            match capture {
                "db" => db = Some(granted(parts)?),
                "doc" if value == "_local" => return Err(Error::bad("Invalid _local document id.")),
                "doc" => path = Some(DocPath::new(value.to_owned())),
                "design" => path = Some(DocPath::Doc(format!("_design/{value}"))),
                "local" => path = Some(DocPath::Local(value.to_owned())),
                _ => value.clone_into(&mut attachment),
            }
        }
        match (db, path) {
            (Some(db), Some(path)) => {
                let reads = matches!(parts.method, Method::GET | Method::HEAD);
                let db = if reads { moment(parts, app, db)? } else { db };
                Ok(Target { db, path, attachment })
            }
            _ => Err(Error::Internal("a route without database or document".to_owned())),
        }
    }
}

/// Every capture of the route with its name; the router has percent-decoded them. A `+` is a plus.
pub(crate) async fn captures(parts: &mut Parts) -> Result<RawPathParams> {
    RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|rejection| Error::bad(rejection.body_text()))
}

/// The document a path names: `x`, `_design/x` or `_local/x`, whichever way its slash was written.
#[derive(Clone, Debug)]
pub(crate) enum DocPath {
    /// A document that replicates (or an id that no document can have; writes find out).
    Doc(String),
    /// A local document, without `_local/`.
    Local(String),
}

impl DocPath {
    pub(crate) fn new(id: String) -> DocPath {
        match id.strip_prefix("_local/") {
            Some(local) => DocPath::Local(local.to_owned()),
            None => DocPath::Doc(id),
        }
    }
}

/// A query string's pairs, decoded; `+` is a blank here. The first of repeated names counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query> {
        parts.uri.query().map_or(Ok(Query::default()), Query::parse)
    }
}

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Query> {
        let decode = |part: &str| -> Result<String> {
            let blanks: Cow<'_, str> = if part.contains('+') {
                part.replace('+', " ").into()
            } else {
                part.into()
            };
            match percent_decode_str(&blanks).decode_utf8() {
                Ok(text) => Ok(text.into_owned()),
                Err(_) => Err(Error::bad("invalid UTF-8 in the query string")),
            }
        };
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Query(pairs))
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// CouchDB's reading of a document option: set only by `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }
}

/// A format by its name.
pub(crate) fn format(name: &str) -> Result<Format> {
    let known = Format::parse(name);
    known.ok_or_else(|| Error::QueryParse("`format` must be json, ndjson or csv.".to_owned()))
}

/// A header's text; `None` when absent or not text.
pub(crate) fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the content type is (or, as CouchDB has it, starts with) `application/json`.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<()> {
    const REASON: &str = "Content-Type must be application/json";
    let given = header_text(headers, header::CONTENT_TYPE).ok_or(Error::BadContentType(REASON))?;
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Error::BadContentType(REASON))
    }
}

/// Whether `Accept` allows a media type, wildcards too; a client that says nothing takes everything.
pub(crate) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut given = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    let family = wanted.split('/').next().unwrap_or_default();
    given.peek().is_none()
        || given.flat_map(|value| value.split(',')).any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let allowed = kind == "*/*"
                || kind.eq_ignore_ascii_case(wanted)
                || kind
                    .strip_suffix("/*")
                    .is_some_and(|prefix| prefix.eq_ignore_ascii_case(family));
            allowed && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

/// Whether `If-None-Match` names the (quoted) tag, or is `*`.
pub(crate) fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    header_text(headers, header::IF_NONE_MATCH).is_some_and(|given| {
        given.split(',').any(|item| {
            let item = item.trim();
            item == "*" || item.strip_prefix("W/").unwrap_or(item) == etag
        })
    })
}

/// The revision in `If-Match`, with or without quotes.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<trunkline_core::rev::Rev>> {
    header_text(headers, header::IF_MATCH)
        .map(|value| crate::error::rev(value.trim().trim_matches('"')))
        .transpose()
}

/// A text as a header value; what cannot be one is left out.
pub(crate) fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

/// Where a client finds a database or document again: an absolute URL when the request named its host, as the client
/// sees it before any proxy.
pub(crate) fn location(headers: &HeaderMap, segments: &[&str]) -> Option<HeaderValue> {
    let forwarded = |name| header_text(headers, HeaderName::from_static(name));
    let is_https =
        forwarded("x-forwarded-ssl") == Some("on") || forwarded("x-forwarded-proto") == Some("https");
    let scheme = if is_https { "https" } else { "http" };
    let host = forwarded("x-forwarded-host").or(header_text(headers, header::HOST));
    let mut url = host.map_or(String::new(), |host| format!("{scheme}://{host}"));
    for segment in segments {
        url.push('/');
        url.extend(percent_encoding::utf8_percent_encode(segment, PATH_SEGMENT));
    }
    header_value(&url)
}

const PATH_SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A document id for a write.
pub(crate) fn doc_id(text: &str) -> Result<DocId> {
    Ok(DocId::parse(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn query_strings() {
        let query = Query::parse("a=1&b=%22x+y%22&c&a=2&=z&d=%2B").unwrap();
        let expected = [
            ("a", "1"),
            ("b", "\"x y\""),
            ("c", ""),
            ("a", "2"),
            ("", "z"),
            ("d", "+"),
        ];
        assert!(query.pairs().eq(expected));
        assert_eq!(query.text("a"), Some("1"));
        assert!(Query::parse("a=%FF").is_err());
    }

    #[test]
    fn media_types() {
        let accepts = |given, wanted| accepts(&headers(header::ACCEPT, given), wanted);
        for (given, wanted, expected) in [
            ("*/*", "multipart/mixed", true),
            ("multipart/*", "multipart/mixed", true),
            ("text/*, application/json;q=0.5", "application/json", true),
            ("application/json", "multipart/mixed", false),
            ("*/*;q=0", "multipart/mixed", false),
            ("Multipart/Related; q=1", "multipart/related", true),
        ] {
            assert_eq!(accepts(given, wanted), expected, "{given}");
        }
        assert!(super::accepts(&HeaderMap::new(), "multipart/mixed"));
        for (given, is_json) in [
            ("application/json; charset=utf-8", true),
            ("Application/JSON", true),
            ("text/json", false),
        ] {
            assert_eq!(
                require_json(&headers(header::CONTENT_TYPE, given)).is_ok(),
                is_json,
                "{given}"
            );
        }
    }

    #[test]
    fn tags() {
        for (given, expected) in [
            ("\"1-a\"", true),
            ("W/\"1-a\"", true),
            ("\"x\", \"1-a\"", true),
            ("*", true),
            ("1-a", false),
        ] {
            assert_eq!(
                matches_etag(&headers(header::IF_NONE_MATCH, given), "\"1-a\""),
                expected,
                "{given}"
            );
        }
    }
}
