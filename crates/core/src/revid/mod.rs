//! The revision id of an edit, equal to CouchDB's byte for byte: MD5 over the Erlang external term format of
//! `[Deleted, ParentGeneration, ParentId, Body, Attachments]`.

mod term;

use crate::doc::Body;
use crate::rev::{Digest, Rev};
use md5::Digest as _;
use md5::Md5;
use std::cell::Cell;

/// What an attachment contributes: name, content type, MD5 of its stored bytes.
pub type AttachmentTerm<'a> = (&'a str, &'a str, [u8; 16]);

thread_local! {
    /// Kept between documents, so that hashing one allocates nothing.
    static TERM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that stay allocated between documents; few terms are longer.
const TERM_BYTES_KEPT: usize = 64 << 10;

/// The revision that an edit makes. `attachments` in document order.
pub fn revision(deleted: bool, parent: Option<&Rev>, body: &Body, attachments: &[AttachmentTerm<'_>]) -> Rev {
    let mut term = TERM.take();
    term::edit(deleted, parent, body, attachments, &mut term);
    let md5: [u8; 16] = Md5::digest(&term).into();
    term.clear();
    term.shrink_to(TERM_BYTES_KEPT);
    TERM.set(term);
    Rev {
        generation: parent.map_or(0, |parent| parent.generation).saturating_add(1),
        digest: Digest::from(md5),
    }
}

#[cfg(test)]
mod tests;
