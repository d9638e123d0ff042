//! Replications over real sockets, between real servers.

mod attachments;
mod interrupted;
mod moves;
mod world;
