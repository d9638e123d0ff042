//! Documents without attachments: compared, read and written many at once.

use super::client::{BATCH, Client, Fault, QUICK};
use crate::peer::{
    BulkWritten, Change, Doc, DocContent, Fetched, Missing, PeerError, PeerErrorKind, PeerKind,
};
use crate::session::RefusedDoc;
use bytes::Bytes;
use memchr::memmem;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode};
use std::collections::VecDeque;
use trunkline_core::rev::{InvalidRev, Rev};
use trunkline_wire::bulk_docs::{self, RequestWriter};
use trunkline_wire::bulk_get::{self, Got};
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::replication;
use trunkline_wire::revs_diff;

/// Bytes of one `_bulk_docs` body, unless one document is longer: CouchDB's own replicator sends as much.
pub(super) const BODY_BYTES: usize = 4 << 20;
/// Makes old CouchDBs write to disk before they answer: a run that goes on after one crashed counts on it.
pub(super) const FULL_COMMIT: (&str, &str) = ("X-Couch-Full-Commit", "true");
/// Error words of a row that speak of the server and not of the document: trying again may help.
const PASSING_ERRORS: [&str; 5] = [
    "internal_server_error",
    "internal_error",
    "unknown_error",
    "service_unavailable",
    "timeout",
];

pub(super) async fn revs_diff(client: &Client, asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
    let mut body = Vec::new();
    revs_diff::write_request(
        &mut body,
        asked.iter().map(|change| (&*change.id, change.revs.as_slice())),
    );
    let answer = client.read(post(client, "_revs_diff", body), BATCH).await?;
    let missing = revs_diff::parse_response(&answer).map_err(|error| client.bad_answer(error))?;
    let missing = missing.into_iter().map(|missing| Missing {
        id: missing.id.into(),
        revs: missing.missing,
        possible_ancestors: missing.possible_ancestors,
    });
    Ok(missing.collect())
}

pub(super) async fn bulk_get(client: &Client, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
    let asked: Vec<(&str, &Rev)> = wanted
        .iter()
        .flat_map(|missing| missing.revs.iter().map(|rev| (&*missing.id, rev)))
        .collect();
    let mut body = Vec::new();
    bulk_get::write_request(&mut body, asked.iter().map(|&(id, rev)| (id, rev, [].as_slice())));
    let request = post(client, "_bulk_get?revs=true&latest=true", body);
    let answer = client
        .send(request.header("accept", "application/json"), BATCH)
        .await?;
    if matches!(
        answer.status(),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    ) {
        let fault = client.fault(answer).await;
        if fault.error.kind == PeerErrorKind::DatabaseMissing {
            return Err(fault.error);
        }
        // An old server: what it has can be read document by document.
        return Ok(asked.iter().map(|(id, rev)| by_itself(id, rev)).collect());
    }
    if !answer.status().is_success() {
        return Err(client.fault(answer).await.about_documents());
    }
    let body = client.body(answer).await?;
    let rows = bulk_get::parse_response(&body).map_err(|error| client.bad_answer(error))?;
    if rows.len() != asked.len() {
        let reason = format!("{} rows in answer to {} revisions", rows.len(), asked.len());
        return Err(client.error(PeerErrorKind::Protocol, reason));
    }
    let mut fetched = Vec::with_capacity(rows.len());
    for (row, (id, rev)) in rows.into_iter().zip(asked) {
        if row.id != *id || row.docs.is_empty() {
            fetched.push(by_itself(id, rev));
            continue;
        }
        for got in row.docs {
            fetched.push(match got {
                Got::Doc(text) => doc(&body, text, id, rev),
                Got::Error { error, .. } if error == "not_found" || error == "missing" => Fetched::Missing {
                    id: id.into(),
                    rev: rev.clone(),
                },
                Got::Error { .. } => by_itself(id, rev),
            });
        }
    }
    Ok(fetched)
}

/// A revision of which a batch did not tell.
fn by_itself(id: &str, rev: &Rev) -> Fetched {
    Fetched::HasAttachments {
        id: id.into(),
        rev: rev.clone(),
    }
}

