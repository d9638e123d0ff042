//! Views of a real database: an index that was kept up to date against one built now, in quiet and after power cuts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod asked;
mod crash;
mod damage;
mod disks;
mod during;
mod edits;
mod kept;
mod loss;
mod shown;
