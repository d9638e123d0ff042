//! What the functions of design documents find, may do and may not do.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod bounds;
mod environment;
mod functions;
mod views;

use trunkline_js::{Failure, Limits, Sandbox, Sources};

/// A sandbox of these maps.
fn mapping(maps: &[&str]) -> Sandbox {
    let maps = maps.iter().map(|source| source.to_string()).collect();
    sandbox(Sources {
        maps,
        ..Sources::default()
    })
}

/// A sandbox of these functions.
fn calling(functions: &[&str]) -> Sandbox {
    let functions = functions.iter().map(|source| source.to_string()).collect();
    sandbox(Sources {
        functions,
        ..Sources::default()
    })
}

fn sandbox(sources: Sources) -> Sandbox {
    Sandbox::new(sources, Limits::default()).expect("functions that compile")
}

/// The rows that one map gives for a document.
#[track_caller]
fn check_rows(map: &str, doc: &str, want: &str) {
    assert_eq!(mapping(&[map]).map(doc), [Ok(want.to_string())], "{map}");
}

fn message<T: std::fmt::Debug>(result: &Result<T, Failure>) -> String {
    match result {
        Err(Failure::Threw { message, .. }) => message.clone(),
        other => panic!("nothing was thrown: {other:?}"),
    }
}
