//! The store from outside: one binary, one module per promise.

mod attachments;
mod basics;
mod crash;
mod damage;
mod fixture;
mod lifecycle;
mod model;
mod support;
mod together;
