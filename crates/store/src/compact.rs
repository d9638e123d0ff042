//! Giving space back: the live rows copied into a fresh file, which then takes the old one's place.

use crate::write::Work;
use crate::{Database, Durability, Error};
use std::path::Path;

impl Database {
    /// Gives free space in the file back to the file system, and drops attachment files nobody refers to. Writers wait
    /// meanwhile, readers do not.
    pub fn compact(&self) -> Result<(), Error> {
        self.do_work(Work::Compact, Durability::Durable).map(drop)
    }

    /// Compacts; only the leader may, since no commit may come between copy and replacement.
    pub(crate) fn compact_as_leader(&self) -> Result<(), Error> {
        todo!()
    }
}

/// Bytes of a database's attachment files.
pub(crate) fn attachment_files_bytes(_dir: &Path) -> u64 {
    0
}
