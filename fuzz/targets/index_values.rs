//! Any bytes as a value of an index file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_query::index::survives;

fuzz_target!(|bytes: &[u8]| assert!(survives(bytes)));
