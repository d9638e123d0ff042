//! What is told of settings, and of changes to them.

use super::{Origin, Problem};
use std::fmt;

/// A setting as it is shown: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its value, as a text.
    pub text: String,
    /// Whether that is the hash of a password, which `_config` shows to administrators as CouchDB does.
    pub is_hash: bool,
    /// Who set it; `None`: it is the default.
    pub origin: Option<Origin>,
}

/// Why a setting stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// There is no such key, or it is not set.
    Unknown,
    /// It may not be so, or not now; why.
    Refused(String),
    /// It could not be kept; why.
    NotKept(String),
}

impl Unchanged {
    pub(super) fn not_kept(problem: Problem) -> Unchanged {
        Unchanged::NotKept(problem.to_string())
    }
}

impl fmt::Display for Unchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unchanged::Unknown => f.write_str("there is no such setting"),
            Unchanged::Refused(why) | Unchanged::NotKept(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unchanged {}
