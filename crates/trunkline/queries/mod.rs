//! Asking what documents say: views, selectors, one moment for several questions, and rules for what is written.

mod aggregate;
mod buffered;
mod find;
mod found;
mod groups;
mod native;
mod rows;
mod rules;
mod snapshot;
mod view;

pub use aggregate::AggregateRows;
pub use find::{Find, Index};
pub use found::Found;
pub use groups::{Group, Groups};
pub use native::{Emit, Mapped, Views};
pub use rows::{Row, Rows, RowsWithDocs};
pub use rules::{Forbidden, Proposed};
pub use snapshot::Snapshot;
pub use view::View;
