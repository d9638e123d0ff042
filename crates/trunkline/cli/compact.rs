//! `trunkline compact`: gives free space back to the file system.

use super::Failure;
use super::location::Location;
use super::login::LoginArgs;
use super::output::say;
use super::remote::{Remote, runtime};
use clap::Args;
use reqwest::Method;
use std::process::ExitCode;

/// What `compact` takes.
#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// URL or DIR/database
    database: String,
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) fn run(args: &CompactArgs) -> Result<ExitCode, Failure> {
    args.login.apply();
    match Location::parse(&args.database)? {
        Location::Remote(url) => {
            let remote = Remote::new(&url)?;
            runtime()?.block_on(remote.ask(Method::POST, "/_compact", Some("{}".to_owned())))?;
            say(format_args!(
                "the server compacts {}",
                super::remote::without_credentials(&url)
            ))?;
        }
        Location::Local { dir, name } => {
            let database = Location::open(&dir, &name, false)?;
            let before = database.info()?.file_bytes;
            database.compact()?;
            let after = database.info()?.file_bytes;
            say(format_args!("{before} bytes before, {after} after"))?;
            database.store().close()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
