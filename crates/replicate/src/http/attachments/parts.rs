//! The body of an upload: a document, then the bytes of its attachments, each exactly as long as announced.

use crate::peer::{PeerError, PeerErrorKind};
use bytes::Bytes;
use std::collections::VecDeque;
use tokio::sync::mpsc;
use trunkline_core::attachment::{Attachment, Content, Encoding};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::multipart::RelatedWriter;

/// The attachments of a document whose bytes follow, as part headers need them.
pub(super) struct Following(VecDeque<Attachment>);

impl Following {
    /// The error is a reason to refuse the document.
    pub(super) fn of(attachments: &[IncomingAttachment]) -> Result<Following, String> {
        let mut following = VecDeque::new();
        for attachment in attachments {
            let IncomingData::Follows { part_bytes, gzip } = attachment.data else {
                continue;
            };
            let length = part_bytes
                .ok_or_else(|| format!("attachment {} comes without its length", attachment.name))?;
            let encoding = if gzip {
                Encoding::Gzip {
                    encoded_length: length,
                }
            } else {
                Encoding::Identity
            };
            let content_type = attachment
                .content_type
                .as_deref()
                .unwrap_or("application/octet-stream");
            following.push_back(Attachment {
                name: attachment.name.as_str().into(),
                content_type: content_type.into(),
                revpos: attachment.revpos.unwrap_or_default(),
                // The hash is for a store; a part's headers show none.
                content: Content {
                    hash: [0; 32],
                    md5: attachment.md5.unwrap_or_default(),
                    length,
                    encoding,
                },
            });
        }
        Ok(Following(following))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        self.0.iter()
    }
}

/// An upload under way.
pub(super) struct Upload {
    writer: RelatedWriter,
    following: VecDeque<Attachment>,
    parts: mpsc::Receiver<Result<Bytes, PeerError>>,
    /// Framing to send before anything else.
    framing: Vec<u8>,
    /// Bytes that the attachment under way still lacks.
    lacking: u64,
    /// Bytes of the source not sent yet.
    left: Bytes,
    state: State,
}

enum State {
    Attachment,
    Between,
    Done,
}

impl Upload {
    pub(super) fn new(
        writer: RelatedWriter,
        json: &[u8],
        following: Following,
        parts: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Upload {
        let mut framing = Vec::new();
        writer.open(&mut framing, json);
        Upload {
            writer,
            following: following.0,
            parts,
            framing,
            lacking: 0,
            left: Bytes::new(),
            state: State::Between,
        }
    }

    /// The next bytes of the body; `None` at its end.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, PeerError>> {
        loop {
            match self.state {
                State::Done if self.framing.is_empty() => return None,
                State::Done => return Some(Ok(std::mem::take(&mut self.framing).into())),
                State::Between => match self.following.pop_front() {
                    Some(attachment) => {
                        self.writer.part(&mut self.framing, &attachment);
                        self.lacking = match attachment.content.encoding {
                            Encoding::Identity => attachment.content.length,
                            Encoding::Gzip { encoded_length } => encoded_length,
                        };
                        self.state = State::Attachment;
                    }
                    None => {
                        self.writer.close(&mut self.framing);
                        self.state = State::Done;
                    }
                },
                State::Attachment if self.lacking == 0 => {
                    self.writer.end_part(&mut self.framing);
                    self.state = State::Between;
                }
                State::Attachment => {
                    if !self.framing.is_empty() {
                        return Some(Ok(std::mem::take(&mut self.framing).into()));
                    }
                    return Some(self.bytes().await);
                }
            }
        }
    }

    async fn bytes(&mut self) -> Result<Bytes, PeerError> {
        while self.left.is_empty() {
            self.left = self.parts.recv().await.unwrap_or_else(|| {
                let reason = "an attachment ended early";
                Err(PeerError::new("source", PeerErrorKind::Unavailable, reason))
            })?;
        }
        let most = usize::try_from(self.lacking).unwrap_or(usize::MAX);
        let bytes = self.left.split_to(self.left.len().min(most));
        self.lacking -= bytes.len() as u64;
        Ok(bytes)
    }
}
