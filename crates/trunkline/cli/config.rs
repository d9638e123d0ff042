//! `trunkline config`: what may be set, whether a file is right, and what is in force.

use super::Failure;
use super::output::{say, tell};
use super::serve::log_filter;
use super::settings::{ConfigFile, kept, open, sources};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use trunkline::http::settings::{HIDDEN, Live, Sources, example};

/// What `config` takes.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, args_conflicts_with_subcommands = true)]
pub(crate) struct ConfigArgs {
    /// Print a settings file with every key, its meaning and its default, commented out
    #[arg(long)]
    example: bool,
    #[command(subcommand)]
    command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether a settings file is right, and the certificates and directories that it names; a line for each mistake,
    /// and exit code 1, when not
    Check {
        /// The file
        #[arg(
            default_value = "./data/trunkline.toml",
            value_name = "FILE",
            env = "TRUNKLINE_CONFIG"
        )]
        file: PathBuf,
    },
    /// Print what a server on a directory would go by, and where each setting comes from; no secrets
    Show {
        /// The store's directory
        #[arg(default_value = "./data", value_name = "DIR")]
        dir: PathBuf,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(crate) fn run(args: &ConfigArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        Some(ConfigCommand::Check { file }) => check(file)?,
        Some(ConfigCommand::Show { dir, file }) => show(open(sources(dir, file)?)?)?,
        None => say(example().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path) -> Result<(), Failure> {
    let (live, warnings) = open(Sources {
        file: Some(file.to_owned()),
        file_is_named: true,
        // Beside it is who is an administrator, if it is in the store's directory.
        kept: file.parent().map(kept),
        ..Sources::default()
    })?;
    let process = live.process();
    let mut wrong = process.wrong_files();
    wrong.extend(process.wrong_peer_files());
    wrong.extend(log_filter(&process).err().map(|failure| failure.to_string()));
    Failure::unless_none(wrong)?;
    for warning in warnings {
        tell(format_args!("trunkline: {warning}"));
    }
    say(format_args!("{}: ok", file.display()))
}

fn show((live, warnings): (Live, Vec<String>)) -> Result<(), Failure> {
    for warning in warnings {
        tell(format_args!("trunkline: {warning}"));
    }
    for (section, keys) in live.list() {
        for (key, shown) in keys {
            let origin = shown
                .origin
                .map_or("default".to_owned(), |origin| origin.to_string());
            let text = match shown.is_hash {
                true => HIDDEN.to_owned(),
                false => super::output::one_line(&shown.text),
            };
            say(format_args!("{section}/{key} = {text}  ({origin})"))?;
        }
    }
    Ok(())
}
