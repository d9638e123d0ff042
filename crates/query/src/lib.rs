//! What a design document defines, and how documents are asked for by what they say.
//!
//! | module | holds |
//! | --- | --- |
//! | `build` | bringing an index up to date |
//! | `design` | what of a design document makes an index |
//! | `filter` | filters of changes feeds |
//! | `function` | one function of a design document, compiled and kept |
//! | `index` | index files: rows in key order, with partial reductions |
//! | `indexes`, `view_index` | which indexes are in use, and who brings them up to date |
//! | `check` | which design documents are refused when they are written |
//! | `clean`, `remembered` | files of indexes that are gone, and what was there before a change |
//! | `mapper`, `emitted`, `reducers` | map and reduce functions |
//! | `patience` | how long they may go on |
//! | `mango` | finding documents by what they say |
//! | `native` | views whose functions are of the program itself |
//! | `opened` | a design document's views with what answers them |
//! | `pinned` | indexes as they were at one moment |
//! | `update` | update functions |
//! | `validate`, `validator` | what `validate_doc_update` lets pass |
//! | `view`, `walk` | asking a view, and going through its answer |

mod build;
mod check;
mod clean;
pub mod design;
mod emitted;
mod error;
mod filter;
mod function;
pub mod index;
mod indexes;
pub mod mango;
mod mapper;
mod native;
mod opened;
mod patience;
mod pinned;
mod reducers;
mod remembered;
mod update;
mod validate;
mod validator;
pub mod view;
mod view_index;
mod walk;

pub use check::{Unfit, check};
pub use error::Error;
pub use filter::Filter;
pub use function::FunctionError;
pub use indexes::{Indexes, OpenSeam};
pub use native::{Native, NativeMap, NativeView};
pub use opened::Opened;
pub use patience::Patience;
pub use reducers::ReduceFailure;
pub use update::Update;
pub use validate::guards;
pub use view_index::ViewIndex;
pub use walk::Walk;
