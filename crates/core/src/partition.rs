//! Partitions of a partitioned database: a document is in the one that its id names before the first colon.

use crate::doc_id::InvalidDocId;
use std::fmt;

/// The name of a partition: not empty, no colon in it, and not starting with `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition(Box<str>);

/// Why a text names no partition. Its `Display` is CouchDB's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPartition {
    /// It is empty.
    Empty,
    /// It starts with `_`.
    Reserved,
    /// It has a colon in it.
    Colon,
}

/// Why an id is none of a document in a partitioned database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidMember {
    /// The whole, or what is behind the partition, is no id.
    DocId(InvalidDocId),
    /// What is before the colon is no partition.
    Partition(InvalidPartition),
}

const DESIGN: &str = "_design/";
const LOCAL: &str = "_local/";

impl Partition {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Partition, InvalidPartition> {
        match text {
            "" => Err(InvalidPartition::Empty),
            _ if text.starts_with('_') => Err(InvalidPartition::Reserved),
            _ if text.contains(':') => Err(InvalidPartition::Colon),
            _ => Ok(Partition(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the ids of its documents are not less than, and less than.
    pub fn ids(&self) -> (String, String) {
        (format!("{}:", self.0), format!("{};", self.0))
    }

    /// Whether a document is in it.
    pub fn holds(&self, id: &str) -> bool {
        of(id) == Some(self.as_str())
    }
}

/// What an id has before its first colon; design documents are in no partition.
pub fn of(id: &str) -> Option<&str> {
    let (partition, _) = id.split_once(':')?;
    (!id.starts_with(DESIGN)).then_some(partition)
}

/// Whether an id, which is one of a document, can be one in a partitioned database.
pub fn check(id: &str) -> Result<(), InvalidMember> {
    if id.starts_with(DESIGN) {
        return Ok(());
    }
    let (partition, key) = id
        .split_once(':')
        .ok_or(InvalidMember::DocId(InvalidDocId::Unpartitioned))?;
    Partition::parse(partition).map_err(InvalidMember::Partition)?;
    let invalid = match key {
        "" => InvalidDocId::Empty,
        DESIGN => InvalidDocId::Unnamed(DESIGN),
        LOCAL => InvalidDocId::Unnamed(LOCAL),
        _ if key.starts_with(DESIGN) || key.starts_with(LOCAL) => return Ok(()),
        _ if key.starts_with('_') => InvalidDocId::Reserved,
        _ => return Ok(()),
    };
    Err(InvalidMember::DocId(invalid))
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidPartition::Empty => "Partition must not be empty",
            InvalidPartition::Reserved => "Partition must not start with an underscore",
            InvalidPartition::Colon => "Partition must not contain a colon",
        })
    }
}

impl fmt::Display for InvalidMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidMember::DocId(invalid) => invalid.fmt(f),
            InvalidMember::Partition(invalid) => invalid.fmt(f),
        }
    }
}

impl std::error::Error for InvalidPartition {}
impl std::error::Error for InvalidMember {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_partitioned_database() {
        for (id, why) in [
            ("a:b", None),
            ("a:b:c", None),
            ("a:_design/x", None),
            ("_design/x", None),
            ("a", Some("Doc id must be of form partition:id")),
            (":b", Some("Partition must not be empty")),
            ("a:", Some("Document id must not be empty")),
            (
                "a:_b",
                Some("Only reserved document ids may start with underscore."),
            ),
            ("a:_design/", Some("Illegal document id `_design/`")),
        ] {
            let reason = check(id).err().map(|invalid| invalid.to_string());
            assert_eq!(reason.as_deref(), why, "{id}");
        }
    }

    #[test]
    fn names_and_what_they_hold() {
        assert_eq!(Partition::parse(""), Err(InvalidPartition::Empty));
        assert_eq!(Partition::parse("_a"), Err(InvalidPartition::Reserved));
        assert_eq!(Partition::parse("a:b"), Err(InvalidPartition::Colon));
        let partition = Partition::parse("a").unwrap();
        let (low, high) = partition.ids();
        for (id, held) in [
            ("a:", true),
            ("a:b:c", true),
            ("aa:b", false),
            ("a", false),
            ("_design/a:b", false),
        ] {
            assert_eq!(partition.holds(id), held, "{id}");
            assert_eq!(low.as_str() <= id && id < high.as_str(), held, "{id}");
        }
    }
}
