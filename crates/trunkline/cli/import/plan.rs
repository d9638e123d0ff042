//! What is to be done with one document of a file: decided from its text alone.

use super::records::Record;
use md5::{Digest, Md5};
use std::borrow::Cow;
use trunkline::core::doc::RevPath;
use trunkline::core::doc_id::DocId;
use trunkline::core::json::{self, JsonError};
use trunkline::core::rev::Rev;
use trunkline::core::revid::{AttachmentTerm, revision};
use trunkline::wire::attachments::{IncomingAttachment, IncomingData};
use trunkline::wire::document::{self, IncomingDoc};

/// A document of a file, ready to be compared with a database and written to it.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) line: u64,
    pub(crate) id: DocId,
    /// The revision it is, or becomes.
    pub(crate) rev: Rev,
    /// With which ancestors it is restored (`new_edits=false`); `None` for a document that is created.
    pub(crate) path: Option<RevPath>,
    pub(crate) doc: IncomingDoc,
    /// The document's text, with its `_id`.
    pub(crate) text: String,
}

/// A document that was not taken, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) line: u64,
    pub(crate) id: String,
    pub(crate) reason: String,
}

/// Reads one record. `id_field` names the member that is the id of a document without `_id`; without that, the id is
/// the digest of the document's content, so that the same record is the same document each time.
pub(crate) fn plan(record: Record, id_field: Option<&str>) -> Result<Item, Refusal> {
    let line = record.line;
    let refuse = |id: &str, reason: String| Refusal {
        line,
        id: id.to_owned(),
        reason,
    };
    let text = document_text(record).map_err(|reason| refuse("", reason))?;
    let doc = document::parse(text.as_bytes()).map_err(|reason| refuse("", reason.to_string()))?;
    let path = match &doc.rev {
        Some(_) => Some(doc.path().map_err(|reason| refuse("", reason.to_string()))?),
        None => None,
    };
    let rev = match &doc.rev {
        Some(rev) => rev.clone(),
        None => made_revision(&doc),
    };
    let (id, text) = match (&doc.id, id_field) {
        (Some(id), _) => (id.clone(), text),
        (None, Some(field)) => {
            let id = member(doc.body.as_str(), field).ok_or_else(|| {
                refuse(
                    "",
                    format!("it has neither _id nor {field:?} as a text or number"),
                )
            })?;
            let text = with_id(&id, &text);
            (id, text)
        }
        (None, None) => {
            let id = rev.digest.to_string();
            let text = with_id(&id, &text);
            (id, text)
        }
    };
    let id = DocId::parse(&id).map_err(|reason| refuse(&id, reason.to_string()))?;
    Ok(Item {
        line,
        id,
        rev,
        path,
        doc,
        text,
    })
}

/// The revision that creating the document makes, here as on any CouchDB.
fn made_revision(doc: &IncomingDoc) -> Rev {
    let hashed: Vec<[u8; 16]> = doc.attachments.iter().map(stored_md5).collect();
    let terms: Vec<AttachmentTerm<'_>> = doc
        .attachments
        .iter()
        .zip(&hashed)
        .map(|(attachment, md5)| {
            let content_type = attachment.content_type.as_deref();
            let content_type = content_type.unwrap_or("application/octet-stream");
            (attachment.name.as_str(), content_type, *md5)
        })
        .collect();
    revision(doc.deleted, None, &doc.body, &terms)
}

fn stored_md5(attachment: &IncomingAttachment) -> [u8; 16] {
    match &attachment.data {
        IncomingData::Inline(bytes) => Md5::digest(bytes).into(),
        // No bytes come with it: writing it is refused, whatever revision it would have been.
        IncomingData::Stub | IncomingData::Follows { .. } => attachment.md5.unwrap_or_default(),
    }
}

fn document_text(record: Record) -> Result<String, String> {
    if !record.row {
        return Ok(record.text);
    }
    let mut found = None;
    json::members(&record.text, |key: Cow<'_, str>, value| {
        if key == "doc" && value != "null" {
            found = Some(value.to_owned());
        }
        Ok::<(), JsonError>(())
    })
    .map_err(|error| error.to_string())?;
    found.ok_or_else(|| "the row has no doc: ask _all_docs with include_docs=true".to_owned())
}

