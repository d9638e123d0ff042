//! Replication logs: what a checkpoint document holds, and where two logs agree (PROTOCOL section 3).

/// One run in a log's history. Seqs are kept as JSON text, since a peer's may be strings, numbers or arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the run.
    pub session_id: Box<str>,
    /// The source seq it had reached.
    pub recorded_seq: Box<str>,
}

/// The part of a checkpoint document that decides where to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationLog {
    /// Of the newest run.
    pub session_id: Box<str>,
    /// Of the newest run, as JSON text.
    pub source_last_seq: Box<str>,
    /// Newest first.
    pub history: Vec<Session>,
}

/// The source seq both logs know to be replicated, as JSON text; `None` means from the beginning.
pub fn common_seq(_source: &ReplicationLog, _target: &ReplicationLog) -> Option<Box<str>> {
    todo!()
}
