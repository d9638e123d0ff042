//! Rows of a changes feed: written with any framing, and read as they arrive.

mod reader;
mod writer;

pub use reader::{Event, IncomingRow, Reader};
pub use writer::{Framing, Row, Writer};
