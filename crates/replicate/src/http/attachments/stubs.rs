//! A source that answers `open_revs` in JSON only, with stubs: its attachments are read by their own URLs.

use super::CHUNKS_AHEAD;
use crate::http::address::escaped;
use crate::http::client::{BATCH, Client};
use crate::peer::{OpenRev, Opened, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use bytes::Bytes;
use reqwest::Response;
use reqwest::header::ACCEPT_ENCODING;
use tokio::sync::mpsc;
use trunkline_core::attachment::{Attachment, Content, Encoding};
use trunkline_core::rev::{InvalidRev, Rev};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::document::{self, AttachmentForm, Pieces};
use trunkline_wire::replication;

/// Sends one document; answers whether anyone still listens.
pub(super) async fn send(
    client: &Client,
    id: &str,
    json: Bytes,
    sender: &mpsc::Sender<Result<Opened, PeerError>>,
) -> Result<bool, PeerError> {
    if let Some(Err(InvalidRev(odd))) = str::from_utf8(&json).ok().and_then(replication::rev_of) {
        let refused = RefusedDoc::of_odd_rev(id, &odd);
        return Ok(sender.send(Ok(Opened::Refused(refused))).await.is_ok());
    }
    let bad = |reason: String| client.error(PeerErrorKind::Protocol, reason);
    let doc = document::parse(&json).map_err(|error| bad(error.to_string()))?;
    let path = doc.path().map_err(|error| bad(error.to_string()))?;
    let rev = path
        .rev()
        .ok_or_else(|| bad("a document without a revision".to_owned()))?;
    let (chunks, parts) = mpsc::channel(CHUNKS_AHEAD);
    if doc
        .attachments
        .iter()
        .all(|attachment| !matches!(attachment.data, IncomingData::Stub))
    {
        // Nothing to add: no attachments, or all of them inline.
        let open = OpenRev {
            id: id.into(),
            rev,
            json,
            parts,
        };
        return Ok(sender.send(Ok(Opened::Rev(open))).await.is_ok());
    }
    let mut attachments = Vec::new();
    let mut bodies = Vec::new();
    for attachment in &doc.attachments {
        let (described, body) = open(client, id, &rev, attachment).await?;
        attachments.push(described);
        bodies.push(body);
    }
    let forms = vec![AttachmentForm::Follows; attachments.len()];
    let mut json = Vec::new();
    let pieces = Pieces {
        id,
        rev: &rev,
        deleted: doc.deleted,
        body: doc.body.as_str(),
        attachments: &attachments,
    };
    document::write_replicated(&mut json, pieces, &path, &forms);
    let open = OpenRev {
        id: id.into(),
        rev: rev.clone(),
        json: json.into(),
        parts,
    };
    if sender.send(Ok(Opened::Rev(open))).await.is_err() {
        return Ok(false);
    }
    for body in bodies {
        if !forward(client, body, &chunks).await {
            break;
        }
    }
    Ok(true)
}

/// Where the bytes of one attachment are.
enum Body {
    /// Under way; read when its turn comes.
    Answer(Box<Response>),
    Inline(Bytes),
}

async fn open(
    client: &Client,
    id: &str,
    rev: &Rev,
    attachment: &IncomingAttachment,
) -> Result<(Attachment, Body), PeerError> {
    let (length, md5, body) = match &attachment.data {
        IncomingData::Inline(data) => {
            // The digest of inline data may be that of a compressed form.
            let md5 = <md5::Md5 as md5::Digest>::digest(data).into();
            (data.len() as u64, md5, Body::Inline(Bytes::copy_from_slice(data)))
        }
        _ => {
            let document = client.address.document(id);
            let url = format!(
                "{document}/{}?rev={}",
                escaped(&attachment.name),
                escaped(&rev.to_string())
            );
            let request = client.get(url).header(ACCEPT_ENCODING, "identity");
            let answer = client.send(request, BATCH).await?;
            if !answer.status().is_success() {
                return Err(client.fault(answer).await.about_one_document());
            }
            let length = answer.content_length();
            let md5 = attachment.md5.unwrap_or_default();
            match length {
                Some(length) => (length, md5, Body::Answer(Box::new(answer))),
                None => {
                    let bytes = client.body(answer).await?;
                    (bytes.len() as u64, md5, Body::Inline(bytes))
                }
            }
        }
    };
    let described = Attachment {
        name: attachment.name.as_str().into(),
        content_type: attachment
            .content_type
            .as_deref()
            .unwrap_or("application/octet-stream")
            .into(),
        revpos: attachment.revpos.unwrap_or(rev.generation),
        content: Content {
            hash: [0; 32],
            md5,
            length,
            encoding: Encoding::Identity,
        },
    };
    Ok((described, body))
}

/// Answers whether the receiver still listens and the source still sends.
async fn forward(client: &Client, body: Body, chunks: &mpsc::Sender<Result<Bytes, PeerError>>) -> bool {
    let mut answer = match body {
        Body::Inline(bytes) => return chunks.send(Ok(bytes)).await.is_ok(),
        Body::Answer(answer) => answer,
    };
    loop {
        match client.chunk(&mut answer).await {
            Ok(None) => return true,
            Ok(Some(chunk)) => {
                if chunks.send(Ok(chunk)).await.is_err() {
                    return false;
                }
            }
            Err(error) => {
                let _ = chunks.send(Err(error)).await;
                return false;
            }
        }
    }
}
