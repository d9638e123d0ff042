//! Database names that cannot hold a bad value.

/// A database's name: `^[a-z][a-z0-9_$()+/-]*$`, or a system database (`_users`, `_replicator`,
/// `_global_changes`, or a name ending in `/` and one of these), at most [`crate::limits::DB_NAME_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DbName(Box<str>);

/// The text is no database name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDbName(pub Box<str>);

impl DbName {
    /// Checks a text.
    pub fn parse(_text: &str) -> Result<DbName, InvalidDbName> {
        todo!()
    }
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
