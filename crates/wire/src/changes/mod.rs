//! Rows of a changes feed: written with any framing, and read as they arrive.

mod object_end;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Event, IncomingRow, Reader};
pub use writer::{Framing, Row, Writer};
