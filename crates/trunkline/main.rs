//! The `trunkline` command line: what it takes. What each command does is in `cli/`.

mod cli;

use clap::{CommandFactory, Parser, Subcommand};
use cli::trust::TrustArgs;
use cli::{
    Failure, check, compact, config, export, import, info, init, jobs, migrate, replicate, serve, verify,
};
use std::io::Write;
use std::process::ExitCode;

/// An embedded, eventually consistent document store that speaks CouchDB's HTTP and replicates.
///
/// A DATABASE is a URL (http://127.0.0.1:5984/cdrs) or a directory of this machine with the database's name behind
/// it (./data/cdrs). In a URL, a / of the name is written %2F (http://127.0.0.1:5984/acct%2F2026). One process at a time holds a directory: while a server runs on it, use the server's URL.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    trust: TrustArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  trunkline serve                                     a server on ./data and port 5984
  trunkline import http://127.0.0.1:5984/cdrs calls.ndjson
  trunkline replicate http://node-1:5984/cdrs ./data/cdrs --create-target
  trunkline export ./data/cdrs --revs --attachments -o cdrs.ndjson
  trunkline check ./data";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a directory of databases over HTTP
    ///
    /// Prints where it listens once it does, logs to standard error, and ends in order on SIGINT or SIGTERM: feeds
    /// get their last line, running requests finish, replications write their checkpoints. Reads its settings again on
    /// SIGHUP.
    ///
    /// Settings are in DIR/trunkline.toml (or --config), or in variables called TRUNKLINE_SECTION_KEY; what the flags
    /// here say goes over them. Without an administrator (`trunkline init`) it listens on loopback addresses alone.
    #[command(after_help = "\
Examples:
  trunkline serve
  trunkline serve /var/lib/trunkline --listen 0.0.0.0:5984 --log-json")]
    Serve(serve::ServeArgs),

    /// Make an administrator of a server
    ///
    /// The password is asked for, or read from standard input, or from TRUNKLINE_PASSWORD; a hash of it is kept in
    /// DIR/settings.toml. Again with the same name, it sets another password.
    #[command(after_help = "\
Examples:
  trunkline init
  trunkline init /var/lib/trunkline --user anna < password.txt
  trunkline init --hash --user anna >> admins.toml")]
    Init(init::InitArgs),

    /// Print, check and explain a server's settings
    #[command(after_help = "\
Examples:
  trunkline config --example > ./data/trunkline.toml
  trunkline config check ./data/trunkline.toml
  trunkline config show ./data")]
    Config(config::ConfigArgs),

    /// Replicate one database to another, one way
    ///
    /// Starts where the last run of the same replication ended. Documents that the target refuses are listed on
    /// standard error, and make the exit code 1. Ends when the target has all there is, or, with --continuous, when
    /// it is interrupted.
    #[command(after_help = "\
Examples:
  trunkline replicate http://node-1:5984/cdrs ./data/cdrs --create-target
  trunkline replicate ./data/cdrs http://reports:5984/cdrs --continuous
  trunkline replicate http://node-1:5984/cdrs ./busy/cdrs --selector '{\"sip_code\":\"486\"}'")]
    Replicate(replicate::ReplicateArgs),

    /// List a server's replications: how far behind each is, and what did not get through
    ///
    /// The exit code is 1 when one of them is in trouble or degraded. With a JOB, the documents that did not get
    /// through; --retry tries them again first.
    #[command(after_help = "\
Examples:
  trunkline jobs http://127.0.0.1:5984
  trunkline jobs http://127.0.0.1:5984 5f2a…+continuous --retry")]
    Jobs(jobs::JobsArgs),

    /// Compare two databases: the same documents with the same revisions?
    ///
    /// Lists what differs; exit code 1 when anything does. Two Trunkline databases that agree cost a scan of each
    /// and hardly any traffic; with another server, both sides' changes are read.
    #[command(after_help = "\
Examples:
  trunkline verify http://node-1:5984/cdrs http://reports:5984/cdrs
  trunkline verify http://couch:5984/cdrs ./data/cdrs --user admin")]
    Verify(verify::VerifyArgs),

    /// Move from a running CouchDB, live
    ///
    /// `start` creates every database with its `_security`, and replicates it continuously; `cut-over` compares and
    /// ends that. The move belongs to the Trunkline server: it survives restarts of anything, and each command may be
    /// given again. The CouchDB stays as it is, apart from the checkpoints of replications.
    #[command(after_help = "\
Examples:
  trunkline migrate start http://couch:5984 http://127.0.0.1:5984 --both-ways --user admin
  trunkline migrate status http://couch:5984 http://127.0.0.1:5984 --user admin
  trunkline migrate cut-over http://couch:5984 http://127.0.0.1:5984 --user admin
  trunkline migrate finish http://couch:5984 http://127.0.0.1:5984 --user admin")]
    Migrate(migrate::MigrateArgs),

    /// Put documents from files into a database
    ///
    /// Takes one JSON document, an array of them, one per line (NDJSON), or an object that holds them in `docs` or
    /// `rows` (what _bulk_docs takes and _all_docs gives). Memory stays bounded however long the file is. What is in the
    /// database already is left alone and counted as unchanged; so the same file twice changes nothing. A document
    /// with `_rev` is restored as that revision; one without is created, and refused when its id holds other content.
    ///
    /// A snapshot (`trunkline export --snapshot`) is told by its first bytes, and imported by itself.
    #[command(after_help = "\
Examples:
  trunkline import ./data/cdrs calls.ndjson
  gzip -dc calls.ndjson.gz | trunkline import http://127.0.0.1:5984/cdrs - --id-field call_id")]
    Import(import::ImportArgs),

    /// Write a database's documents, one per line
    ///
    /// With --revs every leaf is written with its history, deleted ones and conflicts too; with --attachments the
    /// attachments' bytes. With both, import restores exactly what was there.
    #[command(after_help = "\
Examples:
  trunkline export ./data/cdrs > cdrs.ndjson
  trunkline export http://127.0.0.1:5984/voicemail --revs --attachments -o voicemail.ndjson
  trunkline export http://127.0.0.1:5984/cdrs --snapshot cdrs.snapshot")]
    Export(export::ExportArgs),

    /// Show what is in a store, or in one database
    Info(info::InfoArgs),

    /// Check every invariant of a store's files
    ///
    /// Prints what is wrong, a line each; exit code 1 when something is.
    Check(check::CheckArgs),

    /// Give a database's free space back to the file system
    Compact(compact::CompactArgs),

    /// Print a shell's completion script
    #[command(after_help = "\
Example:
  trunkline completions bash > ~/.local/share/bash-completion/completions/trunkline")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let Cli { trust, command } = Cli::parse();
    trust.apply();
    let done = match command {
        Command::Serve(args) => serve::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Replicate(args) => replicate::run(&args),
        Command::Jobs(args) => jobs::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Completions { shell } => completions(shell),
    };
    match done {
        Ok(code) => code,
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.lines() {
                cli::output::tell(format_args!("trunkline: {line}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    // Into memory first: the generator panics when its output goes away.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "trunkline", &mut script);
    std::io::stdout().write_all(&script).map_err(Failure::output)?;
    Ok(ExitCode::SUCCESS)
}
