//! What is wrong with settings.

use std::fmt;

/// What is wrong, and where: a line for the operator for each mistake. No secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Vec<String>);

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Problem {
        Problem(vec![text.into()])
    }

    /// Of these mistakes, if there are any.
    pub(super) fn unless_none(mistakes: Vec<String>) -> Result<(), Problem> {
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Problem(mistakes))
    }

    /// The mistakes.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Problem {}
