//! The server over a real socket, resource by resource.

mod all_docs;
mod attachments;
mod bulk;
mod changes;
mod databases;
mod documents;
mod encoding;
mod harness;
mod live_feeds;
mod local;
mod multipart;
mod server;
mod shutdown;
