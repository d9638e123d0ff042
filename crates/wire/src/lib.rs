//! JSON and multipart to core and back, for server and client alike. The only home of JSON member names.
//!
//! Writers append to byte buffers and splice stored bodies behind `_id` and `_rev`; no stored body is parsed. Readers
//! take bytes from outside: what is wrong comes back as a value, and nothing is held without a bound. Nothing here
//! does I/O: streams are fed chunk by chunk.
//!
//! | module | carries |
//! | --- | --- |
//! | [`document`], [`attachments`], [`local_doc`] | one document, its attachments' entries, local documents |
//! | [`bulk_docs`], [`bulk_get`], [`open_revs`] | many documents at once |
//! | [`changes`], [`seq`] | feeds, and places in them |
//! | [`all_docs`] | documents in id order |
//! | [`design_doc`] | what a design document defines |
//! | [`find`] | Mango: what is to be found, and indexes for it |
//! | [`revs_diff`], [`purge`] | lists of revisions by document |
//! | [`exchange`] | all that and more in one stream, between our own nodes |
//! | [`digests`] | what two nodes compare |
//! | [`multipart`] | documents with the bytes of their attachments |
//! | [`replication`], [`replication_log`] | what only replications ask; checkpoints |
//! | [`user_doc`] | who may log in |
//! | [`info`], [`fault`] | what a peer says of itself, and error bodies |
//! | [`invalid`] | why bytes are not what they should be |

pub mod all_docs;
pub mod attachments;
pub mod bulk_docs;
pub mod bulk_get;
pub mod changes;
pub mod design_doc;
pub mod digests;
pub mod document;
pub mod exchange;
pub mod fault;
pub mod feeds;
pub mod find;
pub mod format;
pub mod functions;
pub mod info;
pub mod invalid;
pub mod local_doc;
pub mod multipart;
pub mod open_revs;
pub mod purge;
pub mod replication;
pub mod replication_log;
mod rev_text;
pub mod revs_diff;
pub mod security;
pub mod seq;
pub mod snapshot;
pub mod snapshot_request;
pub mod user_doc;
pub mod view;
