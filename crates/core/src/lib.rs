//! The pure part of Trunkline: values in, values out.
//!
//! Nothing here reads a clock, a file, a socket or a source of randomness, and nothing is asynchronous. What a
//! revision is, which leaf wins, how trees merge, how JSON text is scanned, matched and hashed, and every limit
//! the product has, live here and nowhere else.
//!
//! | module | answers |
//! | --- | --- |
//! | [`rev`] | what a revision id is, and how two compare |
//! | [`revtree`] | which revisions of a document exist, which is a leaf, which wins; merge and stem |
//! | [`revid`] | the revision id of an edit, equal to CouchDB's byte for byte |
//! | [`json`] | scanning, compacting and slicing JSON text without building a tree |
//! | [`doc_id`], [`db_name`], [`partition`] | names that cannot hold a bad value |
//! | [`doc`], [`attachment`] | a document's body, an edit of it, what is known of its attachments |
//! | [`collate`] | CouchDB's orders of JSON values, and keys that sort in them |
//! | [`selector`] | Mango selectors: parse once, match many |
//! | [`reduce`] | built-in reduce functions of views |
//! | [`access`] | who may do what in a database |
//! | [`aggregate`] | groups of documents, and counts, sums, percentiles of each |
//! | [`time`] | times as texts tell them |
//! | [`checkpoint`] | where two replication logs agree |
//! | [`varint`] | integers as bytes |
//! | [`limits`] | every bound, with unit and reason |

pub mod access;
pub mod aggregate;
pub mod attachment;
pub mod checkpoint;
pub mod collate;
pub mod db_name;
pub mod doc;
pub mod doc_id;
pub mod json;
pub mod limits;
pub mod partition;
pub mod reduce;
pub mod rev;
pub mod revid;
pub mod revtree;
pub mod selector;
pub mod time;
pub mod varint;

/// A place in a database's order of changes. The first edit gets 1; 0 means "before everything".
pub type Seq = u64;
