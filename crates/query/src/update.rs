//! Update functions of design documents: a document and a request in, a document to write and an answer out.

use crate::filter::member;
use crate::function::{Found, Function, FunctionError};
use std::fmt;
use trunkline_store::Database;
use trunkline_wire::functions::{Updated, parse_updated};

/// An update function, as it was when it was looked up.
#[derive(Clone)]
pub struct Update {
    function: Function,
}

impl Update {
    /// The function `updates.{name}` of `_design/{design}`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn named(db: &Database, design: &str, name: &str) -> Result<Update, FunctionError> {
        let found = Found::named(db, design)?;
        let updates = &found.design.updates;
        let source = member(updates.is_empty(), "updates", updates.get(name), name)?;
        Ok(Update {
            function: found.function(source),
        })
    }

    /// Calls it; all texts are JSON. Blocks for as long as it runs, and writes nothing.
    ///
    /// # Errors
    ///
    /// It does not compile, threw, went over a bound, or gave something else.
    pub fn run(&self, doc: Option<&str>, req: &str) -> Result<Updated, FunctionError> {
        let args = [doc.unwrap_or("null"), req];
        let given = self.function.call(|sandbox| Ok(sandbox.call(0, &args)?))?;
        parse_updated(&given).ok_or_else(|| {
            let reason = "an update function gives an array of a document or null, and an answer";
            FunctionError::BadAnswer(reason.to_owned())
        })
    }
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Update")
    }
}
