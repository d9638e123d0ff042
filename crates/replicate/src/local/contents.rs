//! Attachment bytes by content: chunks out of the store, and into it, each by a short call of its own, so that no thread
//! waits for the other peer.

use super::LocalPeer;
use crate::peer::{PeerError, PeerErrorKind};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash, Encoding};
use trunkline_core::doc::ReplicatedEdit;
use trunkline_core::limits::{UPLOADS_BEGUN_MAX, UPLOADS_BEGUN_MS};
use trunkline_store::{ContentReader, Database, Error, StagedContents, Staging};

/// Bytes of a chunk: few calls, little memory.
const CHUNK_BYTES: usize = 128 << 10;
/// Chunks that may wait for a slow reader.
pub(super) const CHUNKS_AHEAD: usize = 4;

type Chunks = mpsc::Sender<Result<Bytes, PeerError>>;

/// Sends stored bytes from an offset on, as fast as they are received.
pub(super) async fn send(
    peer: &LocalPeer,
    content: &Content,
    from: u64,
) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
    let database = peer.with_database(|_, database| Ok(database)).await?;
    let reader = open(peer, &database, content, from).await?;
    let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let peer = peer.clone();
    tokio::spawn(async move {
        if let Err(error) = send_from(&peer, reader, &chunks).await {
            // The receiver may be gone; then nobody needs the error.
            let _ = chunks.send(Err(error)).await;
        }
    });
    Ok(receiver)
}

/// Sends all of a content behind what was sent before.
pub(super) async fn send_whole(
    peer: &LocalPeer,
    database: &Database,
    content: &Content,
    chunks: &Chunks,
) -> Result<(), PeerError> {
    let reader = open(peer, database, content, 0).await?;
    send_from(peer, reader, chunks).await
}

async fn open(
    peer: &LocalPeer,
    database: &Database,
    content: &Content,
    from: u64,
) -> Result<ContentReader, PeerError> {
    let (opener, database, content) = (peer.clone(), database.clone(), content.clone());
    peer.blocking(move || {
        let mut reader = database
            .open_content(&content)
            .map_err(|error| opener.unserved(&error))?;
        if from > 0 {
            let sought = reader.seek(SeekFrom::Start(from));
            sought.map_err(|error| opener.unserved(&unread(error)))?;
        }
        Ok(reader)
    })
    .await
}

async fn send_from(peer: &LocalPeer, mut reader: ContentReader, chunks: &Chunks) -> Result<(), PeerError> {
    loop {
        let read = move || -> Result<_, PeerError> {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let read = (&mut reader).take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
            Ok((read.map(|_| chunk), reader))
        };
        let (chunk, back) = peer.blocking(read).await?;
        reader = back;
        let chunk = chunk.map_err(|error| peer.unserved(&unread(error)))?;
        if chunk.is_empty() || chunks.send(Ok(chunk.into())).await.is_err() {
            return Ok(());
        }
    }
}

fn unread(error: std::io::Error) -> Error {
    Error::Io("reading an attachment".to_owned(), Arc::new(error))
}

/// What uploads left; shared by a peer's clones, and let go with the last of them.
#[derive(Clone, Default)]
pub(super) struct Uploads(Arc<Left>);

#[derive(Default)]
struct Left {
    /// Cut off, and when.
    cut: Mutex<HashMap<ContentHash, (Staging, Instant)>>,
    /// Staged for documents to come, and since when.
    whole: Mutex<HashMap<ContentHash, (Database, Content, Instant)>>,
}

impl Left {
    /// Lets staged contents go that no document came for.
    fn let_go(&self, late: impl Fn(&Instant) -> bool) {
        let mut whole = self.whole.lock();
        for (_, (database, content, _)) in whole.extract_if(|_, (_, _, since)| late(since)) {
            database.unstage(&content);
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.let_go(|_| true);
    }
}

fn is_late(since: &Instant) -> bool {
    since.elapsed() >= Duration::from_millis(UPLOADS_BEGUN_MS)
}

impl Uploads {
    /// Bytes that came before the cut.
    pub(super) fn begun(&self, hash: &ContentHash) -> u64 {
        self.0.let_go(is_late);
        let mut uploads = self.0.cut.lock();
        uploads.retain(|_, (_, cut)| !is_late(cut));
        uploads.get(hash).map_or(0, |(staging, _)| staging.bytes_staged())
    }

    /// Hands over the contents that an edit brings; others that it names are stored, or staged for others.
    pub(super) fn hand_over(&self, edit: &mut ReplicatedEdit, staged: &mut StagedContents) {
        let mut whole = self.0.whole.lock();
        for attachment in &mut edit.attachments {
            if let AttachmentSource::Staged(content) = &attachment.source {
                attachment.source = match whole.remove(&content.hash) {
                    Some(_) => staged.add(content.clone()),
                    None => AttachmentSource::Named(content.clone()),
                };
            }
        }
    }

