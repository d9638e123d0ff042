//! JSON and multipart to core and back, for server and client alike. The only home of JSON member names.
//!
//! Writers append to byte buffers and splice stored bodies behind `_id` and `_rev`; no stored body is parsed.

pub mod all_docs;
pub mod attachments;
pub mod bulk_docs;
pub mod bulk_get;
pub mod changes;
pub mod document;
pub mod multipart;
pub mod replication_log;
pub mod revs_diff;
