//! Documents on their way to be mapped, spelled as map functions see them, in one buffer.

use crate::Error;
use crate::emitted::Emitted;
use crate::index::Rows;
use crate::mapper::{Mapper, Mapping};
use trunkline_core::partition;
use trunkline_core::rev::Rev;
use trunkline_store::ChangeRow;
use trunkline_wire::document::{self, Pieces, Shown};

/// Begins the id of a design document.
const DESIGN: &str = "_design/";

/// A batch of them.
#[derive(Debug, Default)]
pub(super) struct Documents {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Of an index whose rows are by partition first.
    partitioned: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    id_end: usize,
    /// Where the id ends, for one that is deleted.
    end: usize,
}

impl Documents {
    /// Adds the document of a change, as it is now.
    pub(super) fn push(&mut self, mapping: &Mapping, row: ChangeRow<'_>) {
        if row.id.starts_with(DESIGN) && !mapping.include_design() {
            return;
        }
        self.partitioned = mapping.partitioned();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row.id.as_bytes());
        let id_end = self.bytes.len();
        let leaves: Vec<(Rev, bool)> = row.leaves.collect();
        if let (Some((rev, false)), Some(winner)) = (leaves.first(), row.winner) {
            let pieces = Pieces {
                id: row.id,
                rev,
                deleted: false,
                body: winner.body,
                attachments: &winner.attachments,
            };
            let shown = Shown {
                leaves: &leaves,
                conflicts: true,
                deleted_conflicts: true,
                local_seq: mapping.local_seq().then_some(row.seq),
                ..Shown::default()
            };
            document::write(&mut self.bytes, pieces, &[], &shown);
        }
        self.spans.push(Span {
            start,
            id_end,
            end: self.bytes.len(),
        });
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Bytes in use.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<Span>()
    }

    /// Adds what each document emits to `rows`, which `after` may take away after each of them; with `first`, those that
    /// emit nothing are not mentioned.
    pub(super) fn map(
        &self,
        mapper: &mut Mapper,
        first: bool,
        rows: &mut Rows,
        after: &mut dyn FnMut(&mut Rows) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut emitted = Emitted::default();
        for span in &self.spans {
            let text = |from, to| {
                let bytes = self.bytes.get(from..to).unwrap_or_default();
                std::str::from_utf8(bytes).unwrap_or_default()
            };
            let id = text(span.start, span.id_end);
            let partition = self.partitioned.then(|| partition::of(id).unwrap_or_default());
            emitted.begin(partition);
            if span.id_end < span.end {
                mapper.map(id, text(span.id_end, span.end), &mut emitted, rows)?;
            }
            if !first || !emitted.is_empty() {
                rows.push_document(id, emitted.list());
            }
            after(rows)?;
        }
        Ok(())
    }
}
