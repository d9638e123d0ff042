//! What a design document defines, and how documents are asked for by what they say.
//!
//! | module | holds |
//! | --- | --- |
//! | `build` | bringing an index up to date |
//! | `design` | what of a design document makes an index |
//! | `index` | index files: rows in key order, with partial reductions |
//! | `indexes` | which index files are open, and who brings them up to date |
//! | `mapper`, `reducers` | map and reduce functions |
//! | `view` | asking a view |

mod build;
pub mod design;
mod error;
pub mod index;
mod indexes;
mod mapper;
mod reducers;
pub mod view;

pub use error::Error;
pub use indexes::{Indexes, ViewIndex};
pub use reducers::ReduceFailure;
