//! The replication id, and the checkpoint document that goes by it.
