//! One document's text taken apart.

use super::{IncomingDoc, InvalidDoc};
use crate::attachments;
use crate::invalid::utf8;
use std::borrow::Cow;
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::json::{self, JsonError, Reader};
use trunkline_core::limits::{DOCUMENT_BYTES_MAX, REQUEST_ITEMS_MAX};
use trunkline_core::rev::{Digest, Rev};

/// Parses one document's JSON text. One pass; the body keeps numbers' spelling and keys' order.
pub fn parse(text: &[u8]) -> Result<IncomingDoc, InvalidDoc> {
    let text = utf8(text)?;
    let mut reader = Reader::new(text);
    let doc = read(&mut reader)?;
    reader.end()?;
    doc
}

/// Takes the document that `reader` stands at. The inner error leaves the reader behind the document.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Result<IncomingDoc, InvalidDoc>, JsonError> {
    let mut special = Special::default();
    let mut wrong = None;
    let body = reader.body(|key, value| {
        if wrong.is_none() {
            wrong = special.member(&key, value).err();
        }
        Ok::<_, JsonError>(())
    });
    let body = match body {
        Ok(body) => body,
        Err(JsonError::Expected(_)) => return Ok(Err(InvalidDoc::NotAnObject)),
        Err(error) => return Err(error),
    };
    Ok(match wrong {
        Some(wrong) => Err(wrong),
        None => special.finish(body),
    })
}

/// The members that start with `_`.
#[derive(Default)]
struct Special<'a> {
    id: Option<Cow<'a, str>>,
    rev: Option<Rev>,
    revisions: Option<RevPath>,
    deleted: bool,
    attachments: Vec<attachments::IncomingAttachment>,
    /// Members that belong to the body all the same: (key, value).
    kept: Vec<(String, String)>,
}

impl<'a> Special<'a> {
    fn member(&mut self, key: &str, value: &'a str) -> Result<(), InvalidDoc> {
        let bad_member = || InvalidDoc::BadMember(key.into());
        match key {
            "_id" => self.id = Some(json::string(value).ok_or(InvalidDoc::IdNotText)?),
            "_rev" => {
                let rev = json::string(value).ok_or(InvalidDoc::BadRev)?;
                self.rev = Some(Rev::parse(&rev).map_err(|_| InvalidDoc::BadRev)?);
            }
            "_revisions" => self.revisions = revisions(value)?,
            "_deleted" => self.deleted = value.parse().map_err(|_| bad_member())?,
            "_attachments" => {
                if !value.starts_with('{') {
                    return Err(bad_member());
                }
                self.attachments = attachments::parse(value)?;
            }
            "_revs_info" | "_local_seq" | "_conflicts" | "_deleted_conflicts" => {}
            "_access"
            | "_replication_id"
            | "_replication_state"
            | "_replication_state_time"
            | "_replication_state_reason"
            | "_replication_stats" => self.keep(key, value),
            _ => return Err(bad_member()),
        }
        Ok(())
    }

    fn keep(&mut self, key: &str, value: &str) {
        let mut compact = String::new();
        json::compact(value, &mut compact);
        // Of equal keys the last stays. There are six keys at most.
        self.kept.retain(|(kept, _)| kept != key);
        self.kept.push((key.into(), compact));
    }

    fn finish(self, body: Body) -> Result<IncomingDoc, InvalidDoc> {
        let body = if self.kept.is_empty() {
            body
        } else {
            with_kept(&body, &self.kept)
        };
        let id = self.id.map(Cow::into_owned);
        if body.as_str().len() > DOCUMENT_BYTES_MAX {
            return Err(InvalidDoc::TooLarge(id.unwrap_or_default()));
        }
        Ok(IncomingDoc {
            id,
            rev: match &self.revisions {
                Some(path) => path.rev(),
                None => self.rev,
            },
            revisions: self.revisions,
            deleted: self.deleted,
            body,
            attachments: self.attachments,
        })
    }
}

/// The body with more members at its end.
fn with_kept(body: &Body, kept: &[(String, String)]) -> Body {
    let mut text = Vec::from(body.as_str());
    text.pop();
    for (key, value) in kept {
        if text.len() > 1 {
            text.push(b',');
        }
        json::quote(key, &mut text);
        text.push(b':');
        text.extend_from_slice(value.as_bytes());
    }
    text.push(b'}');
    Body::from_stored(String::from_utf8_lossy(&text))
}

/// Reads `{"start":N,"ids":[newest,..]}`; no ids are no path.
fn revisions(value: &str) -> Result<Option<RevPath>, InvalidDoc> {
    let mut start = None;
    let mut ids = None;
    json::members(value, |key, value| {
        match &*key {
            "start" => start = value.parse::<u64>().ok(),
            "ids" => ids = Some(value),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })
    .map_err(|_| InvalidDoc::BadMember("_revisions".into()))?;
    let start = start.ok_or(InvalidDoc::BadRevisions("_revisions.start isn't an integer."))?;
    let ids = ids
        .filter(|ids| ids.starts_with('['))
        .ok_or(InvalidDoc::BadRevisions("_revisions.ids isn't a array."))?;
    let mut digests = Vec::new();
    json::elements(ids, |id| {
        if digests.len() == REQUEST_ITEMS_MAX {
            return Err(InvalidDoc::BadRevisions(
                "_revisions.ids lists more than 100000 revisions.",
            ));
        }
        let id = json::string(id).ok_or(InvalidDoc::BadRevisions("RevId isn't a string"))?;
        let generation = start.saturating_sub(digests.len() as u64);
        let digest = Digest::parse(&id, generation)
            .ok_or(InvalidDoc::BadRevisions("RevId isn't a valid hexadecimal"))?;
        digests.push(digest);
        Ok::<_, InvalidDoc>(())
    })?;
    if digests.is_empty() {
        return Ok(None);
    }
    RevPath::new(start, digests)
        .map(Some)
        .ok_or(InvalidDoc::BadRevisions(
            "_revisions.start is less than the number of _revisions.ids",
        ))
}
