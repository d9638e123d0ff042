//! Mango selectors: parsed once, matched against many documents.
//!
//! A selector is normalised as CouchDB does it: implied `$and` and `$eq` are written out, each test carries the whole
//! path of its field, and negations are pushed down to the tests, below the fields. So a test, negated or not, never
//! matches a document without the field; only `{"$exists": false}` does.

mod field;
mod fields;
mod matching;
mod needles;
mod needs;
mod normal;
mod parse;
mod pattern;
mod pick;
mod work;

use crate::doc::Body;
use crate::json;
use crate::rev::Rev;
pub use field::FieldPath;
pub use needles::Glance;
pub use needs::{FieldRange, Limit};
use pattern::Pattern;
pub use pick::Picker;
use std::cell::{Cell, OnceCell};
use std::fmt;
pub use work::{TooMuchWork, Work};

/// A parsed selector.
#[derive(Clone, Debug)]
pub struct Selector {
    condition: Condition,
    /// Whether any field begins with a member that is spelled only then.
    looks_at_attached: bool,
    needles: Option<needles::Needles>,
    /// Where there are many.
    fields: Option<fields::Fields>,
    pattern_bytes: usize,
}

impl Selector {
    /// Parses the JSON text of a selector object.
    pub fn parse(json: &str) -> Result<Selector, InvalidSelector> {
        let (mut condition, pattern_bytes) = parse::selector(json)?;
        Ok(Selector {
            fields: fields::Fields::of(&mut condition),
            pattern_bytes,
            looks_at_attached: matching::looks_at_attached(&condition),
            needles: needles::of(&condition),
            condition,
        })
    }

    /// Whether a document matches. `id` and `rev` stand for `_id` and `_rev`. `attached` gives a JSON object that has
    /// `_attachments` and `_conflicts` where the document has some; only a selector that looks at them calls it.
    pub fn matches(
        &self,
        id: &str,
        rev: &Rev,
        deleted: bool,
        body: &Body,
        attached: impl FnOnce() -> String,
    ) -> bool {
        self.matches_parts(id, rev, deleted, body.as_str(), attached)
    }

    /// Bytes that its patterns take in memory, with what matching keeps of them.
    pub fn pattern_bytes(&self) -> usize {
        self.pattern_bytes
    }

    /// [`Selector::matches`] of a body's text. What takes too much work does not match.
    pub fn matches_parts(
        &self,
        id: &str,
        rev: &Rev,
        deleted: bool,
        body: &str,
        attached: impl FnOnce() -> String,
    ) -> bool {
        let work = Work::default();
        self.judge(id, rev, deleted, body, attached, &work)
            .unwrap_or(false)
    }

    /// The same, where what takes too much work is an error, and all that is done is counted.
    pub fn judge(
        &self,
        id: &str,
        rev: &Rev,
        deleted: bool,
        body: &str,
        attached: impl FnOnce() -> String,
        work: &Work,
    ) -> Result<bool, TooMuchWork> {
        work.begin();
        work.take(body.len());
        if self.rules_out(&Glance::at(body)) {
            return Ok(false);
        }
        let attached = if self.looks_at_attached {
            attached()
        } else {
            String::new()
        };
        let document = matching::Document {
            id,
            rev,
            deleted,
            body,
            attached: &attached,
            fields: self.fields.as_ref(),
            looked_up: Cell::new(0),
            found: OnceCell::new(),
        };
        let matches = matching::document(&self.condition, &document, work);
        match work.is_too_much() {
            true => Err(TooMuchWork(id.into())),
            false => Ok(matches),
        }
    }

    /// Whether a document matches whose special members stand with the others in one JSON text. What takes too much work
    /// does not match.
    pub fn matches_text(&self, document: &str) -> bool {
        self.judge_text(document, &Work::default()).unwrap_or(false)
    }

    /// The same, where what takes too much work is an error, and all that is done is counted.
    pub fn judge_text(&self, document: &str, work: &Work) -> Result<bool, TooMuchWork> {
        work.begin();
        work.take(document.len());
        if self.rules_out(&Glance::at(document)) {
            return Ok(false);
        }
        let matches = matching::text(&self.condition, document, work);
        match work.is_too_much() {
            true => Err(TooMuchWork(Box::default())),
            false => Ok(matches),
        }
    }

