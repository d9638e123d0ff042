//! What is asked and written on behalf of someone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod asked;
mod judged;
mod others;
mod seen;
mod support;
