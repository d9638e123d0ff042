//! The store from outside: one binary, one module per promise.

mod basics;
mod crash;
mod model;
mod support;
