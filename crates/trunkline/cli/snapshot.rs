//! Snapshot files: `trunkline export --snapshot` takes one, `trunkline import` seeds a replica from it.

use super::Failure;
use super::location::{Location, Stores};
use super::output::{count, say, tell};
use super::progress;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline::replicate::{self, Progress, SnapshotPeer, Spec, take_snapshot};

/// Writes a database's snapshot. An unfinished one does not stay.
pub(crate) fn export(database: &Location, path: &Path) -> Result<ExitCode, Failure> {
    let mut stores = Stores::default();
    let source = stores.peer(database, false)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if path.exists() {
        return Err(Failure::new(format!("{} is there already", path.display())));
    }
    let bar = progress::line(false);
    let unfinished = path.with_added_extension("part");
    let taken = runtime.block_on(take_snapshot(source, &unfinished, &mut |documents| {
        bar.set_message(count(documents, "document"));
    }));
    bar.finish_and_clear();
    stores.close()?;
    match taken {
        Ok(taken) => {
            std::fs::rename(&unfinished, path)?;
            tell(format_args!(
                "{} and {} in {}",
                count(taken.documents, "document"),
                count(taken.contents, "attachment content"),
                path.display()
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // What is left of it is of no use; that it cannot be removed is not the news.
            let _ = std::fs::remove_file(&unfinished);
            Err(error.into())
        }
    }
}

/// Whether a file to be imported is a snapshot.
pub(crate) fn is_one(file: &str) -> bool {
    file != "-" && SnapshotPeer::is_snapshot(Path::new(file))
}

/// Puts a snapshot's documents into a database; a replication from where it was taken goes on behind it.
pub(crate) fn import(database: &Location, file: &str, as_json: bool) -> Result<ExitCode, Failure> {
    let source = SnapshotPeer::open(Path::new(file))?;
    let documents = source.documents();
    let mut stores = Stores::default();
    let target = stores.peer(database, true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = Instant::now();
    let spec = Spec {
        create_target: true,
        ..Spec::default()
    };
    let (progress, _) = watch::channel(Progress::default());
    let run = replicate::run(Arc::new(source), target, spec, progress, CancellationToken::new());
    let report = runtime.block_on(run);
    stores.close()?;
    let counts = report?.progress;
    let seconds = started.elapsed().as_secs_f64();
    if as_json {
        say(json!({
            "ok": counts.doc_write_failures == 0,
            "read": documents,
            "imported": counts.docs_written,
            "refused": counts.doc_write_failures,
            "seconds": (seconds * 1000.0).round() / 1000.0,
        }))?;
    } else {
        say(format_args!(
            "{} in the snapshot: {} revisions written, {} refused ({seconds:.3} s); a replication from its source goes on behind it",
            count(documents, "document"),
            counts.docs_written,
            counts.doc_write_failures
        ))?;
    }
    Ok(ExitCode::from(u8::from(counts.doc_write_failures > 0)))
}
