//! `trunkline check`: every invariant of the files, database by database.

use super::Failure;
use super::location::{Location, Place, explain, open_store};
use super::output::{count, say};
use clap::Args;
use std::process::ExitCode;
use trunkline::core::db_name::DbName;
use trunkline::engine::Store;

/// What `check` takes.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A store's directory, or DIR/database for one database of it
    #[arg(value_name = "DIR")]
    dir: String,
}

pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let (dir, only) = match Place::existing(&args.dir)? {
        Place::Store(dir) => (dir, None),
        Place::Database(Location::Local { dir, name }) => (dir, Some(name)),
        Place::Database(Location::Remote(_)) => {
            return Err(Failure::new(
                "check reads the files themselves: give the store's directory",
            ));
        }
    };
    let store = open_store(&dir, false)?;
    let names = only.map_or_else(|| store.names(), |name| vec![name]);
    let mut problems = 0;
    for name in &names {
        for problem in check(&store, name) {
            say(format_args!("{}: {problem}", name.as_str()))?;
            problems += 1;
        }
    }
    match store.close() {
        // A file that cannot be read cannot be closed in order either.
        Err(_) if problems > 0 => {}
        closed => closed.map_err(|error| explain(error, &dir))?,
    }
    if problems == 0 {
        say(format_args!(
            "{} checked, nothing wrong",
            count(names.len() as u64, "database")
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!(
        "{} checked, {}",
        count(names.len() as u64, "database"),
        count(problems, "problem")
    ))?;
    Ok(ExitCode::FAILURE)
}

/// What is wrong with one database, a line each. One that does not even open is one problem, not the end of the check.
fn check(store: &Store, name: &DbName) -> Vec<String> {
    let checked = store.database(name).and_then(|database| database.check());
    checked.unwrap_or_else(|error| vec![Failure::from(error).to_string()])
}
