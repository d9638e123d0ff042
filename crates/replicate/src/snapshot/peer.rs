//! A snapshot file as a source.

use crate::peer::{
    BulkWritten, Change, Changes, ChangesAsk, Doc, DocContent, Fetched, LogWrite, Missing, OpenRev, Opened,
    Peer, PeerError, PeerErrorKind, PeerInfo, PeerKind, StoredLog,
};
use crate::session::RefusedDoc;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::mpsc;
use trunkline_core::attachment::{Content, ContentHash};
use trunkline_wire::exchange::{Frame, Reader};
use trunkline_wire::snapshot::{FOOTER_BYTES_MAX, Footer, MAGIC, parse_footer};

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// A snapshot file that a replication reads from. Cheap to clone; writing to it is refused.
#[derive(Clone, Debug)]
pub struct SnapshotPeer(Arc<Snapshot>);

#[derive(Debug)]
struct Snapshot {
    path: PathBuf,
    footer: Footer,
    /// Where in the file each content's bytes are.
    contents: BTreeMap<ContentHash, u64>,
}

impl SnapshotPeer {
    /// Whether a file begins as a snapshot does.
    pub fn is_snapshot(path: &Path) -> bool {
        let mut start = [0; MAGIC.len()];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == MAGIC
    }

    /// Opens a snapshot file, and finds its contents. Blocks.
    pub fn open(path: &Path) -> Result<SnapshotPeer, PeerError> {
        let bad = |reason: String| PeerError::new(path.display().to_string(), PeerErrorKind::Invalid, reason);
        let read = || -> io::Result<(Footer, BTreeMap<ContentHash, u64>)> {
            let mut file = File::open(path)?;
            let footer = footer(&mut file)?;
            let contents = contents(&mut file, &footer)?;
            Ok((footer, contents))
        };
        let (footer, contents) = read().map_err(|cause| bad(format!("reading the snapshot: {cause}")))?;
        Ok(SnapshotPeer(Arc::new(Snapshot {
            path: path.to_owned(),
            footer,
            contents,
        })))
    }

    /// How many documents it holds, deleted ones included.
    pub fn documents(&self) -> u64 {
        self.0.footer.documents
    }

    fn error(&self, kind: PeerErrorKind, reason: impl Into<String>) -> PeerError {
        PeerError::new(self.label(), kind, reason)
    }

