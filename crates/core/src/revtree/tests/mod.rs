//! Tests of the tree: examples, every small tree in every order, and properties of large ones.

mod encoding;
mod examples;
mod gossip;
mod properties;
mod small_worlds;
mod world;
