//! Simulations in virtual time: many small worlds of real stores and real replications by seed, and one large fleet by
//! model.
//!
//! | module | holds |
//! | --- | --- |
//! | `seeds` | which seeds run, how a failing one is told |
//! | `plan` | what a seed decides before anything happens: nodes, links, weather |
//! | `world`, `job` | what happens then, and what must hold at the end; the replications of an edge |
//! | `workload` | what people do meanwhile, and what they were promised |
//! | `node` | a store that loses power and comes back |
//! | `network`, `link` | what lies between nodes |
//! | `verify` | the promises, asked of the stores themselves |
//! | `fleet` | 1500 replicas in layers, as a model with measured costs |
//!
//! After healing, all nodes have equal leaves, bodies and attachments. Where a revs_limit is a few revisions only, what one
//! node has forgotten of a branch may be a leaf to another that was not told in time (as in CouchDB): there, each node has
//! what every other has or what was made from it. After a purge at all nodes at once, what was on its way may bring a
//! document back, but then everywhere.
//!
//! All the while, what a run says it is through with is at its target, and in the end nothing moves any more and each run
//! that goes on says that it lacks nothing.
//!
//! The stores, the replicator and its checkpoints are the real ones; disks are memory that forgets what was not synced;
//! the network is calls that are late, lost, cut or made twice. `SEED=7 cargo test --test sim` runs one world again,
//! `SEEDS=1000` that many.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod fleet;
mod job;
mod link;
mod network;
mod node;
mod plan;
mod seeds;
mod verify;
mod workload;
mod world;
