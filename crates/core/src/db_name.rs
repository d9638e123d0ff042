//! Database names that cannot hold a bad value.

use crate::limits::DB_NAME_BYTES_MAX;
use std::fmt;

/// A database's name: `^[a-z][a-z0-9_$()+/-]*$`, or a system database (`_users`, `_replicator`,
/// `_global_changes`, or a name ending in `/` and one of these), at most [`crate::limits::DB_NAME_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DbName(Box<str>);

/// The text is no database name. Its `Display` is CouchDB's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDbName(pub Box<str>);

const SYSTEM: [&str; 3] = ["_users", "_replicator", "_global_changes"];

impl DbName {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<DbName, InvalidDbName> {
        let spelled_right = is_plain(text)
            || SYSTEM.contains(&text)
            || text
                .rsplit_once('/')
                .is_some_and(|(prefix, last)| is_plain(prefix) && SYSTEM.contains(&last));
        if spelled_right && text.len() <= DB_NAME_BYTES_MAX {
            Ok(DbName(text.into()))
        } else {
            Err(InvalidDbName(text.into()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its last part is a system database's name.
    pub fn is_system(&self) -> bool {
        SYSTEM.contains(&self.0.rsplit('/').next().unwrap_or_default())
    }
}

fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'$' | b'(' | b')' | b'+' | b'-' | b'/'),
        )
}

impl fmt::Display for DbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidDbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > DB_NAME_BYTES_MAX {
            return write!(
                f,
                "Name is too long: at most {DB_NAME_BYTES_MAX} bytes are allowed."
            );
        }
        write!(
            f,
            "Name: '{}'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, \
             and / are allowed. Must begin with a letter.",
            self.0
        )
    }
}

impl std::error::Error for InvalidDbName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_databases() {
        for text in [
            "a",
            "cdr/4411/2026-05",
            "a_$()+-/",
            "a/",
            "_users",
            "_replicator",
            "_global_changes",
            "x/y/_users",
        ] {
            assert_eq!(DbName::parse(text).expect(text).as_str(), text);
        }
    }

    #[test]
    fn names_that_are_none() {
        for text in [
            "",
            "A",
            "aB",
            "1a",
            "_a",
            "/a",
            "a.b",
            "a b",
            "ä",
            "a%2f",
            "_users/x",
            "/_users",
            "X/_users",
            "_users/_users",
            "..",
        ] {
            assert!(DbName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_longest_name_is_the_limit() {
        assert!(DbName::parse(&"x".repeat(DB_NAME_BYTES_MAX)).is_ok());
        let why = DbName::parse(&"x".repeat(DB_NAME_BYTES_MAX + 1)).expect_err("one byte too long");
        assert_eq!(
            why.to_string(),
            "Name is too long: at most 238 bytes are allowed."
        );
    }

    #[test]
    fn the_reason_is_couchdbs() {
        assert_eq!(
            DbName::parse("Big").expect_err("upper case").to_string(),
            "Name: 'Big'. Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, \
             and / are allowed. Must begin with a letter."
        );
    }
}
