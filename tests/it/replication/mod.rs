//! Replications over real sockets, between real servers.

mod attachments;
mod documents;
mod exchange;
mod interrupted;
mod moves;
mod outage;
mod pending;
mod selectors;
mod unserved;
mod voicemail;
mod world;
