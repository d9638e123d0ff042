//! Documents to a target, with the checkpoint for their commit.

use super::ask;
use crate::http::client::{BATCH, Client};
use crate::http::documents::{self, BODY_BYTES, refused_rows, speaks_of_attachments};
use crate::peer::{BulkWritten, Doc, DocContent, LogWrite, PeerError, PeerKind};
use crate::session::RefusedDoc;
use reqwest::header::CONTENT_TYPE;
use trunkline_core::doc::ReplicatedEdit;
use trunkline_core::doc_id::DocId;
use trunkline_wire::document;
use trunkline_wire::exchange::{self, DocsAnswer, Log};

/// As [`crate::Peer::bulk_docs`]. The checkpoint goes with the last request. `None` when the peer has no such path
/// after all.
pub(in crate::http) async fn bulk_docs(
    client: &Client,
    docs: Vec<Doc>,
    log: Option<LogWrite>,
) -> Result<Option<BulkWritten>, PeerError> {
    let mut written = BulkWritten::default();
    let mut plain = Vec::new();
    let mut bodies = Bodies::default();
    for doc in docs {
        let (id, rev) = (doc.id, doc.rev);
        let edit = match doc.content {
            DocContent::Edit(edit) => Ok(edit),
            // Its attachments may be inline.
            DocContent::Json(json) if speaks_of_attachments(&json) => {
                let content = DocContent::Json(json);
                plain.push(Doc { id, rev, content });
                continue;
            }
            DocContent::Json(json) => taken_apart(&id, &json),
        };
        let refused = match edit {
            Ok(edit) if bodies.push(&edit) => continue,
            Ok(_) => ("document_too_large", id.to_string()),
            Err(refused) => refused,
        };
        written.refused.push(RefusedDoc {
            id: id.into(),
            rev: rev.to_string(),
            error: refused.0.to_owned(),
            reason: refused.1,
        });
    }
    if !plain.is_empty() {
        let plain = documents::bulk_docs(client, PeerKind::Trunkline, plain).await?;
        written.refused.extend(plain.refused);
    }
    for body in bodies.finish(log) {
        let Some(answer) = post(client, body).await? else {
            return Ok(None);
        };
        let refused = refused_rows(client, answer.refused, |_| None)?;
        written.refused.extend(refused);
        written.log_number = answer.log_number;
        written.instance_start_time = answer.instance_start_time;
    }
    Ok(Some(written))
}

/// Bodies of requests, as long as they should get.
#[derive(Default)]
struct Bodies(Vec<Vec<u8>>);

impl Bodies {
    /// False when no body can hold the document.
    fn push(&mut self, edit: &ReplicatedEdit) -> bool {
        let body = match self.0.pop() {
            Some(body) if body.len() < BODY_BYTES => body,
            full => {
                self.0.extend(full);
                started()
            }
        };
        self.0.push(body);
        self.0
            .last_mut()
            .is_some_and(|body| exchange::write_document(body, edit))
    }

    fn finish(mut self, log: Option<LogWrite>) -> Vec<Vec<u8>> {
        if let Some(log) = log {
            if self.0.is_empty() {
                self.0.push(started());
            }
            let log = Log {
                replication_id: log.replication_id.into(),
                number: log.number,
                body: log.body.into(),
            };
            self.0
                .iter_mut()
                .last()
                .into_iter()
                .for_each(|body| exchange::write_log(body, &log));
        }
        self.0
    }
}

fn started() -> Vec<u8> {
    let mut body = Vec::new();
    exchange::start(&mut body);
    body
}

/// The edit that a document's text stands for, or error word and reason.
fn taken_apart(id: &str, json: &[u8]) -> Result<ReplicatedEdit, (&'static str, String)> {
    let doc = document::parse(json).map_err(|invalid| (invalid.kind().word(), invalid.to_string()))?;
    Ok(ReplicatedEdit {
        id: DocId::parse(id).map_err(|invalid| ("illegal_docid", invalid.to_string()))?,
        path: doc
            .path()
            .map_err(|invalid| (invalid.kind().word(), invalid.to_string()))?,
        deleted: doc.deleted,
        body: doc.body,
        attachments: Vec::new(),
        age_ms: 0,
    })
}

async fn post(client: &Client, body: Vec<u8>) -> Result<Option<DocsAnswer>, PeerError> {
    let request = client
        .post(client.address.below("_exchange/docs"))
        .header(CONTENT_TYPE, exchange::CONTENT_TYPE);
    let Some(answer) = ask(client, client.with_body(request, body), BATCH).await? else {
        return Ok(None);
    };
    let answer = exchange::parse_docs_answer(&client.body(answer).await?);
    answer.map(Some).map_err(|error| client.bad_answer(error))
}