fn doc(body: &Bytes, text: &str, id: &str, asked: &Rev) -> Fetched {
    let rev = match replication::rev_of(text) {
        Some(Ok(rev)) => rev,
        Some(Err(InvalidRev(odd))) => return Fetched::Refused(RefusedDoc::of_odd_rev(id, &odd)),
        None => asked.clone(),
    };
    if speaks_of_attachments(text.as_bytes()) {
        return Fetched::HasAttachments { id: id.into(), rev };
    }
    Fetched::Doc(Doc {
        id: id.into(),
        rev,
        content: DocContent::Json(body.slice_ref(text.as_bytes())),
    })
}

/// Whether a document may have attachments: a search instead of a parse, for the many that have none.
pub(super) fn speaks_of_attachments(json: &[u8]) -> bool {
    memmem::find(json, b"\"_attachments\"").is_some()
}

pub(super) async fn bulk_docs(
    client: &Client,
    kind: PeerKind,
    docs: Vec<Doc>,
) -> Result<BulkWritten, PeerError> {
    if let Some(doc) = docs.iter().find(|doc| doc.names_attachments()) {
        // The feed carried them for an exchange that was hidden since: without attachments they would be others.
        let reason = format!(
            "document {} names attachments that only the exchange takes",
            doc.id
        );
        return Err(client.error(PeerErrorKind::Unavailable, reason));
    }
    let mut refused = Vec::new();
    let mut rest = VecDeque::from([docs.as_slice()]);
    while let Some(some) = rest.pop_front() {
        let (now, later) = some.split_at(fitting(some, kind));
        if !later.is_empty() {
            rest.push_front(later);
        }
        match now {
            [] => {}
            [only] if only.is_design() && kind != PeerKind::Trunkline => {
                refused.extend(put(client, only).await?);
            }
            _ => match post_docs(client, now).await? {
                Ok(rows) => refused.extend(rows),
                Err(fault) => match now {
                    [only] => refused.push(refusal(only, fault)),
                    _ => {
                        let (front, back) = now.split_at(now.len() / 2);
                        rest.push_front(back);
                        rest.push_front(front);
                    }
                },
            },
        }
    }
    Ok(BulkWritten {
        refused,
        ..BulkWritten::default()
    })
}

/// How many of the documents go into one request. Design documents go alone, since a refusal of one must not be
/// one of all.
fn fitting(docs: &[Doc], kind: PeerKind) -> usize {
    let mut bytes = 0;
    let fitting = docs.iter().take_while(|doc| {
        bytes += doc.bytes();
        bytes <= BODY_BYTES && (kind == PeerKind::Trunkline || !doc.is_design())
    });
    fitting.count().max(1).min(docs.len())
}

impl Doc {
    fn is_design(&self) -> bool {
        self.id.starts_with("_design/")
    }

    fn names_attachments(&self) -> bool {
        matches!(&self.content, DocContent::Edit(edit) if !edit.attachments.is_empty())
    }

    /// Of a document without attachments.
    fn write(&self, out: &mut Vec<u8>) {
        match &self.content {
            DocContent::Json(json) => out.extend_from_slice(json),
            DocContent::Edit(edit) => {
                let pieces = Pieces {
                    id: &self.id,
                    rev: &self.rev,
                    deleted: edit.deleted,
                    body: edit.body.as_str(),
                    attachments: &[],
                };
                document::write_replicated(out, pieces, &edit.path, &[]);
            }
        }
    }
}