/// A member of a body as an id: a text as it is, a number as it is spelled.
fn member(body: &str, field: &str) -> Option<String> {
    let mut found = None;
    json::members(body, |key: Cow<'_, str>, value| {
        if key == field {
            found = Some(value.to_owned());
        }
        Ok::<(), JsonError>(())
    })
    .ok()?;
    let value = found?;
    match value.as_bytes().first()? {
        b'"' => serde_json::from_str(&value).ok(),
        b'-' | b'0'..=b'9' => Some(value),
        _ => None,
    }
}

/// Puts `_id` in front of an object's members.
fn with_id(id: &str, text: &str) -> String {
    let members = text
        .trim_start()
        .strip_prefix('{')
        .unwrap_or_default()
        .trim_start();
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{\"_id\":{}{comma}{members}", serde_json::Value::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str, id_field: Option<&str>) -> Result<Item, Refusal> {
        let record = Record {
            text: text.to_owned(),
            line: 3,
            row: false,
        };
        plan(record, id_field)
    }

    fn check(text: &str, id_field: Option<&str>, id: &str, sent: &str) {
        let item = item(text, id_field).unwrap();
        assert_eq!(item.id.as_str(), id, "{text}");
        assert_eq!(item.text, sent, "{text}");
    }

    #[test]
    fn id_is_the_documents_own_or_the_field_or_the_content() {
        check("{\"_id\":\"a\",\"n\":1}", None, "a", "{\"_id\":\"a\",\"n\":1}");
        check(
            "{\"_id\":\"a\",\"n\":1}",
            Some("n"),
            "a",
            "{\"_id\":\"a\",\"n\":1}",
        );
        check(
            "{\"n\":\"x\\\"y\"}",
            Some("n"),
            "x\"y",
            "{\"_id\":\"x\\\"y\",\"n\":\"x\\\"y\"}",
        );
        check(" { \"n\":17}", Some("n"), "17", "{\"_id\":\"17\",\"n\":17}");
        let content = "15f65339921e497348be384867bb940f";
        check(
            "{\"hello\":\"world\"}",
            None,
            content,
            &format!("{{\"_id\":\"{content}\",\"hello\":\"world\"}}"),
        );
        check(
            "{}",
            None,
            "967a00dff5e02add41819138abb3284d",
            "{\"_id\":\"967a00dff5e02add41819138abb3284d\"}",
        );
        let refusal = item("{\"n\":null}", Some("n")).unwrap_err();
        assert_eq!(refusal.line, 3);
        assert!(refusal.reason.contains("neither _id nor \"n\""), "{refusal:?}");
    }

    #[test]
    fn revision_is_the_one_creating_makes_or_the_one_restored() {
        let created = item("{\"_id\":\"a\",\"value\":0}", None).unwrap();
        assert_eq!(created.rev.to_string(), "1-7e97409c987eac3a99385a17ad4cbabe");
        assert_eq!(created.path, None);
        let restored = item(
            "{\"_id\":\"a\",\"_revisions\":{\"start\":2,\"ids\":[\"b\",\"a\"]}}",
            None,
        )
        .unwrap();
        assert_eq!(restored.rev.to_string(), "2-b");
        assert_eq!(restored.path.map(|path| path.digests.len()), Some(2));
    }

    #[test]
    fn row_gives_its_doc() {
        let record = |text: &str| Record {
            text: text.to_owned(),
            line: 1,
            row: true,
        };
        let found = plan(record("{\"id\":\"a\",\"doc\":{\"_id\":\"a\"}}"), None).unwrap();
        assert_eq!(found.id.as_str(), "a");
        let refusal = plan(record("{\"id\":\"a\",\"value\":1}"), None).unwrap_err();
        assert!(refusal.reason.contains("include_docs"), "{refusal:?}");
    }
}
