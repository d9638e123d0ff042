//! A row of a view, and where it is among all rows of an index.

use std::collections::BTreeMap;
use trunkline_core::varint;

/// Which view of a design document: its place among them.
pub type ViewNumber = u16;

/// No view: under this number documents keep what they emitted.
pub(crate) const DOCS: ViewNumber = ViewNumber::MAX;

/// Bytes of a [`ViewNumber`] in front of every place.
pub(crate) const VIEW_BYTES: usize = 2;

/// A row, borrowed. Its place orders it among all rows of an index: view, sort key of the emitted key, document id, and
/// which of its rows the document emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// All of that, in bytes that sort so.
    pub place: &'a [u8],
    /// Where the sort key ends in it.
    pub sort_key_end: usize,
    /// The emitted key, JSON text.
    pub key: &'a [u8],
    /// The emitted value, JSON text.
    pub value: &'a [u8],
}

impl<'a> Row<'a> {
    /// Which view it is in.
    pub fn view(&self) -> ViewNumber {
        view_of(self.place)
    }

    /// View and sort key: what rows of equal keys share.
    pub(crate) fn group(&self) -> &'a [u8] {
        self.place.get(..self.sort_key_end).unwrap_or(self.place)
    }

    /// The id of the document that emitted it.
    pub fn id(&self) -> String {
        let bytes = self.place.get(self.sort_key_end..).unwrap_or_default();
        let mut id = Vec::with_capacity(bytes.len());
        let mut rest = bytes.iter();
        while let Some(&byte) = rest.next() {
            if byte == 0 && rest.next() != Some(&ESCAPED) {
                break;
            }
            id.push(byte);
        }
        String::from_utf8_lossy(&id).into_owned()
    }

    /// What it takes in a block, at most.
    pub(crate) fn bytes(&self) -> usize {
        self.place.len() + self.key.len() + self.value.len() + ROW_OVERHEAD
    }
}

/// Which view a place, or a label, is in.
pub(crate) fn view_of(place: &[u8]) -> ViewNumber {
    place
        .first_chunk()
        .map_or(0, |view| ViewNumber::from_be_bytes(*view))
}

/// Whether a row is a document with what it emitted. They are behind all others.
pub(crate) fn is_document(row: &Row<'_>) -> bool {
    view_of(row.place) == DOCS
}

/// Lengths in front of a row's parts: rarely more.
const ROW_OVERHEAD: usize = 8;
/// Follows a zero byte that is part of an id; anything less ends the id.
const ESCAPED: u8 = 0xff;
const END: u8 = 0;

/// Appends a document id so that ids stay in byte order and none is the beginning of another.
pub(crate) fn put_id(id: &str, out: &mut Vec<u8>) {
    for part in id.as_bytes().split_inclusive(|&byte| byte == 0) {
        out.extend_from_slice(part);
        if part.last() == Some(&0) {
            out.push(ESCAPED);
        }
    }
    out.extend([0, END]);
}

/// Appends the view and the sort key of a row that a document emitted.
pub fn put_emitted(view: ViewNumber, sort_key: &[u8], out: &mut Vec<u8>) {
    varint::write(view.into(), out);
    put_bytes(sort_key, out);
}

/// The places of the rows that a document emitted.
pub(crate) fn places(id: &str, emitted: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let mut places = Vec::new();
    let mut numbers = BTreeMap::<ViewNumber, u32>::new();
    let mut rest = emitted;
    while !rest.is_empty() {
        let view = ViewNumber::try_from(varint::read(&mut rest)?).ok()?;
        let number = numbers.entry(view).or_default();
        let mut place = view.to_be_bytes().to_vec();
        place.extend_from_slice(take_bytes(&mut rest)?);
        put_id(id, &mut place);
        place.extend(number.to_be_bytes());
        places.push(place.into());
        *number += 1;
    }
    Some(places)
}

/// Appends a number and so many bytes.
pub(crate) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint::write(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Takes what [`put_bytes`] put.
pub(crate) fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint::read(rest)?).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}
