//! Documents with attachments, one at a time, streamed as multipart both ways.

mod parts;
mod stubs;

use super::address::escaped;
use super::client::{BATCH, Client};
use super::documents::{FULL_COMMIT, is_about_documents, is_barred};
use super::upload::Taken;
use crate::peer::{Missing, OpenRev, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use bytes::Bytes;
use futures_util::stream;
use parts::Following;
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use tokio::sync::mpsc;
use trunkline_core::rev::{InvalidRev, Rev};
use trunkline_wire::document;
use trunkline_wire::multipart::{DocumentEvent, DocumentReader, RelatedWriter};
use trunkline_wire::open_revs::{self, OpenRev as Item};
use trunkline_wire::replication;

/// Chunks of attachment bytes that may wait for a slow target.
pub(super) const CHUNKS_AHEAD: usize = 4;
/// Bytes of revision ids in one URL: servers and proxies refuse URLs beyond 8 KB or so.
const URL_REVS_BYTES: usize = 4000;
/// The same for ancestors; those that do not fit only save bytes.
const URL_ANCESTORS_BYTES: usize = 2000;

/// Reads revisions with their attachments.
pub(super) async fn open_revs(
    client: &Client,
    wanted: &Missing,
) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError> {
    let (sender, receiver) = mpsc::channel(1);
    let (client, wanted) = (client.clone(), wanted.clone());
    tokio::spawn(async move {
        // Whoever asked may go away while the source is silent, or sends without end.
        tokio::select! {
            () = sender.closed() => {}
            () = read_all(&client, &wanted, &sender) => {}
        }
    });
    Ok(receiver)
}

async fn read_all(client: &Client, wanted: &Missing, sender: &mpsc::Sender<Result<Opened, PeerError>>) {
    let mut rest = wanted.revs.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest, URL_REVS_BYTES).max(1));
        rest = later;
        if let Err(error) = read(client, wanted, now, sender).await {
            // The receiver may be gone; then nobody needs the error.
            let _ = sender.send(Err(error.about_documents())).await;
            return;
        }
    }
}

fn fitting(revs: &[Rev], bytes: usize) -> usize {
    let mut sum = 0;
    let fitting = revs.iter().take_while(|rev| {
        sum += rev.to_string().len() + 9;
        sum <= bytes
    });
    fitting.count()
}

