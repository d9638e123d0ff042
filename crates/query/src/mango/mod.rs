//! Mango: finding documents by what they say, over the indexes that there are.
//!
//! An index is a view in the language `query`: its keys are arrays of the values of fields, and only documents that have
//! all of them are in it. A `plan` chooses one as CouchDB does, and turns what the selector says of its fields into a range
//! of rows; a `search` goes through them, or through all documents, and shows those that match.
//!
//! | module | holds |
//! | --- | --- |
//! | `catalog`, `catalogs` | which indexes a database has |
//! | `fields` | their map function |
//! | `plan`, `bounds` | which index, and which of its rows |
//! | `search`, `rows`, `documents`, `sweep` | going through rows, or through documents |
//! | `aggregate` | gathering groups of documents, through rows or documents |
//! | `bookmark` | where to go on |
//! | `shape` | fields of a document as a document of their own |

mod aggregate;
mod bookmark;
mod bounds;
mod catalog;
mod catalogs;
mod documents;
mod fields;
mod plan;
mod rows;
mod search;
mod shape;
mod sweep;

pub use aggregate::Gathering;
pub use bounds::{Ids, KeyTexts};
pub use catalog::{Catalog, MangoIndex};
pub(crate) use catalogs::Catalogs;
pub(crate) use fields::FieldsMap;
pub use plan::{NoPlan, Plan, Source, Wanted};
pub use search::{Search, Shown, Stats};
