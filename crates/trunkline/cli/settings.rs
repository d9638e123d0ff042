//! The places that a command finds a server's settings in.

use super::Failure;
use clap::Args;
use std::path::{Path, PathBuf};
use trunkline::http::settings::{Live, Sources};

/// Where the operator's file is.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The server's settings, a TOML file (`trunkline config --example` prints one); DIR/trunkline.toml, if there is one
    #[arg(long, value_name = "FILE", env = "TRUNKLINE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// The sources of the server on a directory, without flags.
pub(crate) fn sources(dir: &Path, file: &ConfigFile) -> Result<Sources, Failure> {
    Ok(Sources {
        file: Some(file.config.clone().unwrap_or_else(|| dir.join("trunkline.toml"))),
        file_is_named: file.config.is_some(),
        kept: Some(kept(dir)),
        environment: environment()?,
        ..Sources::default()
    })
}

/// Reads them, with what to warn of; every mistake is a line.
pub(crate) fn open(sources: Sources) -> Result<(Live, Vec<String>), Failure> {
    Live::open(sources).map_err(|problem| Failure::Lines(problem.lines().to_vec()))
}

/// The file of what is set while a server runs.
pub(crate) fn kept(dir: &Path) -> PathBuf {
    dir.join("settings.toml")
}

/// The variables that may concern a server.
fn environment() -> Result<Vec<(String, String)>, Failure> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_ours = name.starts_with("TRUNKLINE_") || name == "CREDENTIALS_DIRECTORY";
        is_ours.then_some((name, value))
    });
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(Failure::new(format!("{name} is not UTF-8"))),
    })
    .collect()
}
