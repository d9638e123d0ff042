//! `trunkline info`: what is in a store, or in one database.

use super::Failure;
use super::location::{Location, Place, open_store};
use super::login::LoginArgs;
use super::output::{count, one_line, say};
use super::remote::{Remote, runtime};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use trunkline::engine::Info;

/// What `info` takes.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// A store's directory, a database in it (DIR/database), or a database's URL
    #[arg(default_value = "./data", value_name = "DIR | DATABASE")]
    place: String,
    /// One JSON line per database
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) fn run(args: &InfoArgs) -> Result<ExitCode, Failure> {
    args.login.apply();
    match Place::existing(&args.place)? {
        Place::Store(dir) => return of_store(&dir, args.json),
        Place::Database(Location::Local { dir, name }) => {
            let database = Location::open(&dir, &name, false)?;
            let info = database.info()?;
            print(name.as_str(), &members(&info), args.json)?;
            database.store().close()?;
        }
        Place::Database(Location::Remote(url)) => {
            let remote = Remote::new(&url)?;
            let told: Value = runtime()?.block_on(remote.ask_json(Method::GET, "", None))?;
            print(&super::remote::without_credentials(&url), &told, args.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line each. A database that does not open is told of and does not hide the others.
fn of_store(dir: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let store = open_store(dir, false)?;
    let names = store.names();
    if !as_json {
        say(format_args!(
            "{}: node {}, {}",
            dir.display(),
            store.uuid(),
            count(names.len() as u64, "database")
        ))?;
    }
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let info = match store.database(&name).and_then(|database| database.info()) {
            Ok(info) => info,
            Err(error) => {
                code = ExitCode::FAILURE;
                let told = format!("{}: {}", name.as_str(), Failure::from(error));
                eprintln!("{}", one_line(&told));
                continue;
            }
        };
        if as_json {
            print(name.as_str(), &members(&info), true)?;
        } else {
            say(format_args!(
                "  {:<40} {:>10} documents {:>8} deleted {:>12} bytes",
                name.as_str(),
                info.doc_count,
                info.doc_del_count,
                info.file_bytes
            ))?;
        }
    }
    match store.close() {
        Err(_) if code == ExitCode::FAILURE => {}
        closed => closed?,
    }
    Ok(code)
}

fn members(info: &Info) -> Value {
    json!({
        "doc_count": info.doc_count,
        "doc_del_count": info.doc_del_count,
        "update_seq": info.update_seq,
        "purge_seq": info.purge_seq,
        "uuid": info.uuid,
        "sizes": {"file": info.file_bytes, "active": info.active_bytes, "external": info.external_bytes},
    })
}

fn print(name: &str, told: &Value, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return say(json!({"database": name, "info": told}));
    }
    say(format_args!("{name}"))?;
    for (member, value) in told.as_object().into_iter().flatten() {
        match value.as_object() {
            None => say(format_args!("  {member}: {value}"))?,
            Some(inner) => {
                for (below, value) in inner {
                    say(format_args!("  {member}.{below}: {value}"))?;
                }
            }
        }
    }
    Ok(())
}
