//! A database in a file, to seed a replica from: what a source would stream, and the contents its documents name.
//!
//! Taken from any peer that exchanges; read as a peer ([`SnapshotPeer`]) that a replica replicates from. The checkpoint of
//! that replication is one of the source's own, so that a replication from the source goes on where the snapshot ends.

mod peer;

pub use peer::SnapshotPeer;

use crate::peer::{ChangesAsk, DocContent, Peer, PeerError, PeerErrorKind};
use futures_util::stream::StreamExt;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash};
use trunkline_wire::exchange;
use trunkline_wire::snapshot::{Footer, MAGIC, write_footer};

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Documents, deleted ones included.
    pub documents: u64,
    /// Attachment contents.
    pub contents: u64,
}

/// Writes a snapshot of `source` to a new file; `tell` hears how many documents are in it so far. A file that was cut off
/// has no end, and is not taken for a snapshot.
pub async fn take_snapshot(
    source: Arc<dyn Peer>,
    path: &Path,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<Taken, PeerError> {
    let info = source.info().await?;
    if !info.exchanges {
        let reason = "a snapshot can only be taken of a Trunkline database; replicate from this one instead";
        return Err(PeerError::new(source.label(), PeerErrorKind::Invalid, reason));
    }
    let failed = |cause: std::io::Error| {
        let reason = format!("writing the snapshot: {cause}");
        PeerError::new(path.display().to_string(), PeerErrorKind::Invalid, reason)
    };
    let file = File::create_new(path).await.map_err(failed)?;
    let mut writer = Writer {
        out: BufWriter::with_capacity(256 << 10, file),
        at: 0,
    };
    let mut footer = Footer {
        identity: info.identity,
        instance_start_time: info.instance_start_time,
        last_seq: info.update_seq,
        ..Footer::default()
    };
    writer.put(&MAGIC).await.map_err(failed)?;
    let contents = rows(&*source, &mut writer, &mut footer, &failed, tell).await?;
    footer.contents_at = writer.at;
    footer.contents = contents.len() as u64;
    for sought in contents.values() {
        copy(&*source, sought, &mut writer, &failed).await?;
    }
    let mut end = Vec::new();
    write_footer(&mut end, &footer);
    let length = u32::try_from(end.len()).unwrap_or(u32::MAX);
    end.extend_from_slice(&length.to_le_bytes());
    end.extend_from_slice(&MAGIC);
    writer.put(&end).await.map_err(failed)?;
    writer.finish().await.map_err(failed)?;
    Ok(Taken {
        documents: footer.documents,
        contents: footer.contents,
    })
}

/// Writes every row, with its documents; answers the contents that they name.
async fn rows(
    source: &dyn Peer,
    writer: &mut Writer,
    footer: &mut Footer,
    failed: &(dyn Fn(std::io::Error) -> PeerError + Sync),
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<BTreeMap<ContentHash, (Box<str>, Content)>, PeerError> {
    let ask = ChangesAsk {
        docs: Arc::new(AtomicBool::new(true)),
        contents: true,
        ..ChangesAsk::default()
    };
    let mut contents = BTreeMap::new();
    let mut feed = source.changes(ask).await?;
    let mut out = Vec::new();
    exchange::start(&mut out);
    while let Some(changes) = feed.next().await {
        let changes = changes?;
        for row in &changes.rows {
            let mut docs = Vec::with_capacity(row.docs.len());
            for doc in &row.docs {
                if let DocContent::Edit(edit) = &doc.content {
                    docs.push(edit);
                }
            }
            if docs.len() != row.revs.len() {
                let reason = format!(
                    "document {} does not fit into a snapshot: its leaves are too long together",
                    row.id
                );
                return Err(PeerError::new(source.label(), PeerErrorKind::Invalid, reason));
            }
            for attachment in docs.iter().flat_map(|doc| &doc.attachments) {
                if let AttachmentSource::Staged(content) | AttachmentSource::Later(content) =
                    &attachment.source
                {
                    contents.insert(content.hash, (row.id.clone(), content.clone()));
                }
            }
            exchange::write_row(&mut out, &row.id, &row.revs, docs.into_iter());
        }
        footer.documents += changes.rows.len() as u64;
        footer.last_seq.clone_from(&changes.last_seq);
        let progress = exchange::Progress {
            last_seq: changes.last_seq,
            ..exchange::Progress::default()
        };
        exchange::write_progress(&mut out, &progress);
        writer.put(&out).await.map_err(failed)?;
        out.clear();
        tell(footer.documents);
    }
    exchange::write_end(&mut out);
    writer.put(&out).await.map_err(failed)?;
    Ok(contents)
}

async fn copy(
    source: &dyn Peer,
    (id, content): &(Box<str>, Content),
    writer: &mut Writer,
    failed: &(dyn Fn(std::io::Error) -> PeerError + Sync),
) -> Result<(), PeerError> {
    let length = content.stored_bytes();
    writer.put(&content.hash).await.map_err(failed)?;
    writer.put(&length.to_le_bytes()).await.map_err(failed)?;
    let mut bytes = source.content(content, Some(id), 0).await?;
    let mut copied = 0;
    while let Some(chunk) = bytes.recv().await {
        let chunk = chunk?;
        copied += chunk.len() as u64;
        writer.put(&chunk).await.map_err(failed)?;
    }
    if copied != length {
        let reason = format!("a content of {length} bytes came with {copied}");
        return Err(PeerError::new(source.label(), PeerErrorKind::Protocol, reason));
    }
    Ok(())
}

/// A file that is written from start to end.
struct Writer {
    out: BufWriter<File>,
    at: u64,
}

impl Writer {
    async fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes).await
    }

    async fn finish(mut self) -> std::io::Result<()> {
        self.out.flush().await?;
        self.out.get_ref().sync_all().await
    }
}