    fn read_only<T>(&self) -> Result<T, PeerError> {
        Err(self.error(PeerErrorKind::Forbidden, "a snapshot can only be read"))
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn footer(file: &mut File) -> io::Result<Footer> {
    let cut_off = || malformed("it has no end: the file was cut off, or is no snapshot");
    let mut end = [0; 4 + MAGIC.len()];
    file.seek(SeekFrom::End(-(end.len() as i64)))
        .map_err(|_| cut_off())?;
    file.read_exact(&mut end)?;
    let [a, b, c, d, magic @ ..] = end;
    let length = u32::from_le_bytes([a, b, c, d]);
    if magic != MAGIC || length as usize > FOOTER_BYTES_MAX {
        return Err(cut_off());
    }
    file.seek(SeekFrom::End(-(end.len() as i64) - i64::from(length)))?;
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text)?;
    parse_footer(&text).map_err(|error| malformed(&error.0))
}

fn contents(file: &mut File, footer: &Footer) -> io::Result<BTreeMap<ContentHash, u64>> {
    let mut found = BTreeMap::new();
    let mut at = footer.contents_at;
    let end = file.metadata()?.len();
    for _ in 0..footer.contents {
        file.seek(SeekFrom::Start(at))?;
        let (mut hash, mut length) = ([0; 32], [0; 8]);
        file.read_exact(&mut hash)?;
        file.read_exact(&mut length)?;
        found.insert(hash, at + 40);
        at = u64::from_le_bytes(length)
            .checked_add(at + 40)
            .filter(|at| *at < end)
            .ok_or_else(|| malformed("a content is longer than the file"))?;
    }
    Ok(found)
}

/// Rows on their way from the file.
struct Rows {
    peer: SnapshotPeer,
    file: tokio::fs::File,
    reader: Reader,
    rows: Vec<Change>,
    ended: bool,
}

impl Rows {
    async fn next(&mut self) -> Result<Option<Changes>, PeerError> {
        let damaged = |peer: &SnapshotPeer, reason: String| {
            peer.error(
                PeerErrorKind::Invalid,
                format!("the snapshot is damaged: {reason}"),
            )
        };
        while !self.ended {
            let frame = self.reader.next_frame();
            match frame.map_err(|error| damaged(&self.peer, error.0))? {
                Some(Frame::Row(row)) => self.rows.push(Change {
                    docs: row
                        .docs
                        .into_iter()
                        .zip(&row.revs)
                        .map(|(edit, rev)| Doc {
                            id: row.id.clone(),
                            rev: edit.path.rev().unwrap_or_else(|| rev.clone()),
                            content: DocContent::Edit(edit),
                        })
                        .collect(),
                    id: row.id,
                    revs: row.revs,
                    odd_revs: Vec::new(),
                }),
                Some(Frame::Progress(progress)) => {
                    return Ok(Some(Changes {
                        rows: std::mem::take(&mut self.rows),
                        last_seq: progress.last_seq,
                        pending: None,
                        oldest_ms: None,
                    }));
                }
                Some(Frame::End) => self.ended = true,
                Some(_) => return Err(damaged(&self.peer, "a frame that does not belong there".into())),
                None => {
                    let mut chunk = vec![0; CHUNK_BYTES];
                    let read = self.file.read(&mut chunk).await;
                    match read.map_err(|cause| damaged(&self.peer, cause.to_string()))? {
                        0 => return Err(damaged(&self.peer, "its rows have no end".into())),
                        length => self.reader.feed(chunk.get(..length).unwrap_or_default()),
                    }
                }
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Peer for SnapshotPeer {
    fn label(&self) -> String {
        self.0.path.display().to_string()
    }

    async fn info(&self) -> Result<PeerInfo, PeerError> {
        let footer = &self.0.footer;
        Ok(PeerInfo {
            identity: footer.identity.clone(),
            instance_start_time: footer.instance_start_time.clone(),
            update_seq: footer.last_seq.clone(),
            kind: PeerKind::Trunkline,
            exchanges: true,
            remote: false,
        })
    }

    async fn create(&self) -> Result<(), PeerError> {
        self.read_only()
    }

    async fn replication_log(&self, _replication_id: &str) -> Result<Option<StoredLog>, PeerError> {
        Ok(None)
    }

    async fn put_replication_log(&self, _: &str, _: u64, _: &str) -> Result<u64, PeerError> {
        self.read_only()
    }

    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError> {
        Ok(self.0.footer.instance_start_time.clone())
    }

    async fn pending(&self, _since: &str) -> Result<Option<u64>, PeerError> {
        Ok(None)
    }

    async fn changes(
        &self,
        ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
        let filtered = ask.doc_ids.is_some()
            || ask.selector.is_some()
            || ask.filter.is_some()
            || ask.feed_name.is_some()
            || ask.main_only
            || ask.without_deleted;
        if filtered || ask.continuous || ask.since.is_some() || ask.until.is_some() {
            return Err(self.error(
                PeerErrorKind::Invalid,
                "a snapshot is read from its start to its end",
            ));
        }
        let failed = |cause: io::Error| self.error(PeerErrorKind::Invalid, cause.to_string());
        let mut file = tokio::fs::File::open(&self.0.path).await.map_err(failed)?;
        file.seek(SeekFrom::Start(MAGIC.len() as u64))
            .await
            .map_err(failed)?;
        let rows = Rows {
            peer: self.clone(),
            file,
            reader: Reader::new(),
            rows: Vec::new(),
            ended: false,
        };
        Ok(stream::unfold(rows, |mut rows| async move {
            let next = rows.next().await;
            rows.ended |= next.is_err();
            next.transpose().map(|changes| (changes, rows))
        })
        .boxed())
    }

    async fn revs_diff(&self, _asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
        self.read_only()
    }

    async fn bulk_get(&self, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
        // Its rows carry every document there is.
        let missing = wanted.iter().flat_map(|missing| {
            missing.revs.iter().map(|rev| Fetched::Missing {
                id: missing.id.clone(),
                rev: rev.clone(),
            })
        });
        Ok(missing.collect())
    }

    async fn bulk_docs(&self, _docs: Vec<Doc>, _log: Option<LogWrite>) -> Result<BulkWritten, PeerError> {
        self.read_only()
    }

    async fn open_revs(
        &self,
        _wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError> {
        self.read_only()
    }

    async fn put_open_rev(&self, _rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
        self.read_only()
    }

    async fn lacking(&self, _contents: &[Content]) -> Result<Vec<Content>, PeerError> {
        self.read_only()
    }

    async fn content(
        &self,
        content: &Content,
        _of: Option<&str>,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
        let Some(at) = self.0.contents.get(&content.hash) else {
            return Err(self.error(PeerErrorKind::Absent, "the snapshot lacks a content"));
        };
        let failed = |cause: io::Error| self.error(PeerErrorKind::Invalid, cause.to_string());
        let mut file = tokio::fs::File::open(&self.0.path).await.map_err(failed)?;
        file.seek(SeekFrom::Start(at + from)).await.map_err(failed)?;
        let mut rest = file.take(content.stored_bytes().saturating_sub(from));
        let (sender, receiver) = mpsc::channel(1);
        let peer = self.clone();
        tokio::spawn(async move {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = match rest.read(&mut chunk).await {
                    Ok(0) => return,
                    Ok(length) => {
                        chunk.truncate(length);
                        Ok(Bytes::from(chunk))
                    }
                    Err(cause) => Err(peer.error(PeerErrorKind::Invalid, cause.to_string())),
                };
                if sender.send(read).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    async fn content_begun(&self, _content: &Content) -> Result<u64, PeerError> {
        self.read_only()
    }

    async fn put_content(
        &self,
        _content: &Content,
        _from: u64,
        _bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Result<(), PeerError> {
        self.read_only()
    }
}
