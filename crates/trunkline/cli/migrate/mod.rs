//! `trunkline migrate`: a live move from a running CouchDB to a Trunkline server.
//!
//! The move is `_replicator` documents of the Trunkline server, one per database (two with `--both-ways`), so that it goes
//! on whatever becomes of this command, and may be asked for again at any time: `start` only adds what is not there. Of the
//! CouchDB nothing changes but the checkpoints that replications keep there.
//!
//! | module | holds |
//! | --- | --- |
//! | `plan` | which databases are moved, and the documents that move them |
//! | `watch` | how far they are |

mod plan;
mod watch;

use super::Failure;
use super::login::LoginArgs;
use super::output::{count, say};
use super::remote::{Remote, without_credentials};
use super::signals::Stop;
use super::verify;
use clap::{Args, Subcommand};
use plan::Plan;
use std::process::ExitCode;

/// What `migrate` takes.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(Debug, Subcommand)]
enum Step {
    /// Start moving every database, and wait until all have caught up; may be interrupted, and asked for again
    Start {
        #[command(flatten)]
        ends: Ends,
        /// Replicate back as well, so that the CouchDB has what is written to the Trunkline server
        #[arg(long)]
        both_ways: bool,
        /// Do not wait until all have caught up
        #[arg(long)]
        no_wait: bool,
    },
    /// Tell how far each database is
    Status(Ends),
    /// Compare every database with its copy
    Verify(Ends),
    /// Wait until all have caught up, compare, and end the move to the Trunkline server
    ///
    /// Nobody should write to the CouchDB any more. Replications back to it, if any, go on until `finish`.
    CutOver(Ends),
    /// End what goes on still: the replications back to the CouchDB
    Finish(Ends),
}

#[derive(Clone, Debug, Args)]
struct Ends {
    /// The CouchDB's URL: http://couch:5984
    couchdb: String,
    /// The Trunkline server's URL
    server: String,
    /// Only this database; may be given several times. All but `_replicator` and `_global_changes` otherwise
    #[arg(long = "database", value_name = "NAME")]
    databases: Vec<String>,
    /// Name of a secret of the Trunkline server that holds the CouchDB's credentials, in place of those of the URL
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) fn run(args: &MigrateArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.step {
            Step::Start {
                ends,
                both_ways,
                no_wait,
            } => start(ends, *both_ways, *no_wait).await,
            Step::Status(ends) => status(ends).await,
            Step::Verify(ends) => compare(&Plan::read(ends).await?).await,
            Step::CutOver(ends) => cut_over(ends).await,
            Step::Finish(ends) => finish(ends).await,
        }
    })
}

async fn start(ends: &Ends, both_ways: bool, no_wait: bool) -> Result<ExitCode, Failure> {
    let plan = Plan::read(ends).await?;
    let mut begun = 0;
    for database in &plan.databases {
        begun += u64::from(plan.begin(database, both_ways).await?);
    }
    say(format_args!(
        "{}: {begun} begun, {} under way already",
        count(plan.databases.len() as u64, "database"),
        plan.databases.len() as u64 - begun
    ))?;
    if no_wait {
        return Ok(ExitCode::SUCCESS);
    }
    caught_up(&plan, watch::CAUGHT_UP_SECONDS).await
}

/// Waits until no database lacks anything older than so many seconds, or someone interrupts.
async fn caught_up(plan: &Plan, seconds: f64) -> Result<ExitCode, Failure> {
    let mut stop = Stop::new()?;
    tokio::select! {
        waited = watch::until_caught_up(plan, seconds) => {
            waited?;
            say(format_args!("{} caught up; the copies follow on", count(plan.databases.len() as u64, "database")))?;
            Ok(ExitCode::SUCCESS)
        }
        () = stop.asked() => {
            say("interrupted: the server goes on; the same command waits again")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn status(ends: &Ends) -> Result<ExitCode, Failure> {
    let plan = Plan::read(ends).await?;
    let mut behind = 0;
    for database in &plan.databases {
        let copy = watch::copy(&plan, database).await?;
        behind += u64::from(!copy.is_within(watch::CAUGHT_UP_SECONDS));
        say(format_args!("{database}: {}", copy.told))?;
    }
    Ok(ExitCode::from(u8::from(behind > 0)))
}

/// Compares every database; differences make the exit code 1.
async fn compare(plan: &Plan) -> Result<ExitCode, Failure> {
    let mut differing = 0;
    for database in &plan.databases {
        let here = plan.server_url(database);
        let there = plan.couchdb_url(database);
        differing += u64::from(verify::between(database, &there, &here).await?);
    }
    if differing > 0 {
        say(format_args!("{} not the same", count(differing, "database")))?;
    } else {
        say(format_args!(
            "{} the same",
            count(plan.databases.len() as u64, "database")
        ))?;
    }
    Ok(ExitCode::from(u8::from(differing > 0)))
}

async fn cut_over(ends: &Ends) -> Result<ExitCode, Failure> {
    let plan = Plan::read(ends).await?;
    // Nobody writes to the CouchDB any more: the copies lack nothing at all before long.
    let mut ready = caught_up(&plan, 0.0).await? == ExitCode::SUCCESS;
    if ready {
        for database in &plan.databases {
            plan.copy_security(database).await?;
        }
        ready = compare(&plan).await? == ExitCode::SUCCESS;
    }
    if !ready {
        say("nothing was ended: the copies follow on")?;
        return Ok(ExitCode::FAILURE);
    }
    let mut back = 0;
    for database in &plan.databases {
        plan.end(&plan::forward(database)).await?;
        back += u64::from(plan.is_under_way(&plan::back(database)).await?);
    }
    say(format_args!(
        "cut over: {} served by {} now",
        count(plan.databases.len() as u64, "database"),
        without_credentials(&ends.server)
    ))?;
    if back > 0 {
        say(format_args!(
            "{} still replicated back to the CouchDB; `trunkline migrate finish` ends that",
            count(back, "database")
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn finish(ends: &Ends) -> Result<ExitCode, Failure> {
    let plan = Plan::read(ends).await?;
    let mut ended = 0;
    for database in &plan.databases {
        ended += u64::from(plan.end(&plan::back(database)).await?);
        ended += u64::from(plan.end(&plan::forward(database)).await?);
    }
    say(format_args!("{} ended", count(ended, "replication")))?;
    Ok(ExitCode::SUCCESS)
}

/// The server itself, as far as this command needs it.
fn server(url: &str) -> Result<Remote, Failure> {
    Remote::new(url)
}
