//! What a peer says of itself and its databases, as far as a replication asks.

use crate::invalid::{BadAnswer, utf8};
use std::borrow::Cow;
use trunkline_core::json;

/// `GET /`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// Names the node, where it has a name.
    pub uuid: Option<String>,
    /// `vendor.name`.
    pub vendor: Option<String>,
    /// `version`.
    pub version: Option<String>,
    /// `features`.
    pub features: Vec<String>,
}

/// `GET /db`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbInfo {
    /// `update_seq`, as JSON text.
    pub update_seq: Box<str>,
    /// `instance_start_time`; `"0"` where the peer has none.
    pub instance_start_time: Box<str>,
    /// `doc_count`.
    pub doc_count: Option<u64>,
    /// Tells the documents that the asker is bound to from others that it may be bound to later; `None` where all are
    /// seen, or the peer tells none.
    pub bounds: Option<Box<str>>,
}

/// Reads the answer to `GET /`.
pub fn parse_welcome(text: &[u8]) -> Result<Welcome, BadAnswer> {
    let mut welcome = Welcome::default();
    json::members(utf8(text)?, |key, value| {
        let text = || json::string(value).map(Cow::into_owned);
        match &*key {
            "uuid" => welcome.uuid = text().filter(|uuid| !uuid.is_empty()),
            "version" => welcome.version = text(),
            "vendor" if value.starts_with('{') => json::members(value, |key, value| {
                if key == "name" {
                    welcome.vendor = json::string(value).map(Cow::into_owned);
                }
                Ok::<_, BadAnswer>(())
            })?,
            "features" if value.starts_with('[') => json::elements(value, |feature| {
                welcome
                    .features
                    .extend(json::string(feature).map(Cow::into_owned));
                Ok::<_, BadAnswer>(())
            })?,
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    Ok(welcome)
}

/// Reads the answer to `GET /db`.
pub fn parse_db(text: &[u8]) -> Result<DbInfo, BadAnswer> {
    let mut update_seq = None;
    let mut instance_start_time = None;
    let mut doc_count = None;
    let mut bounds = None;
    json::members(utf8(text)?, |key, value| {
        match &*key {
            "update_seq" => update_seq = Some(value.into()),
            "instance_start_time" => instance_start_time = Some(start_time(value)),
            "doc_count" => doc_count = value.parse().ok(),
            "bounds" => bounds = json::string(value).map(Box::from),
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    Ok(DbInfo {
        update_seq: update_seq.ok_or_else(|| BadAnswer("the database tells no update_seq".into()))?,
        instance_start_time: instance_start_time.unwrap_or_else(|| "0".into()),
        doc_count,
        bounds,
    })
}

/// Reads `instance_start_time` out of the answer to `_ensure_full_commit`; `"0"` where the peer has none.
pub fn parse_full_commit(text: &[u8]) -> Result<Box<str>, BadAnswer> {
    let mut instance_start_time = None;
    json::members(utf8(text)?, |key, value| {
        if key == "instance_start_time" {
            instance_start_time = Some(start_time(value));
        }
        Ok::<_, BadAnswer>(())
    })?;
    Ok(instance_start_time.unwrap_or_else(|| "0".into()))
}

/// Old servers write a number.
fn start_time(value: &str) -> Box<str> {
    json::string(value).map_or_else(|| value.into(), Into::into)
}

/// Reads `id` and `rev` out of the answer to a PUT; `rev` may be `0-N`.
pub fn parse_written(text: &[u8]) -> Result<(String, String), BadAnswer> {
    let (mut id, mut rev) = (None, None);
    json::members(utf8(text)?, |key, value| {
        let text = || json::string(value).map(Cow::into_owned);
        match &*key {
            "id" => id = text(),
            "rev" => rev = text(),
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    id.zip(rev)
        .ok_or_else(|| BadAnswer("the answer lacks id or rev".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welcomes() {
        let couchdb =
            br#"{"couchdb":"Welcome","version":"3.5.2","git_sha":"a","uuid":"0f","features":["quickjs",7],
            "vendor":{"name":"The Apache Software Foundation"}}"#;
        let welcome = parse_welcome(couchdb).unwrap();
        assert_eq!(welcome.uuid.as_deref(), Some("0f"));
        assert_eq!(welcome.vendor.as_deref(), Some("The Apache Software Foundation"));
        assert_eq!(welcome.version.as_deref(), Some("3.5.2"));
        assert_eq!(welcome.features, ["quickjs"]);
        let other = parse_welcome(br#"{"uuid":"","vendor":7,"features":{}}"#).unwrap();
        assert_eq!(other, Welcome::default());
        assert!(parse_welcome(b"<html>").is_err());
    }

    #[test]
    fn databases() {
        let info =
            parse_db(br#"{"doc_count":3,"update_seq":"26-g1","instance_start_time":"1700000000"}"#).unwrap();
        assert_eq!(&*info.update_seq, "\"26-g1\"");
        assert_eq!(&*info.instance_start_time, "1700000000");
        assert_eq!(info.doc_count, Some(3));
        let old = parse_db(br#"{"update_seq":[1,"a"],"instance_start_time":17}"#).unwrap();
        assert_eq!((&*old.update_seq, &*old.instance_start_time), ("[1,\"a\"]", "17"));
        assert_eq!(
            &*parse_db(br#"{"update_seq":1}"#).unwrap().instance_start_time,
            "0"
        );
        assert!(parse_db(b"{}").is_err());
        assert!(parse_db(b"").is_err());
    }

    #[test]
    fn what_was_written() {
        let commit = br#"{"ok":true,"instance_start_time":"12"}"#;
        assert_eq!(&*parse_full_commit(commit).unwrap(), "12");
        assert_eq!(&*parse_full_commit(b"{}").unwrap(), "0");
        let written = parse_written(br#"{"ok":true,"id":"_local/a","rev":"0-4"}"#).unwrap();
        assert_eq!(written, ("_local/a".to_owned(), "0-4".to_owned()));
        assert!(parse_written(br#"{"ok":true}"#).is_err());
    }
}
