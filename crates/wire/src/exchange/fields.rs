//! A frame's payload, field by field. Whatever it says, nothing is allocated for what is not there.

use super::{Frame, Log, Progress, Row, document_bit, kind, source};
use crate::attachments::check_name;
use crate::fault::Fault;
use crate::invalid::BadAnswer;
use std::collections::HashSet;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Content, Encoding};
use trunkline_core::doc::{Body, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::{ATTACHMENT_BYTES_MAX, DOCUMENT_BYTES_MAX, GENERATION_MAX, REQUEST_ITEMS_MAX};
use trunkline_core::rev::{Digest, Rev};
use trunkline_core::{json, varint};

/// Reads a frame.
pub(super) fn frame(kind: u8, payload: &[u8]) -> Result<Frame, BadAnswer> {
    let mut fields = Fields(payload);
    let frame = match kind {
        kind::ROW => Frame::Row(fields.row()?),
        kind::PROGRESS => Frame::Progress(Progress {
            last_seq: json_text(fields.text()?)?.into(),
            pending: fields.option()?,
            oldest_age_ms: fields.option()?,
        }),
        kind::END => Frame::End,
        kind::FAULT => Frame::Fault(Fault {
            error: fields.text()?.to_owned(),
            reason: fields.text()?.to_owned(),
        }),
        kind::DOCUMENT => {
            let id = fields.doc_id()?;
            Frame::Document(fields.document(id)?)
        }
        kind::LOG => Frame::Log(Log {
            replication_id: fields.text()?.into(),
            number: fields.integer()?,
            body: fields.body()?.as_str().into(),
        }),
        other => return Err(BadAnswer(format!("the exchange has no frames of kind {other}"))),
    };
    if !fields.0.is_empty() {
        return Err(malformed("a frame longer than what it holds"));
    }
    Ok(frame)
}

fn malformed(what: &str) -> BadAnswer {
    BadAnswer(format!("the exchange holds {what}"))
}

fn json_text(text: &str) -> Result<&str, BadAnswer> {
    Ok(json::validate(text.as_bytes())?)
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn row(&mut self) -> Result<Row, BadAnswer> {
        let id = self.text()?;
        let revs = self.list(|fields| {
            let generation = fields.integer()?;
            if !(1..=GENERATION_MAX).contains(&generation) {
                return Err(malformed("a generation that no revision has"));
            }
            Ok(Rev {
                generation,
                digest: fields.digest()?,
            })
        })?;
        let documents = self.take(self.0.len())?;
        // What is wrong with them, asking for each by itself tells, and is told of these documents alone.
        let docs = DocId::parse(id).ok().and_then(|id| {
            let mut fields = Fields(documents);
            let docs = fields.list(|fields| fields.document(id.clone())).ok()?;
            fields.0.is_empty().then_some(docs)
        });
        Ok(Row {
            id: id.into(),
            revs,
            docs: docs.unwrap_or_default(),
        })
    }

    fn document(&mut self, id: DocId) -> Result<ReplicatedEdit, BadAnswer> {
        let bits = self.byte()?;
        if bits & !(document_bit::DELETED | document_bit::ATTACHMENTS) != 0 {
            return Err(malformed("a document with unknown properties"));
        }
        let generation = self.integer()?;
        let digests = self.list(Fields::digest)?;
        let path = RevPath::new(generation, digests);
        let path = path.ok_or_else(|| malformed("a document whose ancestors cannot be"))?;
        let age_ms = self.integer()?;
        let body = self.body()?;
        let mut attachments = Vec::new();
        if bits & document_bit::ATTACHMENTS != 0 {
            let mut names = HashSet::new();
            attachments = self.list(Fields::attachment)?;
            if !attachments
                .iter()
                .all(|attachment| names.insert(&*attachment.name))
            {
                return Err(malformed("two attachments of one name"));
            }
        }
        Ok(ReplicatedEdit {
            id,
            path,
            deleted: bits & document_bit::DELETED != 0,
            body,
            attachments,
            age_ms,
        })
    }

    fn attachment(&mut self) -> Result<AttachmentEdit, BadAnswer> {
        let name = self.text()?;
        check_name(name).map_err(|invalid| BadAnswer(invalid.to_string()))?;
        let content_type = match self.byte()? {
            0 => None,
            _ => Some(self.text()?.into()),
        };
        let revpos = self.option()?;
        if revpos.is_some_and(|revpos| revpos > GENERATION_MAX) {
            return Err(malformed("an attachment of a generation that cannot be"));
        }
        let source = match self.byte()? {
            source::STAGED => AttachmentSource::Staged(self.content()?),
            source::LATER => AttachmentSource::Later(self.content()?),
            source::STUB => AttachmentSource::Stub { md5: None },
            source::STUB_OF_DIGEST => AttachmentSource::Stub {
                md5: Some(self.array()?),
            },
            _ => return Err(malformed("an attachment without bytes")),
        };
        Ok(AttachmentEdit {
            name: name.into(),
            content_type,
            revpos,
            source,
        })
    }

    fn content(&mut self) -> Result<Content, BadAnswer> {
        let (hash, md5, length) = (self.array()?, self.array()?, self.integer()?);
        let encoding = match self.option()? {
            None => Encoding::Identity,
            Some(encoded_length) => Encoding::Gzip { encoded_length },
        };
        let stored = match encoding {
            Encoding::Identity => length,
            Encoding::Gzip { encoded_length } => encoded_length,
        };
        if length.max(stored) > ATTACHMENT_BYTES_MAX {
            return Err(malformed("an attachment that is too large"));
        }
        Ok(Content {
            hash,
            md5,
            length,
            encoding,
        })
    }

    /// The body's text is compact as stored, and not believed to be.
    fn body(&mut self) -> Result<Body, BadAnswer> {
        let text = self.text()?;
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(malformed("a document that is too large"));
        }
        Body::parse(text).map_err(|invalid| BadAnswer(invalid.to_string()))
    }

    fn doc_id(&mut self) -> Result<DocId, BadAnswer> {
        let text = self.text()?;
        DocId::parse(text).map_err(|invalid| BadAnswer(invalid.to_string()))
    }

    fn digest(&mut self) -> Result<Digest, BadAnswer> {
        let bytes = self.bytes()?;
        Digest::of_stored(bytes).ok_or_else(|| malformed("a digest that no revision has"))
    }

    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Fields<'a>) -> Result<T, BadAnswer>,
    ) -> Result<Vec<T>, BadAnswer> {
        let count = usize::try_from(self.integer()?).unwrap_or(usize::MAX);
        // Every item takes a byte at least.
        if count > self.0.len().min(REQUEST_ITEMS_MAX) {
            return Err(malformed("a list that is too long"));
        }
        // A few at once, however many are promised.
        let mut items = Vec::with_capacity(count.min(16));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn text(&mut self) -> Result<&'a str, BadAnswer> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed("a text that is none"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], BadAnswer> {
        let length = self.integer()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadAnswer> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| malformed("a frame that ends too early"))
    }

    fn option(&mut self) -> Result<Option<u64>, BadAnswer> {
        match self.byte()? {
            0 => Ok(None),
            _ => self.integer().map(Some),
        }
    }

    fn integer(&mut self) -> Result<u64, BadAnswer> {
        varint::read(&mut self.0).ok_or_else(|| malformed("an integer that is none"))
    }

    fn byte(&mut self) -> Result<u8, BadAnswer> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], BadAnswer> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| malformed("a frame that ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }
}
