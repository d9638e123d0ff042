//! Documents in a multipart body: `multipart/related` alone, or any number of items in a `multipart/mixed`.

use super::headers::{Headers, parameter};
use super::reader::{PartEvent, PartReader};
use crate::invalid::Invalid;
use bytes::Bytes;
use trunkline_core::limits::MULTIPART_DOC_BYTES_MAX;

/// What comes next. Each document is [`DocumentEvent::Doc`], then for each attachment that follows its start, bytes
/// and end, in the order of `_attachments`, then [`DocumentEvent::DocEnd`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentEvent {
    /// Nothing until more bytes are fed.
    More,
    /// A document's JSON text.
    Doc(Vec<u8>),
    /// An item that says what is not there (`error="true"`): its JSON text.
    Error(Vec<u8>),
    /// An attachment starts.
    Attachment(Headers),
    /// Bytes of the attachment, as transferred.
    Data(Bytes),
    /// The attachment ends.
    AttachmentEnd,
    /// The document has no more attachments here.
    DocEnd,
    /// The body ends; anything behind it is ignored.
    Closed,
}

/// Finds documents in bytes fed by chunks.
#[derive(Debug)]
pub struct DocumentReader {
    body: Body,
}

#[derive(Debug)]
enum Body {
    Related(Related),
    Mixed { parts: PartReader, item: Item },
}

/// What the reader of a mixed body is in.
#[derive(Debug)]
enum Item {
    Between,
    Json {
        text: Vec<u8>,
        error: bool,
    },
    /// A document without attachments was given; its end was not.
    Given,
    Related(Related),
}

impl DocumentReader {
    /// Before the first byte of a body with this content type, `multipart/related` or `multipart/mixed`.
    pub fn new(content_type: &str) -> Result<DocumentReader, Invalid> {
        let body = if is_type(content_type, "multipart/related") {
            Body::Related(Related::new(content_type)?)
        } else if is_type(content_type, "multipart/mixed") {
            Body::Mixed {
                parts: PartReader::new(&super::boundary(content_type)?),
                item: Item::Between,
            }
        } else {
            return Err(Invalid::bad_request(
                "The content type must be multipart/related or multipart/mixed.",
            ));
        };
        Ok(DocumentReader { body })
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        match &mut self.body {
            Body::Related(related) => related.parts.feed(chunk),
            Body::Mixed { parts, .. } => parts.feed(chunk),
        }
    }

    /// What comes next.
    pub fn next_event(&mut self) -> Result<DocumentEvent, Invalid> {
        match &mut self.body {
            Body::Related(related) => related.next_event(),
            Body::Mixed { parts, item } => loop {
                if let Some(event) = item.next(parts)? {
                    return Ok(event);
                }
            },
        }
    }

    /// Says that the bytes are at their end: an error unless the body was closed.
    pub fn finish(&self) -> Result<(), Invalid> {
        let parts = match &self.body {
            Body::Related(related) => &related.parts,
            Body::Mixed { parts, .. } => parts,
        };
        if parts.is_closed() { Ok(()) } else { Err(cut_off()) }
    }
}

impl Item {
    /// One step; `None` when it gave nothing to tell.
    fn next(&mut self, parts: &mut PartReader) -> Result<Option<DocumentEvent>, Invalid> {
        if let Item::Related(related) = self {
            match related.next_event()? {
                DocumentEvent::More | DocumentEvent::Closed => {}
                event => return Ok(Some(event)),
            }
        }
        if matches!(self, Item::Given) {
            *self = Item::Between;
            return Ok(Some(DocumentEvent::DocEnd));
        }
        Ok(match (parts.next_event()?, &mut *self) {
            (PartEvent::More, _) => Some(DocumentEvent::More),
            (PartEvent::Closed, _) => Some(DocumentEvent::Closed),
            (PartEvent::Start(headers), _) => {
                *self = Item::start(&headers)?;
                None
            }
            (PartEvent::Body(bytes), Item::Json { text, .. }) => {
                collect(text, &bytes)?;
                None
            }
            (PartEvent::Body(bytes), Item::Related(related)) => {
                related.parts.feed(&bytes);
                None
            }
            (PartEvent::End, Item::Json { text, error }) => {
                let text = std::mem::take(text);
                if *error {
                    *self = Item::Between;
                    Some(DocumentEvent::Error(text))
                } else {
                    *self = Item::Given;
                    Some(DocumentEvent::Doc(text))
                }
            }
            (PartEvent::End, Item::Related(related)) => {
                if !related.parts.is_closed() {
                    return Err(cut_off());
                }
                *self = Item::Between;
                None
            }
            (PartEvent::Body(_) | PartEvent::End, _) => None,
        })
    }

    fn start(headers: &Headers) -> Result<Item, Invalid> {
        let content_type = headers.value("content-type").unwrap_or("application/json");
        if is_type(content_type, "multipart/related") {
            return Ok(Item::Related(Related::new(content_type)?));
        }
        Ok(Item::Json {
            text: Vec::new(),
            error: parameter(content_type, "error").as_deref() == Some("true"),
        })
    }
}

/// One document with attachments.
#[derive(Debug)]
struct Related {
    parts: PartReader,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Before the document's JSON text, or in it.
    Doc(Vec<u8>),
    /// Between or in attachments.
    Attachments,
    /// The document's end was told.
    Ended,
}

impl Related {
    fn new(content_type: &str) -> Result<Related, Invalid> {
        Ok(Related {
            parts: PartReader::new(&super::boundary(content_type)?),
            place: Place::Doc(Vec::new()),
        })
    }

    fn next_event(&mut self) -> Result<DocumentEvent, Invalid> {
        loop {
            let event = match (self.parts.next_event()?, &mut self.place) {
                (PartEvent::More, _) => DocumentEvent::More,
                (PartEvent::Closed, Place::Ended) => DocumentEvent::Closed,
                (PartEvent::Closed, Place::Doc(_)) => {
                    return Err(Invalid::bad_request("A multipart body has no document."));
                }
                (PartEvent::Closed, Place::Attachments) => {
                    self.place = Place::Ended;
                    DocumentEvent::DocEnd
                }
                (PartEvent::Start(_), Place::Doc(_)) => continue,
                (PartEvent::Body(bytes), Place::Doc(text)) => {
                    collect(text, &bytes)?;
                    continue;
                }
                (PartEvent::End, Place::Doc(text)) => {
                    let text = std::mem::take(text);
                    self.place = Place::Attachments;
                    DocumentEvent::Doc(text)
                }
                (PartEvent::Start(headers), _) => DocumentEvent::Attachment(headers),
                (PartEvent::Body(bytes), _) => DocumentEvent::Data(bytes),
                (PartEvent::End, _) => DocumentEvent::AttachmentEnd,
            };
            return Ok(event);
        }
    }
}

fn is_type(content_type: &str, wanted: &str) -> bool {
    let given = content_type.split(';').next().unwrap_or_default();
    given.trim().eq_ignore_ascii_case(wanted)
}

fn collect(text: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Invalid> {
    if text.len() + bytes.len() > MULTIPART_DOC_BYTES_MAX {
        return Err(Invalid::bad_request(format!(
            "The JSON of a document in a multipart body is longer than {MULTIPART_DOC_BYTES_MAX} bytes."
        )));
    }
    text.extend_from_slice(bytes);
    Ok(())
}

fn cut_off() -> Invalid {
    Invalid::bad_request("A multipart body was cut off.")
}
