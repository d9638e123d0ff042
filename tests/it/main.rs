//! What the product as a whole does: the real binary, real sockets, real files. Whatever can be tested lower down is
//! tested there.

mod cli;
mod examples;
mod export;
mod import;
mod kill9;
mod node;
mod readme;
