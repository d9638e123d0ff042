//! Replications over real sockets, between real servers.

mod attachments;
mod documents;
mod exchange;
mod fronts;
mod gone_back;
mod interrupted;
mod lazy;
mod moves;
mod outage;
mod pending;
mod secured;
mod selectors;
mod stopped;
mod unserved;
mod voicemail;
mod world;
