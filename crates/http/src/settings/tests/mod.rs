//! The table, the places that settings come from, and changes.

mod changes;
mod files;
mod mistakes;
mod places;
mod processes;
mod warnings;

use super::{Live, Sources};
use std::path::Path;

/// A server's sources in a directory: `trunkline.toml`, `settings.toml`, and these variables.
fn sources(dir: &Path, variables: &[(&str, &str)]) -> Sources {
    Sources {
        file: Some(dir.join("trunkline.toml")),
        kept: Some(dir.join("settings.toml")),
        environment: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    }
}

fn live(dir: &Path) -> Live {
    Live::open(sources(dir, &[])).unwrap().0
}

/// What a key is shown as.
fn shown(live: &Live, section: &str, key: &str) -> Option<String> {
    let mut keys = live.list().remove(section).unwrap();
    keys.remove(key).map(|shown| shown.text)
}