    fn wait(&self, database: &Database, content: &Content) {
        self.0.let_go(is_late);
        let waiting = (database.clone(), content.clone(), Instant::now());
        let before = self.0.whole.lock().insert(content.hash, waiting);
        if let Some((database, content, _)) = before {
            database.unstage(&content);
        }
    }

    fn resume(&self, hash: &ContentHash, from: u64) -> Option<Staging> {
        let mut uploads = self.0.cut.lock();
        let (staging, _) = uploads.remove(hash)?;
        Some(staging).filter(|staging| staging.bytes_staged() == from)
    }

    fn keep(&self, hash: ContentHash, staging: Staging) {
        let mut uploads = self.0.cut.lock();
        if uploads.len() >= UPLOADS_BEGUN_MAX
            && let Some(oldest) = uploads
                .iter()
                .min_by_key(|(_, (_, cut))| *cut)
                .map(|(hash, _)| *hash)
        {
            uploads.remove(&oldest);
        }
        uploads.insert(hash, (staging, Instant::now()));
    }
}

/// Bytes on their way in; dropped before their end, they are kept to be gone on with.
struct Upload {
    uploads: Uploads,
    hash: ContentHash,
    staging: Option<Staging>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(staging) = self.staging.take().filter(|staging| staging.bytes_staged() > 0) {
            self.uploads.keep(self.hash, staging);
        }
    }
}

/// Stages a content's bytes, from where an earlier upload was cut.
pub(super) async fn take(
    peer: &LocalPeer,
    content: &Content,
    from: u64,
    mut bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
) -> Result<(), PeerError> {
    let whole = match content.encoding {
        Encoding::Identity => content.length,
        Encoding::Gzip { encoded_length } => encoded_length,
    };
    let mut upload = begin(peer, content.hash, from, whole).await?;
    let mut came = from;
    while let Some(chunk) = bytes.recv().await {
        let chunk = chunk?;
        came += chunk.len() as u64;
        if came > whole {
            drop(upload.staging.take());
            return Err(wrong(peer, "there are more bytes than its length says"));
        }
        let writer = peer.clone();
        let write = move || {
            let staging = upload.staging.as_mut();
            let written = staging.map_or(Ok(()), |staging| staging.write_all(&chunk));
            if let Err(error) = written {
                // Nobody knows how much of the chunk is there.
                drop(upload.staging.take());
                let error = Error::Io("staging an attachment".to_owned(), Arc::new(error));
                return Err(writer.error(&error));
            }
            Ok(upload)
        };
        upload = peer.blocking(write).await?;
    }
    if came < whole {
        let reason = format!("an attachment ended after {came} of {whole} bytes");
        return Err(PeerError::new(
            peer.name.as_str(),
            PeerErrorKind::Unavailable,
            reason,
        ));
    }
    let content = content.clone();
    peer.with_database(move |peer, database| finish(peer, &database, upload, &content))
        .await
}

async fn begin(peer: &LocalPeer, hash: ContentHash, from: u64, whole: u64) -> Result<Upload, PeerError> {
    let staging = match peer.uploads.resume(&hash, from) {
        Some(staging) => staging,
        None if from > 0 => {
            let reason = format!("no upload was cut off at byte {from}");
            return Err(PeerError::new(
                peer.name.as_str(),
                PeerErrorKind::Unavailable,
                reason,
            ));
        }
        None => {
            peer.with_database(move |peer, database| {
                database.stage(Some(whole)).map_err(|error| match error {
                    Error::Refused(refused) => wrong(peer, &refused.to_string()),
                    error => peer.error(&error),
                })
            })
            .await?
        }
    };
    Ok(Upload {
        uploads: peer.uploads.clone(),
        hash,
        staging: Some(staging),
    })
}

fn finish(
    peer: &LocalPeer,
    database: &Database,
    mut upload: Upload,
    content: &Content,
) -> Result<(), PeerError> {
    let Some(staging) = upload.staging.take() else {
        return Ok(());
    };
    let staged = match content.encoding {
        Encoding::Identity => staging.finish(),
        Encoding::Gzip { .. } => staging.finish_gzip(),
    };
    let staged = staged.map_err(|error| match error {
        Error::Refused(refused) => wrong(peer, &refused.to_string()),
        error => peer.error(&error),
    })?;
    if staged != *content {
        database.unstage(&staged);
        return Err(wrong(peer, "the bytes that came are others than its hash says"));
    }
    // Documents that name it already are given it now; others take it when they come.
    let supplied = match database.open_content(content) {
        Err(Error::ContentAbsent(_)) => database.supply(content),
        _ => Ok(false),
    };
    match supplied {
        Ok(true) => Ok(()),
        Ok(false) => {
            peer.uploads.wait(database, content);
            Ok(())
        }
        Err(error) => {
            database.unstage(content);
            Err(peer.error(&error))
        }
    }
}

fn wrong(peer: &LocalPeer, reason: &str) -> PeerError {
    PeerError::new(peer.name.as_str(), PeerErrorKind::Protocol, reason)
}
