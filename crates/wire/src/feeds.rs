//! Named feeds: what a design document declares of them, and what is told of one.
//!
//! `"feeds": {"acme": {"selector": {"account_id": "acme"}}}` of `_design/billing` declares the feed `billing/acme`.

use crate::invalid::{BadAnswer, Invalid, one_more};
use std::collections::BTreeMap;
use trunkline_core::json;
use trunkline_core::selector::Selector;

/// What a feed takes: a selector's JSON text, and what it says.
pub type Selected = (String, Selector);

/// The feeds that the body of a design document declares; what is wrong with some of them is said of each.
pub fn parse(body: &str) -> Result<BTreeMap<String, Result<Selected, Invalid>>, Invalid> {
    let mut feeds = BTreeMap::new();
    json::members(body, |name, value| {
        if name != "feeds" {
            return Ok(());
        }
        feeds.clear();
        if !value.starts_with('{') {
            return Err(Invalid::bad_request(
                "`feeds` of a design document must be an object",
            ));
        }
        json::members(value, |name, value| {
            one_more(feeds.len())?;
            let feed = selected(&name, value);
            feeds.insert(name.into_owned(), feed);
            Ok(())
        })
    })?;
    Ok(feeds)
}

fn selected(name: &str, value: &str) -> Result<Selected, Invalid> {
    let wrong = |what: &str| Err(Invalid::bad_request(format!("`feeds.{name}` {what}")));
    if name.is_empty() || name.contains('/') {
        return wrong("has no name for a feed: it must have one, without a slash");
    }
    if !value.starts_with('{') {
        return wrong("must be an object with a `selector`");
    }
    let mut text = None;
    json::members(value, |name, value| {
        if name == "selector" {
            text = Some(value.to_owned());
        }
        Ok::<_, Invalid>(())
    })?;
    let Some(text) = text else {
        return wrong("must have a `selector`");
    };
    match Selector::parse(&text) {
        Ok(selector) => Ok((text, selector)),
        Err(invalid) => wrong(&format!("has a wrong `selector`: {invalid}")),
    }
}

/// What is told of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedInfo<'a> {
    /// `design/name`
    pub name: &'a str,
    /// JSON text, where that is told.
    pub selector: Option<&'a str>,
    /// Documents in it, deleted ones too, where that is told.
    pub rows: Option<u64>,
    /// Whether it holds everything that it should.
    pub built: bool,
    /// Places in the order of changes that it is still to be built from, where that is told.
    pub pending: Option<u64>,
}

/// Appends it as JSON.
pub fn write(out: &mut Vec<u8>, feed: &FeedInfo<'_>) {
    out.extend_from_slice(b"{\"name\":");
    json::quote(feed.name, out);
    if let Some(selector) = feed.selector {
        out.extend_from_slice(b",\"selector\":");
        out.extend_from_slice(selector.as_bytes());
    }
    if let Some(rows) = feed.rows {
        out.extend_from_slice(format!(",\"rows\":{rows}").as_bytes());
    }
    out.extend_from_slice(format!(",\"built\":{}", feed.built).as_bytes());
    if let Some(pending) = feed.pending {
        out.extend_from_slice(format!(",\"pending\":{pending}").as_bytes());
    }
    out.extend_from_slice(b"}\n");
}

/// Whether an answer tells of the feed of that name, as [`write()`] does.
pub fn tells_of(answer: &str, name: &str) -> Result<bool, BadAnswer> {
    let (mut named, mut is_feed) = (false, false);
    json::members(answer, |member, value| {
        match &*member {
            "name" => named = json::string(value).is_some_and(|value| value == name),
            "built" => is_feed = true,
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    Ok(named && is_feed)
}

/// The reason of the 404 for a feed that nobody declared.
pub const MISSING: &str = "missing_named_feed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feed_stands_for_itself() {
        let feeds = parse(
            r#"{"views":7,"feeds":{"acme":{"selector":{"account_id":"acme"},"other":1},"a/b":{"selector":{}},"":{},
            "no":1,"none":{},"odd":{"selector":{"a":{"$no":1}}},"list":{"selector":[]}}}"#,
        )
        .unwrap();
        let right: Vec<_> = feeds.iter().filter(|(_, feed)| feed.is_ok()).collect();
        assert_eq!(right.len(), 1);
        assert_eq!(right[0].0, "acme");
        assert_eq!(right[0].1.as_ref().unwrap().0, r#"{"account_id":"acme"}"#);
        let reason = |name: &str| feeds[name].as_ref().unwrap_err().reason.clone();
        assert!(reason("a/b").contains("slash") && reason("").contains("name"));
        assert!(reason("odd").contains("`feeds.odd`") && reason("odd").contains("$no"));
        assert!(reason("none").contains("selector") && reason("no").contains("object"));
        assert!(parse("{}").unwrap().is_empty());
        assert!(parse(r#"{"feeds":[]}"#).is_err());
    }

    #[test]
    fn what_is_told_is_known_again() {
        let mut out = Vec::new();
        let feed = FeedInfo {
            name: "billing/acme",
            selector: Some("{}"),
            rows: Some(7),
            built: false,
            pending: Some(2),
        };
        write(&mut out, &feed);
        let text = String::from_utf8(out.clone()).unwrap();
        let expected =
            "{\"name\":\"billing/acme\",\"selector\":{},\"rows\":7,\"built\":false,\"pending\":2}\n";
        assert_eq!(text, expected);
        assert!(tells_of(&text, "billing/acme").unwrap());
        assert!(!tells_of(&text, "billing/other").unwrap());
        assert!(!tells_of(r#"{"_id":"x"}"#, "x").unwrap());
        let less = FeedInfo {
            selector: None,
            rows: None,
            pending: None,
            ..feed
        };
        out.clear();
        write(&mut out, &less);
        assert_eq!(out, b"{\"name\":\"billing/acme\",\"built\":false}\n");
        assert!(tells_of(std::str::from_utf8(&out).unwrap(), "billing/acme").unwrap());
    }
}
