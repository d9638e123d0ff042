//! Attachment bytes on their way out.

use crate::file::content_path;
use crate::tables::content::{ContentBytes, ContentRow};
use crate::{Database, Error, Refused, Want, WantRevs, tables};
use redb::ReadableDatabase;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use trunkline_core::attachment::{Content, ContentHash};

impl Database {
    /// Opens stored attachment bytes (as stored, not decoded) for reading and seeking. [`Error::ContentAbsent`] when
    /// they are still to come.
    pub fn open_content(&self, content: &Content) -> Result<ContentReader, Error> {
        self.open_stored(&content.hash)
    }

    /// [`Database::open_content`] for one who was not shown it, and knows the hash alone. Who does not see all of the
    /// database names a document, too: where no leaf of it that is seen has the content, it is [`Refused::Missing`], as
    /// if it were nowhere, and without a document [`Error::NotWhole`].
    pub fn open_content_by_hash(&self, hash: &ContentHash, of: Option<&str>) -> Result<ContentReader, Error> {
        if !self.is_whole() && !self.shows_content(of.ok_or(Error::NotWhole)?, hash)? {
            return Err(Error::Refused(Refused::Missing));
        }
        self.open_stored(hash)
    }

    fn shows_content(&self, id: &str, hash: &ContentHash) -> Result<bool, Error> {
        let found = self.bulk_get(&[Want {
            id: id.to_owned(),
            revs: WantRevs::All,
        }])?;
        let leaves = found.iter().flatten().flat_map(|found| &found.leaves);
        let mut attachments = leaves.flat_map(|leaf| &leaf.attachments);
        Ok(attachments.any(|attachment| attachment.content.hash == *hash))
    }

    fn open_stored(&self, hash: &ContentHash) -> Result<ContentReader, Error> {
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::ATTACHMENTS)?;
        let row = table
            .get(hash.as_slice())?
            .ok_or(Error::Refused(Refused::Missing))?;
        let row = ContentRow::decode(row.value())?;
        let source = match row.bytes {
            ContentBytes::Absent { .. } => return Err(Error::ContentAbsent(*hash)),
            ContentBytes::Inline(bytes) => Source::Inline(Cursor::new(bytes.into())),
            ContentBytes::File => match File::open(content_path(&file.dir, hash)) {
                Ok(file) => Source::File(file),
                // Dropped by a commit since the row was read.
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                    return Err(Error::Refused(Refused::Missing));
                }
                Err(cause) => return Err(Error::io("opening an attachment file")(cause)),
            },
        };
        Ok(ContentReader {
            stored_bytes: row.stored_bytes,
            source,
        })
    }
}

/// Stored attachment bytes. Reads and seeks; [`ContentReader::stored_bytes`] is their length.
#[derive(Debug)]
pub struct ContentReader {
    stored_bytes: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Inline(Cursor<Box<[u8]>>),
    File(File),
}

impl ContentReader {
    /// Bytes as stored.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }
}

impl Read for ContentReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Inline(bytes) => bytes.read(buf),
            Source::File(file) => file.read(buf),
        }
    }
}

impl Seek for ContentReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.source {
            Source::Inline(bytes) => bytes.seek(to),
            Source::File(file) => file.seek(to),
        }
    }
}
