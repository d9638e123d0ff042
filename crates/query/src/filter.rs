//! Filters of changes feeds: functions of design documents that say which documents pass.

use crate::function::{Found, Function, FunctionError};
use std::fmt;
use trunkline_js::Failure;
use trunkline_store::Database;

/// A filter of a design document, as it was when it was looked up.
#[derive(Clone)]
pub struct Filter {
    function: Function,
    is_view: bool,
}

impl Filter {
    /// The function `filters.{name}` of `_design/{design}`.
    ///
    /// # Errors
    ///
    /// There is none, or it does not compile.
    pub fn function(db: &Database, design: &str, name: &str) -> Result<Filter, FunctionError> {
        let found = Found::named(db, design)?;
        let filters = &found.design.filters;
        let source = member(filters.is_empty(), "filters", filters.get(name), name)?;
        Filter::new(found.function(source), false)
    }

    /// The view `views.{name}` of `_design/{design}`: a document of which it emits a row passes.
    ///
    /// # Errors
    ///
    /// There is none, or its map function does not compile.
    pub fn view(db: &Database, design: &str, name: &str) -> Result<Filter, FunctionError> {
        let found = Found::named(db, design)?;
        let views = &found.design.views;
        let view = member(views.is_empty(), "views", views.get(name), name)?;
        Filter::new(found.map(&view.map), true)
    }

    fn new(function: Function, is_view: bool) -> Result<Filter, FunctionError> {
        // Compiled here already, so that whoever asks for the filter is told what is wrong with it.
        function.call(|_| Ok(()))?;
        Ok(Filter { function, is_view })
    }

    /// Which of the documents pass; all texts are JSON. Blocks for as long as the function runs. Where all together
    /// are too much for one call, each is judged alone.
    ///
    /// # Errors
    ///
    /// The function threw, or went over a bound for one document alone. A map function that throws emits no row.
    pub fn takes(&self, docs: &[&str], req: &str) -> Result<Vec<bool>, FunctionError> {
        self.function.call(|sandbox| {
            if self.is_view {
                let mut emits = |doc: &&str| match sandbox.map(doc).pop() {
                    Some(Ok(rows)) => Ok(rows != "[]"),
                    Some(Err(Failure::Threw { .. })) | None => Ok(false),
                    Some(Err(failure)) => Err(FunctionError::from(failure)),
                };
                return docs.iter().map(&mut emits).collect();
            }
            let together = sandbox.filter(0, docs, req).map_err(FunctionError::from);
            match together {
                Err(error) if error.is_of_bounds() && docs.len() > 1 => {}
                together => return together,
            }
            let mut passed = Vec::with_capacity(docs.len());
            for doc in docs {
                passed.extend(sandbox.filter(0, &[doc], req)?);
            }
            Ok(passed)
        })
    }
}

/// A member of a member, or which of both is missing.
pub(crate) fn member<'a, T>(
    none: bool,
    outer: &str,
    inner: Option<&'a T>,
    name: &str,
) -> Result<&'a T, FunctionError> {
    let missing = if none { outer } else { name };
    inner.ok_or_else(|| FunctionError::NoMember(missing.to_owned()))
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("is_view", &self.is_view)
            .finish_non_exhaustive()
    }
}