    /// Whether a body has nothing of what would have to stand in it: then no document of that body matches. A glance is
    /// many times as fast as a look at the fields, and does not tell which documents match.
    pub fn rules_out(&self, body: &Glance<'_>) -> bool {
        body.rules_out(self.needles.as_ref())
    }

    /// A canonical JSON text: equal for selectors that are equal after normalisation. Names a replication.
    pub fn canonical(&self) -> String {
        normal::canonical(&self.condition)
    }
}

/// What a value must be like: a document, or in the operators on elements and keys any value.
#[derive(Clone, Debug)]
enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// One of them; CouchDB lets an empty list match everything.
    Or(Vec<Condition>),
    /// The opposite. Left only below `$elemMatch` and its kin, where CouchDB does not push negations down.
    Not(Box<Condition>),
    /// A field, or the value itself, is there and passes a test.
    Field(FieldPath, Test),
}

/// What a field's value must be like. Arguments are compact JSON texts.
#[derive(Clone, Debug)]
enum Test {
    Compare(Comparison, Box<str>),
    /// In the order of [`crate::collate::compare`]: reports ask for hundreds of accounts.
    In(Vec<Box<str>>),
    /// As `In`.
    NotIn(Vec<Box<str>>),
    Exists(bool),
    Type(Box<str>),
    Mod {
        divisor: i64,
        remainder: i64,
    },
    /// Of the `regex` crate: Unicode characters, and neither look-around nor back-references, where CouchDB has
    /// PCRE over bytes. In return no pattern can take more than linear time.
    Regex(Box<Pattern>),
    BeginsWith(Box<str>),
    Size(u64),
    All(Vec<Box<str>>),
    ElemMatch(Box<Condition>),
    AllMatch(Box<Condition>),
    KeyMapMatch(Box<Condition>),
    Not(Box<Test>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Lt,
    Lte,
    Eq,
    Ne,
    Gte,
    Gt,
}

/// Why a selector is not acceptable. `Display` is CouchDB's reason, with arguments shown as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidSelector {
    /// Not JSON, or not an object; what was given.
    NotAnObject(Box<str>),
    /// Nested deeper than [`crate::limits::SELECTOR_DEPTH_MAX`].
    TooDeep,
    /// More tests, longer paths or lists, or more patterns than [`crate::limits`] lets a selector have.
    TooLarge,
    /// Patterns that take more than [`crate::limits::SELECTOR_PATTERNS_BYTES_MAX`].
    PatternsTooLarge,
    /// No operator of this name.
    InvalidOperator(Box<str>),
    /// An operator that Mango knows but cannot be used here.
    NotSupported(Box<str>),
    /// An operator's argument is of the wrong kind.
    BadArgument {
        /// The operator.
        operator: Box<str>,
        /// Its argument, as JSON.
        argument: Box<str>,
    },
    /// A test stands where no field is named.
    MissingFieldName,
    /// A path with an empty part; the path.
    InvalidFieldName(Box<str>),
}

impl fmt::Display for InvalidSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidSelector::NotAnObject(given) => write!(f, "Selector must be a JSON object, not: {given}"),
            InvalidSelector::TooDeep => f.write_str("Selector is nested too deep."),
            InvalidSelector::TooLarge => f.write_str("Selector is too large."),
            InvalidSelector::PatternsTooLarge => f.write_str("The patterns of the selector are too large."),
            InvalidSelector::InvalidOperator(operator) => write!(f, "Invalid operator: {operator}"),
            InvalidSelector::NotSupported(operator) => write!(f, "Unsupported operator: {operator}"),
            InvalidSelector::BadArgument { operator, argument } => {
                write!(f, "Bad argument for operator {operator}: {argument}")
            }
            InvalidSelector::MissingFieldName => {
                f.write_str("One or more conditions is missing a field name.")
            }
            InvalidSelector::InvalidFieldName(path) => write!(f, "Invalid field name: {path}"),
        }
    }
}

impl std::error::Error for InvalidSelector {}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    json::quote(text, &mut quoted);
    String::from_utf8(quoted).unwrap_or_default()
}

#[cfg(test)]
mod tests;
