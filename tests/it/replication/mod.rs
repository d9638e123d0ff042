//! Replications over real sockets, between real servers.

mod attachments;
mod documents;
mod exchange;
mod interrupted;
mod moves;
mod pending;
mod selectors;
mod unserved;
mod world;
