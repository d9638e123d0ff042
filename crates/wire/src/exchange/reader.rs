//! A stream of frames on its way in: fed by chunks, giving each frame as soon as it is complete.

use super::{Frame, HEAD_BYTES, MAGIC, fields};
use crate::invalid::BadAnswer;
use trunkline_core::limits::EXCHANGE_FRAME_BYTES_MAX;

/// Holds one incomplete frame at most, of [`EXCHANGE_FRAME_BYTES_MAX`] at most, beside the chunk it was fed.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
    started: bool,
}

impl Reader {
    /// At the start of a stream.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes the next bytes of the stream.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// The next frame, once it is complete; `None` asks for more bytes.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadAnswer> {
        let mut rest = self.buffer.get(self.done..).unwrap_or_default();
        if !self.started {
            let Some((magic, behind)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            if *magic != MAGIC {
                return Err(BadAnswer("what came is no exchange of this version".into()));
            }
            self.started = true;
            self.done += MAGIC.len();
            rest = behind;
        }
        let Some((&[kind, length @ ..], behind)) = rest.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(length) as usize;
        if length > EXCHANGE_FRAME_BYTES_MAX {
            return Err(BadAnswer(format!(
                "a frame of the exchange is longer than {EXCHANGE_FRAME_BYTES_MAX} bytes"
            )));
        }
        let Some(payload) = behind.get(..length) else {
            return Ok(None);
        };
        let frame = fields::frame(kind, payload)?;
        self.done += HEAD_BYTES + length;
        if self.done == self.buffer.len() {
            self.done = 0;
            self.buffer.clear();
        }
        Ok(Some(frame))
    }

    /// Says that the bytes are at their end: an error in the middle of a frame.
    pub fn finish(&self) -> Result<(), BadAnswer> {
        if self.started && self.done == self.buffer.len() {
            return Ok(());
        }
        Err(BadAnswer("the exchange was cut off".into()))
    }
}