async fn read(
    client: &Client,
    wanted: &Missing,
    revs: &[Rev],
    sender: &mpsc::Sender<Result<Opened, PeerError>>,
) -> Result<(), PeerError> {
    let list = |revs: &[Rev]| {
        let mut json = Vec::new();
        open_revs::write_revs(&mut json, revs);
        escaped(&String::from_utf8_lossy(&json))
    };
    let document = client.address.document(&wanted.id);
    let mut url = format!("{document}?revs=true&latest=true&open_revs={}", list(revs));
    let ancestors = wanted.possible_ancestors.as_slice();
    let ancestors = ancestors.split_at(fitting(ancestors, URL_ANCESTORS_BYTES)).0;
    if !ancestors.is_empty() {
        url.push_str(&format!("&atts_since={}", list(ancestors)));
    }
    let request = client
        .get(url)
        .header(ACCEPT, "multipart/mixed, application/json;q=0.5");
    let answer = client.send(request, BATCH).await?;
    if !answer.status().is_success() {
        let fault = client.fault(answer).await;
        if fault.status.as_u16() != 404 || fault.error.kind == PeerErrorKind::DatabaseMissing {
            return Err(fault.about_one_document());
        }
        return missing(revs, sender).await;
    }
    let content_type = answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    if content_type.starts_with("multipart/") {
        return read_multipart(client, answer, &content_type, wanted, sender).await;
    }
    let body = client.body(answer).await?;
    for item in open_revs::parse_response(&body).map_err(|error| client.bad_answer(error))? {
        match item {
            Item::Missing(rev) => missing(&rev_in(&rev), sender).await?,
            Item::Ok(text) => {
                let text = body.slice_ref(text.as_bytes());
                if !stubs::send(client, &wanted.id, text, sender).await? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn rev_in(text: &str) -> Vec<Rev> {
    Rev::parse(text).into_iter().collect()
}

async fn missing(revs: &[Rev], sender: &mpsc::Sender<Result<Opened, PeerError>>) -> Result<(), PeerError> {
    for rev in revs {
        // When the receiver is gone, so is the interest.
        let _ = sender.send(Ok(Opened::Missing(rev.clone()))).await;
    }
    Ok(())
}

async fn read_multipart(
    client: &Client,
    mut answer: Response,
    content_type: &str,
    wanted: &Missing,
    sender: &mpsc::Sender<Result<Opened, PeerError>>,
) -> Result<(), PeerError> {
    let bad = |error: trunkline_wire::invalid::Invalid| client.error(PeerErrorKind::Protocol, error.reason);
    let mut reader = DocumentReader::new(content_type).map_err(bad)?;
    // Where the bytes of the document under way go; its receiver may have lost interest, which ends none but itself.
    let mut chunks: Option<mpsc::Sender<Result<Bytes, PeerError>>> = None;
    loop {
        match reader.next_event().map_err(bad)? {
            DocumentEvent::More => match client.chunk(&mut answer).await {
                Ok(Some(chunk)) => reader.feed(&chunk),
                Ok(None) => {
                    reader.finish().map_err(bad)?;
                    return Ok(());
                }
                Err(error) => {
                    if let Some(chunks) = &chunks {
                        let _ = chunks.send(Err(error.clone())).await;
                    }
                    return Err(error);
                }
            },
            DocumentEvent::Doc(json) => {
                let (bytes, parts) = mpsc::channel(CHUNKS_AHEAD);
                chunks = Some(bytes);
                let rev = std::str::from_utf8(&json).ok().and_then(replication::rev_of);
                let rev = match rev {
                    Some(Ok(rev)) => rev,
                    Some(Err(InvalidRev(odd))) => {
                        chunks = None;
                        let refused = RefusedDoc::of_odd_rev(&wanted.id, &odd);
                        if sender.send(Ok(Opened::Refused(refused))).await.is_err() {
                            return Ok(());
                        }
                        continue;
                    }
                    None => return Err(client.error(PeerErrorKind::Protocol, "a document without _rev")),
                };
                let open = OpenRev {
                    id: wanted.id.clone(),
                    rev,
                    json: json.into(),
                    parts,
                };
                if sender.send(Ok(Opened::Rev(open))).await.is_err() {
                    return Ok(());
                }
            }
            DocumentEvent::Error(json) => {
                let item = open_revs::parse_item(&json).map_err(|error| client.bad_answer(error))?;
                if let Item::Missing(rev) = item {
                    missing(&rev_in(&rev), sender).await?;
                }
            }
            DocumentEvent::Data(bytes) => {
                if let Some(open) = &chunks
                    && open.send(Ok(bytes)).await.is_err()
                {
                    chunks = None;
                }
            }
            DocumentEvent::Attachment(_) | DocumentEvent::AttachmentEnd => {}
            DocumentEvent::DocEnd => chunks = None,
            DocumentEvent::Closed => return Ok(()),
        }
    }
}

/// Writes a revision with its attachments.
pub(super) async fn put_open_rev(client: &Client, rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
    let refused = |error: &str, reason: String| RefusedDoc {
        id: rev.id.to_string(),
        rev: rev.rev.to_string(),
        error: error.to_owned(),
        reason,
    };
    let following = match document::parse(&rev.json) {
        Ok(doc) => match Following::of(&doc.attachments) {
            Ok(following) => following,
            Err(reason) => return Ok(Err(refused("bad_request", reason))),
        },
        Err(invalid) => return Ok(Err(refused(invalid.kind().word(), invalid.to_string()))),
    };
    let url = format!("{}?new_edits=false", client.address.document(&rev.id));
    let mut request = client.put(url).header(FULL_COMMIT.0, FULL_COMMIT.1);
    let answer = if following.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
        client.send(request.body(rev.json.clone()), BATCH).await?
    } else {
        let writer = RelatedWriter::new(rand::random());
        let length = writer.content_length(rev.json.len(), following.attachments());
        // CouchDB wants exactly this form of the content type.
        request = request
            .header(CONTENT_TYPE, writer.content_type())
            .header(CONTENT_LENGTH, length);
        let upload = parts::Upload::new(writer, &rev.json, following, rev.parts);
        let (taken, body) = Taken::body(stream::unfold(upload, |mut upload| async move {
            Some((upload.next().await?, upload))
        }));
        client.upload(request.body(body), taken).await?
    };
    if answer.status().is_success() {
        return Ok(Ok(()));
    }
    let fault = client.fault(answer).await;
    if fault.error.kind == PeerErrorKind::MissingStub {
        return Err(fault.error);
    }
    if is_about_documents(&fault) || fault.status.as_u16() == 412 || is_barred(client, &fault).await? {
        let word = if fault.word.is_empty() {
            fault.status.as_u16().to_string()
        } else {
            fault.word
        };
        return Ok(Err(refused(&word, fault.reason)));
    }
    Err(fault.error)
}
