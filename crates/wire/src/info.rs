//! What a peer says of itself and its databases, as far as a replication asks.

use crate::invalid::BadAnswer;

/// `GET /`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// Names the node, where it has a name.
    pub uuid: Option<String>,
    /// `vendor.name`.
    pub vendor: Option<String>,
    /// `version`.
    pub version: Option<String>,
    /// `features`.
    pub features: Vec<String>,
}

/// `GET /db`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbInfo {
    /// `update_seq`, as JSON text.
    pub update_seq: Box<str>,
    /// `instance_start_time`; `"0"` where the peer has none.
    pub instance_start_time: Box<str>,
    /// `doc_count`.
    pub doc_count: Option<u64>,
}

/// Reads the answer to `GET /`.
pub fn parse_welcome(_text: &[u8]) -> Result<Welcome, BadAnswer> {
    todo!()
}

/// Reads the answer to `GET /db`.
pub fn parse_db(_text: &[u8]) -> Result<DbInfo, BadAnswer> {
    todo!()
}

/// Reads `instance_start_time` out of the answer to `_ensure_full_commit`.
pub fn parse_full_commit(_text: &[u8]) -> Result<Box<str>, BadAnswer> {
    todo!()
}

/// Reads `id` and `rev` out of the answer to a PUT; `rev` may be `0-N`.
pub fn parse_written(_text: &[u8]) -> Result<(String, String), BadAnswer> {
    todo!()
}