/// The outer error is the peer's; the inner one says that these documents cannot be written together.
async fn post_docs(client: &Client, docs: &[Doc]) -> Result<Result<Vec<RefusedDoc>, Fault>, PeerError> {
    let mut writer = RequestWriter::new();
    for doc in docs {
        writer.push(|out| doc.write(out));
    }
    let answer = client
        .send(
            post(client, "_bulk_docs", writer.finish()).header(FULL_COMMIT.0, FULL_COMMIT.1),
            BATCH,
        )
        .await?;
    if !answer.status().is_success() {
        let fault = client.fault(answer).await;
        return if is_about_documents(&fault) {
            Ok(Err(fault))
        } else {
            Err(fault.error)
        };
    }
    let rows =
        bulk_docs::parse_response(&client.body(answer).await?).map_err(|error| client.bad_answer(error))?;
    let rev_of = |id: &str| Some(docs.iter().find(|doc| *doc.id == *id)?.rev.to_string());
    refused_rows(client, rows, rev_of).map(Ok)
}

/// The refusals among an answer's rows; `rev_of` tells revisions that the peer does not.
pub(super) fn refused_rows(
    client: &Client,
    rows: Vec<bulk_docs::ResponseRow>,
    rev_of: impl Fn(&str) -> Option<String>,
) -> Result<Vec<RefusedDoc>, PeerError> {
    let passing = |row: &&bulk_docs::ResponseRow| {
        let word = row.error.as_ref().map(|(word, _)| word.as_str());
        word.is_some_and(|word| PASSING_ERRORS.contains(&word))
    };
    if let Some(row) = rows.iter().find(passing) {
        let (word, reason) = row.error.clone().unwrap_or_default();
        let reason = format!("document {}: {word}: {reason}", row.id);
        return Err(client.error(PeerErrorKind::Unavailable, reason));
    }
    let refused = rows.into_iter().filter_map(|row| {
        let (error, reason) = row.error?;
        let rev = row.rev.or_else(|| rev_of(&row.id));
        Some(RefusedDoc {
            id: row.id,
            rev: rev.unwrap_or_default(),
            error,
            reason,
        })
    });
    Ok(refused.collect())
}

/// Refusals that fewer documents, or others, need not meet. Without an error word they come from a proxy, which knows
/// lengths and nothing else of documents.
pub(super) fn is_about_documents(fault: &Fault) -> bool {
    match fault.status.as_u16() {
        413 => true,
        400 | 415 | 417 | 422 => !fault.word.is_empty(),
        _ => false,
    }
}

fn refusal(doc: &Doc, fault: Fault) -> RefusedDoc {
    RefusedDoc {
        id: doc.id.to_string(),
        rev: doc.rev.to_string(),
        error: if fault.word.is_empty() {
            fault.status.as_u16().to_string()
        } else {
            fault.word
        },
        reason: fault.reason,
    }
}

/// Writes one document; a refusal of it is a value.
async fn put(client: &Client, doc: &Doc) -> Result<Option<RefusedDoc>, PeerError> {
    let mut body = Vec::new();
    doc.write(&mut body);
    let url = format!("{}?new_edits=false", client.address.document(&doc.id));
    let request = client
        .put(url)
        .header(CONTENT_TYPE, "application/json")
        .header(FULL_COMMIT.0, FULL_COMMIT.1)
        .body(body);
    let answer = client.send(request, BATCH).await?;
    if answer.status().is_success() {
        return Ok(None);
    }
    let fault = client.fault(answer).await;
    if is_about_documents(&fault) || is_barred(client, &fault).await? {
        return Ok(Some(refusal(doc, fault)));
    }
    Err(fault.error)
}

/// Whether this document alone may not be written: a design document wants an administrator, for one. The error says
/// that nothing may be.
pub(super) async fn is_barred(client: &Client, fault: &Fault) -> Result<bool, PeerError> {
    if !matches!(
        fault.error.kind,
        PeerErrorKind::Unauthorized | PeerErrorKind::Forbidden
    ) {
        return Ok(false);
    }
    let nothing = RequestWriter::new().finish();
    let request = post(client, "_bulk_docs", nothing).header(FULL_COMMIT.0, FULL_COMMIT.1);
    client.ok(request, QUICK).await?;
    Ok(true)
}

pub(super) fn post(client: &Client, below: &str, body: Vec<u8>) -> RequestBuilder {
    client
        .post(client.address.below(below))
        .header(CONTENT_TYPE, "application/json")
        .body(body)
}
