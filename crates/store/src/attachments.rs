//! Attachment bytes on their way in.
//!
//! Bytes are hashed and laid down before any lock is taken; the edit that takes them only moves them into place.

use crate::directory::sync_dir;
use crate::file::{ATTACHMENTS_NAME, OpenFile, content_path};
use crate::{Database, Error, Refused};
use flate2::read::MultiGzDecoder;
use md5::{Digest, Md5};
use std::fs;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use tempfile::{NamedTempFile, TempPath};
use trunkline_core::attachment::{Content, ContentHash, Encoding};
use trunkline_core::limits::{ATTACHMENT_BYTES_MAX, INLINE_ATTACHMENT_BYTES_MAX};

/// Staged content that no edit has taken yet.
#[derive(Debug)]
pub(crate) struct Staged {
    /// How often these bytes were staged and not taken yet; the last edit to take them removes them.
    uses: usize,
    pub(crate) stored_bytes: u64,
    md5: [u8; 16],
    pub(crate) bytes: StagedBytes,
}

impl Staged {
    /// Whether these are the bytes that are described.
    pub(crate) fn fits(&self, content: &Content) -> bool {
        self.stored_bytes == content.stored_bytes() && self.md5 == content.md5
    }
}

/// Where staged bytes wait.
#[derive(Debug)]
pub(crate) enum StagedBytes {
    Inline(Box<[u8]>),
    /// A file under another name, gone when dropped.
    File(TempPath),
}

impl Database {
    /// Stages attachment bytes outside of any lock. Abandoned staging leaves nothing behind.
    pub fn stage(&self, expected_bytes: Option<u64>) -> Result<Staging, Error> {
        if expected_bytes.is_some_and(|bytes| bytes > ATTACHMENT_BYTES_MAX) {
            return Err(Error::Refused(Refused::AttachmentTooLarge(String::new())));
        }
        // Finds out now, and not after the upload, that the database is gone.
        self.last_seq()?;
        Ok(Staging {
            database: self.clone(),
            buffer: Vec::new(),
            file: None,
            hasher: blake3::Hasher::new(),
            md5: Md5::new(),
            stored_bytes: 0,
        })
    }

    /// Lets staged content go that no edit will take, for instance because the request that brought it failed later.
    pub fn unstage(&self, content: &Content) {
        self.inner.release_staged(&content.hash);
    }
}

impl crate::database::Inner {
    /// Adds a use of staged content, where it is staged.
    pub(crate) fn use_staged(&self, hash: &ContentHash) -> bool {
        let mut staged = self.staged.lock();
        let entry = staged.get_mut(hash);
        entry.map(|entry| entry.uses += 1).is_some()
    }

    /// Takes one use of staged content away; the last one drops the bytes.
    pub(crate) fn release_staged(&self, hash: &ContentHash) {
        let mut staged = self.staged.lock();
        if let Some(entry) = staged.get_mut(hash) {
            entry.uses = entry.uses.saturating_sub(1);
            if entry.uses == 0 {
                staged.remove(hash);
            }
        }
    }

    pub(crate) fn discard_staged(&self) {
        self.staged.lock().clear();
    }
}

impl OpenFile {
    /// Gives a staged file the name that its hash says. Durable when this returns, the name included. The staged name
    /// stays: others may have staged the same bytes, and the commit may yet fail.
    pub(crate) fn place_content(&self, hash: &ContentHash, staged: &TempPath) -> io::Result<()> {
        let path = content_path(&self.dir, hash);
        let fan = path.parent().unwrap_or(&self.dir);
        match fs::create_dir(fan) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
            // Also when it was there: whoever made it may have ended before this.
            _ => sync_dir(&self.dir.join(ATTACHMENTS_NAME))?,
        }
        // Locked until the new file is in place: an unlinking that is due for the old one must not hit it.
        let mut unreferenced = self.unreferenced.lock();
        unreferenced.remove(hash);
        match fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => fs::hard_link(staged, &path)?,
        }
        drop(unreferenced);
        sync_dir(fan)
    }
}

