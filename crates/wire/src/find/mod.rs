//! Mango: what `_find`, `_explain`, `_count`, `_aggregate` and `_index` are asked, and the design documents that hold indexes.

mod aggregate;
mod index;
mod refusal;
mod request;

pub use aggregate::{AggregateRequest, parse_aggregate, write_row};
pub use index::{
    BulkDelete, Definition, NewIndex, add_index, parse_bulk_delete, parse_index, parse_map, remove_index,
};
pub use refusal::Refusal;
pub use request::{FindRequest, Sort, parse, parse_count, parse_export};
