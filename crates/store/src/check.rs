//! Verifies every invariant of the file format.

use crate::{Database, Error};

impl Database {
    /// Checks every invariant of the file format; what is wrong, a line each.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        todo!()
    }
}
