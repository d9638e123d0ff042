//! Stored attachment bytes on their way to a client: read in blocks on threads that may block, never more than a few
//! blocks ahead of the client.

use crate::app::blocking;
use crate::error::Error;
use crate::respond::{Chunks, Gone};
use flate2::read::GzDecoder;
use std::io::{Read, Seek, SeekFrom};
use trunkline_core::attachment::Content;
use trunkline_store::Database;

/// Bytes read in one go.
const BLOCK_BYTES: usize = 256 << 10;

/// Why bytes are no longer sent.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The client is gone.
    Gone,
    /// The store failed.
    Failed(Error),
}

impl From<Gone> for Stopped {
    fn from(_: Gone) -> Stopped {
        Stopped::Gone
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Failed(error)
    }
}

/// Which bytes of an attachment are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All, as they are stored.
    Stored,
    /// All, decoded.
    Decoded,
    /// From one to another, the latter included, of bytes stored as they are.
    Range(u64, u64),
}

/// Sends all bytes as they are stored, behind what `out` holds; what is left to send stays in `out`.
pub(crate) async fn send_stored(
    db: &Database,
    content: &Content,
    out: &mut Vec<u8>,
    chunks: &Chunks,
) -> Result<(), Stopped> {
    send(db, content, Part::Stored, out, chunks).await
}

/// Sends the part, behind what `out` holds; what is left to send stays in `out`.
pub(crate) async fn send(
    db: &Database,
    content: &Content,
    part: Part,
    out: &mut Vec<u8>,
    chunks: &Chunks,
) -> Result<(), Stopped> {
    let (db, content) = (db.clone(), content.clone());
    let mut reader = blocking(move || open(&db, &content, part)).await?;
    loop {
        chunks.room().await?;
        let mut block = std::mem::take(out);
        let (rest, filled, done) = blocking(move || {
            let room = BLOCK_BYTES.saturating_sub(block.len()).max(1) as u64;
            let read = reader.by_ref().take(room).read_to_end(&mut block)? as u64;
            Ok((reader, block, read < room))
        })
        .await?;
        reader = rest;
        if done {
            *out = filled;
            return Ok(());
        }
        chunks.send(filled).await?;
    }
}

/// Sends the part, and nothing else; an answer that fails on its way is cut off.
pub(crate) async fn send_all(db: &Database, content: &Content, part: Part, chunks: &Chunks) {
    let mut out = Vec::new();
    match send(db, content, part, &mut out, chunks).await {
        Ok(()) => drop(chunks.send(out).await),
        Err(Stopped::Gone) => {}
        Err(Stopped::Failed(error)) => chunks.fail(error).await,
    }
}

fn open(db: &Database, content: &Content, part: Part) -> Result<Box<dyn Read + Send>, Error> {
    let mut reader = db.open_content(content)?;
    Ok(match part {
        Part::Stored => Box::new(reader),
        Part::Decoded => Box::new(GzDecoder::new(reader)),
        Part::Range(from, to) => {
            reader.seek(SeekFrom::Start(from))?;
            Box::new(reader.take(to.saturating_sub(from) + 1))
        }
    })
}
