//! Replications between databases of this process: what they move, what they survive, what they record.

mod attachments;
mod checkpoints;
mod faults;
mod moves;
mod world;
