//! What a replication asks of either end.

/// Either end of a replication. `local` and `http` are its two implementations; tests add faulty ones.
pub trait Peer: Send + Sync {}

/// Why a peer did not answer as asked.
#[derive(Debug)]
pub struct PeerError {}
