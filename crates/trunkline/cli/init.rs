//! `trunkline init`: a server's administrator.

use super::output::say;
use super::settings::{ConfigFile, kept, open, sources};
use super::{Failure, password};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use trunkline::http::hash_admin;
use trunkline::http::settings::{Sources, Value};

/// What `init` takes.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The store's directory; made when it is not there
    #[arg(default_value = "./data", value_name = "DIR")]
    dir: PathBuf,
    /// The administrator's name
    #[arg(long, default_value = "admin", value_name = "NAME", env = "TRUNKLINE_USER")]
    user: String,
    /// Print the line for [admins] in a settings file, and make nobody an administrator
    #[arg(long)]
    hash: bool,
    #[command(flatten)]
    file: ConfigFile,
}

/// Where the password may be: process lists show what flags say.
pub(crate) const PASSWORD: &str = "TRUNKLINE_PASSWORD";

pub(crate) fn run(args: &InitArgs) -> Result<ExitCode, Failure> {
    if args.user.is_empty() || args.user.contains(':') {
        return Err(Failure::new(
            "an administrator's name is not empty and has no `:`",
        ));
    }
    let all = sources(&args.dir, &args.file)?;
    let is_ours = |(name, _): &(String, String)| name != PASSWORD && name != "TRUNKLINE_USER";
    let environment = all.environment.iter().filter(|variable| is_ours(variable));
    let environment = environment.cloned().collect();
    let (live, _) = open(Sources { environment, ..all })?;
    let password = password::of(&args.user, true)?;
    if args.hash {
        let hash = hash_admin(&live.now().authentication.passwords, &password);
        let name = Value::Text(args.user.clone()).toml();
        say(format_args!("{name} = \"{hash}\""))?;
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::create_dir_all(&args.dir)
        .map_err(|cause| Failure::new(format!("{}: {cause}", args.dir.display())))?;
    let before = live.change(
        "admins",
        &args.user,
        Some(Value::Text(password)),
        "trunkline init",
    )?;
    let done = match before {
        Some(_) => "has a new password",
        None => "is an administrator",
    };
    say(format_args!(
        "{} {done} (in {})",
        args.user,
        kept(&args.dir).display()
    ))?;
    say("A server that runs takes it after SIGHUP, or POST /_node/_local/_config/_reload.")?;
    Ok(ExitCode::SUCCESS)
}
