//! Helpers for the tests of every other crate; never published.
//!
//! | module | helps with |
//! | --- | --- |
//! | [`seed`] | tests that draw lots: each failure names the seed that replays it |
//! | [`crash`] | a disk that remembers every write, and shows what a crash at any moment could have left |
//! | [`records`] | call detail records of the usual size |

pub mod crash;
pub mod records;
pub mod seed;
