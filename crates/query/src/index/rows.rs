//! Many rows in one buffer.

use super::row::{DOCS, Row, ViewNumber, put_id};

/// Rows in one buffer, in the order in which they came until they are sorted.
#[derive(Debug, Default)]
pub struct Rows {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    place: u32,
    sort_key_end: u32,
    key: u32,
    value: u32,
}

impl Rows {
    /// Adds the `number`th row that a document emitted; `sort_key` is of `key`.
    pub fn push(
        &mut self,
        view: ViewNumber,
        sort_key: &[u8],
        id: &str,
        number: u32,
        key: &[u8],
        value: &[u8],
    ) {
        let start = self.bytes.len();
        self.bytes.extend(view.to_be_bytes());
        self.bytes.extend_from_slice(sort_key);
        let sort_key_end = self.bytes.len() - start;
        put_id(id, &mut self.bytes);
        self.bytes.extend(number.to_be_bytes());
        self.finish(start, sort_key_end, key, value);
    }

    /// Adds what a document emitted: view and sort key of each row, as `put_emitted` put them.
    pub fn push_document(&mut self, id: &str, emitted: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend(DOCS.to_be_bytes());
        self.bytes.extend_from_slice(id.as_bytes());
        self.finish(start, self.bytes.len() - start, b"", emitted);
    }

    /// Adds a copy of a row.
    pub fn copy(&mut self, row: &Row<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row.place);
        self.finish(start, row.sort_key_end, row.key, row.value);
    }

    fn finish(&mut self, start: usize, sort_key_end: usize, key: &[u8], value: &[u8]) {
        let place = self.bytes.len() - start;
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        // All of them are parts of one document's rows, which are far shorter than this.
        let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        self.spans.push(Span {
            start,
            place: short(place),
            sort_key_end: short(sort_key_end),
            key: short(key.len()),
            value: short(value.len()),
        });
    }

    /// How many there are now, to come back to.
    pub fn mark(&self) -> usize {
        self.spans.len()
    }

    /// Forgets those that came since.
    pub fn back_to(&mut self, mark: usize) {
        if let Some(first) = self.spans.get(mark) {
            self.bytes.truncate(first.start);
            self.spans.truncate(mark);
        }
    }

    /// Sorts by place.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        self.spans
            .sort_unstable_by(|a, b| place_of(bytes, a).cmp(place_of(bytes, b)));
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<Span>()
    }

    /// Forgets all, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// One of them.
    pub fn get(&self, index: usize) -> Option<Row<'_>> {
        self.spans.get(index).map(|span| row_of(&self.bytes, span))
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Row<'_>> + ExactSizeIterator {
        self.spans.iter().map(|span| row_of(&self.bytes, span))
    }
}

fn part(bytes: &[u8], start: usize, length: u32) -> &[u8] {
    bytes.get(start..start + length as usize).unwrap_or_default()
}

fn place_of<'a>(bytes: &'a [u8], span: &Span) -> &'a [u8] {
    part(bytes, span.start, span.place)
}

fn row_of<'a>(bytes: &'a [u8], span: &Span) -> Row<'a> {
    let key = span.start + span.place as usize;
    Row {
        place: place_of(bytes, span),
        sort_key_end: span.sort_key_end as usize,
        key: part(bytes, key, span.key),
        value: part(bytes, key + span.key as usize, span.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_stay_in_order() {
        let ids = ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "ab", "\u{e4}"];
        let mut rows = Rows::default();
        for id in ids.iter().rev() {
            rows.push(1, b"k", id, 7, b"\"k\"", b"null");
        }
        rows.sort();
        let back: Vec<String> = rows.iter().map(|row| row.id()).collect();
        assert_eq!(back, ids);
        assert!(rows.iter().all(|row| row.group() == b"\0\x01k"));
    }

    #[test]
    fn rows_of_one_document_stay_in_the_order_emitted() {
        let mut rows = Rows::default();
        for number in [300, 2, 1] {
            rows.push(0, b"k", "a", number, b"1", number.to_string().as_bytes());
        }
        rows.push(0, b"k", "A", 9, b"1", b"9");
        rows.sort();
        let values: Vec<&[u8]> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [b"9" as &[u8], b"1", b"2", b"300"]);
    }
}
