//! Documents with the bytes of their attachments, streamed: `multipart/related` for one, `multipart/mixed` for several.

use super::open_revs::{Opening, Slice};
use crate::app::App;
use crate::content;
use crate::error::Error;
use crate::request::header_value;
use crate::respond::{self, Chunks};
use crate::show::{self, Members};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use trunkline_core::attachment::Attachment;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::revtree::RevTree;
use trunkline_replicate::Share;
use trunkline_store::{Database, Leaf};
use trunkline_wire::multipart::{MixedWriter, RelatedWriter};
use trunkline_wire::open_revs;

/// One document with its attachments.
pub(super) fn related(
    share: Share,
    db: Database,
    id: String,
    leaf: Leaf,
    tree: RevTree,
    members: Members,
    with_bytes: &[bool],
) -> Response {
    let writer = RelatedWriter::new(random());
    let json = json(&id, &leaf, &tree, members, with_bytes);
    let sent = sent(leaf.attachments, with_bytes);
    let length = writer.content_length(json.len(), &sent);
    let content_type = header_value(&writer.content_type());
    let (chunks, body) = respond::chunks(share);
    tokio::spawn(async move {
        let mut out = Vec::new();
        writer.open(&mut out, &json);
        drop(json);
        if chunks.send(std::mem::take(&mut out)).await.is_err() {
            return;
        }
        if parts(&db, &writer, &sent, &mut out, &chunks).await.is_ok() {
            writer.close(&mut out);
            let _ = chunks.send(out).await;
        }
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(respond::JSON));
    response
}

/// Several revisions of one document, each with its attachments, and those that are missing: behind the first of them.
pub(super) fn mixed(app: App, share: Share, opening: Opening, first: Slice) -> Response {
    let writer = MixedWriter::new(random());
    let content_type = header_value(&writer.content_type());
    let (chunks, body) = respond::chunks(share);
    tokio::spawn(async move {
        let _ = send_mixed(&app, opening, first, writer, &chunks).await;
    });
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type.unwrap_or(respond::JSON));
    response
}

async fn send_mixed(
    app: &App,
    mut opening: Opening,
    mut slice: Slice,
    writer: MixedWriter,
    chunks: &Chunks,
) -> Result<(), ()> {
    let mut out = Vec::new();
    writer.open(&mut out);
    loop {
        let (opened, tree) = slice;
        for leaf in opened {
            let leaf = match leaf {
                Ok(leaf) => leaf,
                Err(rev) => {
                    writer.error(&mut out);
                    open_revs::write_missing(&mut out, &rev);
                    writer.end_item(&mut out);
                    continue;
                }
            };
            let Opening { db, id, options, .. } = &opening;
            let since = options.atts_since.as_deref().unwrap_or_default();
            let with_bytes = show::with_bytes(&leaf, &tree, since);
            let json = json(id, &leaf, &tree, options.members, &with_bytes);
            drop(leaf.body);
            let sent = sent(leaf.attachments, &with_bytes);
            item(db, &writer, None, json, &sent, &mut out, chunks).await?;
        }
        if opening.is_done() {
            break;
        }
        chunks.send(std::mem::take(&mut out)).await.map_err(drop)?;
        let read = app.render(chunks, move || {
            let slice = opening.read_to_send()?;
            Ok((opening, slice))
        });
        match read.await {
            Ok(read) => (opening, slice) = read,
            Err(error) => {
                chunks.fail(error).await;
                return Err(());
            }
        }
    }
    writer.close(&mut out);
    chunks.send(out).await.map_err(drop)
}

/// One item of a mixed answer: a document alone, or with attachments that follow it.
pub(in crate::routes) async fn item(
    db: &Database,
    writer: &MixedWriter,
    names: Option<(&str, &str)>,
    json: Vec<u8>,
    sent: &[Attachment],
    out: &mut Vec<u8>,
    chunks: &Chunks,
) -> Result<(), ()> {
    if sent.is_empty() {
        writer.doc(out);
        out.extend_from_slice(&json);
    } else {
        let related = RelatedWriter::new(random());
        writer.related(out, &related, names);
        related.open(out, &json);
        // Attachments may take long.
        drop(json);
        if out.len() >= SCAN_CHUNK_BYTES {
            chunks.send(std::mem::take(out)).await.map_err(drop)?;
        }
        parts(db, &related, sent, out, chunks).await?;
        related.close(out);
    }
    writer.end_item(out);
    if out.len() >= SCAN_CHUNK_BYTES {
        chunks.send(std::mem::take(out)).await.map_err(drop)?;
    }
    Ok(())
}

async fn parts(
    db: &Database,
    writer: &RelatedWriter,
    sent: &[Attachment],
    out: &mut Vec<u8>,
    chunks: &Chunks,
) -> Result<(), ()> {
    for attachment in sent {
        writer.part(out, attachment);
        match content::send_stored(db, &attachment.content, out, chunks).await {
            Ok(()) => writer.end_part(out),
            Err(content::Stopped::Gone) => return Err(()),
            Err(content::Stopped::Failed(error)) => {
                let error: Error = error;
                chunks.fail(error).await;
                return Err(());
            }
        }
    }
    Ok(())
}

/// A document's JSON part: attachments whose bytes come are `follows`, with what their encoding is.
pub(in crate::routes) fn json(
    id: &str,
    leaf: &Leaf,
    tree: &RevTree,
    members: Members,
    with_bytes: &[bool],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(leaf.body.as_str().len() + id.len() + 512);
    let members = Members {
        att_encoding_info: true,
        ..members
    };
    show::write(
        &mut out,
        id,
        leaf,
        Some(tree),
        members,
        &show::following(with_bytes),
    );
    out
}

/// The attachments whose bytes come.
pub(in crate::routes) fn sent(attachments: Vec<Attachment>, with_bytes: &[bool]) -> Vec<Attachment> {
    attachments
        .into_iter()
        .zip(with_bytes)
        .filter_map(|(attachment, sent)| sent.then_some(attachment))
        .collect()
}

pub(in crate::routes) fn random() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}