/// Attachment bytes on their way in: write them, then finish. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub struct Staging {
    database: Database,
    /// Short content, until it outgrows the database file.
    buffer: Vec<u8>,
    file: Option<NamedTempFile>,
    hasher: blake3::Hasher,
    md5: Md5,
    stored_bytes: u64,
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stored_bytes + bytes.len() as u64 > ATTACHMENT_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the attachment is too large",
            ));
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => {
                self.buffer.extend_from_slice(bytes);
                if self.buffer.len() > INLINE_ATTACHMENT_BYTES_MAX {
                    let mut file = make_staging_file(&self.database.dir())?;
                    file.write_all(&self.buffer)?;
                    self.buffer = Vec::new();
                    self.file = Some(file);
                }
            }
        }
        self.hasher.update(bytes);
        self.md5.update(bytes);
        self.stored_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn make_staging_file(database_dir: &Path) -> io::Result<NamedTempFile> {
    let dir = database_dir.join(ATTACHMENTS_NAME);
    if !dir.exists() {
        // Not `create_dir_all`: the database may have been deleted meanwhile.
        match fs::create_dir(&dir) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
            _ => sync_dir(database_dir)?,
        }
    }
    tempfile::Builder::new().prefix(STAGING_PREFIX).tempfile_in(dir)
}

/// Names of staged files start so; a crash may leave some, which compaction removes.
pub(crate) const STAGING_PREFIX: &str = "staged-";

impl Staging {
    /// Bytes written so far: where an upload that was cut goes on.
    pub fn bytes_staged(&self) -> u64 {
        self.stored_bytes
    }

    /// Ends the upload of identity bytes. The content stays staged until an edit takes it (whatever becomes of that
    /// edit: an error of the whole commit takes it too), [`Database::unstage`] lets it go, or the store closes.
    pub fn finish(self) -> Result<Content, Error> {
        let length = self.stored_bytes;
        self.keep(length, Encoding::Identity)
    }

    /// Ends the upload of gzip bytes (as a CouchDB sends them); decodes once to learn `length`. `Refused` when it is not gzip.
    pub fn finish_gzip(mut self) -> Result<Content, Error> {
        let length = match &mut self.file {
            Some(file) => {
                file.rewind().map_err(Error::io("reading staged bytes"))?;
                decoded_length(io::BufReader::new(file.as_file()))?
            }
            None => decoded_length(self.buffer.as_slice())?,
        };
        let encoded_length = self.stored_bytes;
        self.keep(length, Encoding::Gzip { encoded_length })
    }

    fn keep(self, length: u64, encoding: Encoding) -> Result<Content, Error> {
        let content = Content {
            hash: *self.hasher.finalize().as_bytes(),
            md5: self.md5.finalize().into(),
            length,
            encoding,
        };
        let bytes = match self.file {
            Some(file) => {
                file.as_file()
                    .sync_all()
                    .map_err(Error::io("syncing staged bytes"))?;
                StagedBytes::File(file.into_temp_path())
            }
            None => StagedBytes::Inline(self.buffer.into()),
        };
        let mut staged = self.database.inner.staged.lock();
        // Staged twice, the first bytes are as good as the second.
        staged
            .entry(content.hash)
            .or_insert(Staged {
                uses: 0,
                stored_bytes: self.stored_bytes,
                md5: content.md5,
                bytes,
            })
            .uses += 1;
        Ok(content)
    }
}

fn decoded_length(gzip: impl Read) -> Result<u64, Error> {
    // One byte more than allowed tells an attachment that is just allowed from one that is not.
    let mut decoder = MultiGzDecoder::new(gzip).take(ATTACHMENT_BYTES_MAX + 1);
    match io::copy(&mut decoder, &mut io::sink()) {
        Ok(length) if length <= ATTACHMENT_BYTES_MAX => Ok(length),
        Ok(_) => Err(Error::Refused(Refused::AttachmentTooLarge(String::new()))),
        Err(cause) => Err(Error::Refused(Refused::BadAttachment(format!(
            "not gzip: {cause}"
        )))),
    }
}
