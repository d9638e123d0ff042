//! Attachment bytes on their way from a request into the store: gathered into blocks, written on threads that may
//! block. Never more than a block of one upload is in memory.

mod related;

pub(crate) use related::receive as receive_related;

use crate::app::blocking;
use crate::error::{Error, Result};
use axum::body::Bytes;
use std::io::Write;
use trunkline_core::attachment::Content;
use trunkline_store::{Database, StagedContents, Staging};

/// Bytes gathered before they are written: a thread hop for each costs little against writing and hashing them.
const BLOCK_BYTES: usize = 256 << 10;

/// One attachment being uploaded.
#[derive(Debug)]
pub(crate) struct Upload {
    staging: Option<Staging>,
    block: Vec<Bytes>,
    block_bytes: usize,
    bytes: u64,
    bytes_max: u64,
    name: String,
}

impl Upload {
    /// Starts an upload of the attachment `name`, of at most `bytes_max`.
    pub(crate) async fn start(
        db: &Database,
        name: &str,
        expected: Option<u64>,
        bytes_max: u64,
    ) -> Result<Upload> {
        if expected.is_some_and(|bytes| bytes > bytes_max) {
            return Err(Error::AttachmentTooLarge(name.to_owned()));
        }
        let db = db.clone();
        let staging = blocking(move || Ok(db.stage(expected)?)).await?;
        Ok(Upload {
            staging: Some(staging),
            block: Vec::new(),
            block_bytes: 0,
            bytes: 0,
            bytes_max,
            name: name.to_owned(),
        })
    }

    /// Goes on with one that was paused.
    pub(crate) fn go_on(staging: Staging, name: &str, bytes_max: u64) -> Upload {
        Upload {
            bytes: staging.bytes_staged(),
            staging: Some(staging),
            block: Vec::new(),
            block_bytes: 0,
            bytes_max,
            name: name.to_owned(),
        }
    }

    /// Lays down what came so far.
    pub(crate) async fn pause(mut self) -> Result<Staging> {
        let (staging, block) = self.take_block()?;
        blocking(move || write(staging, &block)).await
    }

    /// Takes the next bytes.
    pub(crate) async fn push(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.bytes_max {
            return Err(Error::AttachmentTooLarge(std::mem::take(&mut self.name)));
        }
        self.block_bytes += bytes.len();
        self.block.push(bytes);
        if self.block_bytes >= BLOCK_BYTES {
            let (staging, block) = self.take_block()?;
            self.staging = Some(blocking(move || write(staging, &block)).await?);
        }
        Ok(())
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the upload, whose content `staged` holds from here on; `gzip` says that the bytes are gzip.
    pub(crate) async fn finish(mut self, gzip: bool, staged: &mut StagedContents) -> Result<Content> {
        let (staging, block) = self.take_block()?;
        let mut finished = StagedContents::new(staged.database());
        let ended = blocking(move || {
            let staging = write(staging, &block)?;
            let content = if gzip {
                staging.finish_gzip()?
            } else {
                staging.finish()?
            };
            // Held here already: nobody may wait for the answer any more.
            finished.add(content.clone());
            Ok((content, finished))
        });
        let (content, finished) = ended.await?;
        staged.append(finished);
        Ok(content)
    }

    fn take_block(&mut self) -> Result<(Staging, Vec<Bytes>)> {
        self.block_bytes = 0;
        let staging = self
            .staging
            .take()
            .ok_or_else(|| Error::Internal("an upload failed before".to_owned()))?;
        Ok((staging, std::mem::take(&mut self.block)))
    }
}

fn write(mut staging: Staging, block: &[Bytes]) -> Result<Staging> {
    for bytes in block {
        staging.write_all(bytes)?;
    }
    Ok(staging)
}
