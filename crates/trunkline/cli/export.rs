//! `trunkline export`: a database's documents, one per line.

use super::Failure;
use super::location::Location;
use super::login::LoginArgs;
use super::output::{count, tell};
use super::progress;
use super::remote::{Remote, runtime};
use super::snapshot;
use clap::Args;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use trunkline::Database;
use trunkline::core::attachment::Attachment;
use trunkline::engine::{ChangesScan, DocsScan, Leaf, Want, WantRevs};
use trunkline::wire::document::{self, AttachmentForm, Pieces, Shown};

/// What `export` takes.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// URL or DIR/database
    database: String,
    /// Every leaf with its history (`_revisions`), conflicts and deleted documents too
    #[arg(long)]
    revs: bool,
    /// Attachments with their bytes, in base64
    #[arg(long)]
    attachments: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write everything into one binary file, to seed a replica with: `trunkline import` reads it, and replications from
    /// this database go on behind it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["revs", "attachments", "output"])]
    snapshot: Option<PathBuf>,
    #[command(flatten)]
    login: LoginArgs,
}

/// Documents read at once.
const PAGE_DOCUMENTS: usize = 200;
/// Documents asked of a server at once when attachments come with them: an answer is held in memory.
const PAGE_DOCUMENTS_WITH_ATTACHMENTS: usize = 4;

pub(crate) fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    args.login.apply();
    let location = Location::parse(&args.database)?;
    if let Some(path) = &args.snapshot {
        return snapshot::export(&location, path);
    }
    let mut lines = Lines {
        path: args.output.clone(),
        output: None,
        written: 0,
        bar: progress::line(args.output.is_none()),
    };
    match &location {
        Location::Local { dir, name } => {
            let database = Location::open(dir, name, false)?;
            let exported = Local::new(args, database.clone()).export(&mut lines);
            database.store().close()?;
            exported?;
        }
        Location::Remote(url) => {
            runtime()?.block_on(export_remote(args, &Remote::new(url)?, &mut lines))?;
        }
    }
    lines.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Where documents are written, a line each.
struct Lines {
    /// `None` for standard output.
    path: Option<PathBuf>,
    /// Opened for the first line or the end: an export that fails before it leaves an older file alone.
    output: Option<BufWriter<Box<dyn Write>>>,
    written: u64,
    bar: indicatif::ProgressBar,
}

impl Lines {
    fn push(&mut self, document: &[u8]) -> Result<(), Failure> {
        let output = self.output()?;
        output.write_all(document).map_err(Failure::output)?;
        output.write_all(b"\n").map_err(Failure::output)?;
        self.written += 1;
        if self.written.is_multiple_of(1000) {
            self.bar.set_message(format!("{} documents", self.written));
        }
        Ok(())
    }

    fn output(&mut self) -> Result<&mut BufWriter<Box<dyn Write>>, Failure> {
        let opened = match self.output.take() {
            Some(output) => output,
            None => {
                let output: Box<dyn Write> = match &self.path {
                    Some(path) => Box::new(
                        File::create(path)
                            .map_err(|cause| Failure::new(format!("{}: {cause}", path.display())))?,
                    ),
                    None => Box::new(std::io::stdout()),
                };
                BufWriter::with_capacity(256 << 10, output)
            }
        };
        Ok(self.output.insert(opened))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.output()?.flush().map_err(Failure::output)?;
        self.bar.finish_and_clear();
        tell(format_args!("{} exported", count(self.written, "document")));
        Ok(())
    }
}

/// The export of a database of this machine.
struct Local<'a> {
    args: &'a ExportArgs,
    database: Database,
    line: Vec<u8>,
}

impl<'a> Local<'a> {
    fn new(args: &'a ExportArgs, engine: trunkline::engine::Database) -> Local<'a> {
        Local {
            args,
            database: Database::from(engine),
            line: Vec::new(),
        }
    }

    fn export(mut self, lines: &mut Lines) -> Result<(), Failure> {
        if self.args.revs {
            self.leaves(lines)
        } else {
            self.winners(lines)
        }
    }

    /// Documents that are not deleted, in the order of their ids.
    fn winners(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let mut scan = DocsScan {
            start: None,
            after_start: false,
            end: None,
            inclusive_end: true,
            descending: false,
            bodies: false,
            limit: usize::MAX,
        };
        loop {
            let mut wants = Vec::new();
            let end = self.database.engine().all_docs(&scan, &mut |row| {
                wants.push(want(row.id, WantRevs::Winner));
                full(&wants)
            })?;
            self.write(&wants, lines)?;
            if end.done {
                return Ok(());
            }
            scan.after_start = true;
            scan.start = end.last.or(scan.start);
        }
    }

    /// Every leaf of every document, in the order of their last change.
    fn leaves(&mut self, lines: &mut Lines) -> Result<(), Failure> {
        let mut scan = ChangesScan {
            since: 0,
            until: u64::MAX,
            descending: false,
            bodies: false,
            limit: usize::MAX,
        };
        loop {
            let mut wants = Vec::new();
            let end = self.database.engine().changes(&scan, &mut |row| {
                wants.push(want(row.id, WantRevs::All));
                full(&wants)
            })?;
            self.write(&wants, lines)?;
            if end.done {
                return Ok(());
            }
            scan.since = end.last.unwrap_or(scan.since);
        }
    }

    fn write(&mut self, wants: &[Want], lines: &mut Lines) -> Result<(), Failure> {
        let found = self.database.engine().bulk_get(wants)?;
        for (want, found) in wants.iter().zip(found) {
            let Some(found) = found else { continue };
            let shown = Shown {
                tree: Some(&found.revs),
                revs: self.args.revs,
                ..Shown::default()
            };
            for leaf in found.leaves {
                self.write_leaf(&want.id, &leaf, &shown)?;
                lines.push(&self.line)?;
            }
        }
        Ok(())
    }

    fn write_leaf(&mut self, id: &str, leaf: &Leaf, shown: &Shown<'_>) -> Result<(), Failure> {
        let mut forms = Vec::new();
        if self.args.attachments {
            for attachment in &leaf.attachments {
                forms.push(AttachmentForm::Data(self.bytes(id, attachment)?));
            }
        }
        self.line.clear();
        let pieces = Pieces {
            id,
            rev: &leaf.rev,
            deleted: leaf.deleted,
            body: leaf.body.as_str(),
            attachments: &leaf.attachments,
        };
        document::write(&mut self.line, pieces, &forms, shown);
        Ok(())
    }

    fn bytes(&self, id: &str, attachment: &Attachment) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.database
            .open_attachment(attachment)?
            .read_to_end(&mut bytes)
            .map_err(|cause| Failure::new(format!("{id}: attachment {:?}: {cause}", attachment.name)))?;
        Ok(bytes)
    }
}

fn want(id: &str, revs: WantRevs) -> Want {
    Want {
        id: id.to_owned(),
        revs,
    }
}

/// Whether a page of documents is complete.
fn full(wants: &[Want]) -> ControlFlow<()> {
    match wants.len() {
        ..PAGE_DOCUMENTS => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

#[derive(Deserialize)]
struct ChangesPage {
    results: Vec<ChangeId>,
    last_seq: Box<RawValue>,
}

#[derive(Deserialize)]
struct ChangeId {
    id: String,
    #[serde(default)]
    deleted: bool,
    changes: Vec<ChangeRev>,
}

#[derive(Deserialize)]
struct ChangeRev {
    rev: String,
}

#[derive(Deserialize)]
struct Fetched {
    results: Vec<FetchedDoc>,
}

#[derive(Deserialize)]
struct FetchedDoc {
    docs: Vec<FetchedRev>,
}

#[derive(Deserialize)]
struct FetchedRev {
    ok: Option<Box<RawValue>>,
}

/// Pages through a server's changes, and asks for the documents of each page.
async fn export_remote(args: &ExportArgs, remote: &Remote, lines: &mut Lines) -> Result<(), Failure> {
    let style = if args.revs { "all_docs" } else { "main_only" };
    let limit = match args.attachments {
        true => PAGE_DOCUMENTS_WITH_ATTACHMENTS,
        false => PAGE_DOCUMENTS,
    };
    let mut since = "0".to_owned();
    loop {
        let page = format!("/_changes?style={style}&limit={limit}&since={since}");
        let page: ChangesPage = remote.ask_json(Method::GET, &page, None).await?;
        let asked: Vec<_> = page
            .results
            .iter()
            .filter(|row| args.revs || !row.deleted)
            .flat_map(|row| {
                row.changes
                    .iter()
                    .map(|change| json!({"id": row.id, "rev": change.rev}))
            })
            .collect();
        if !asked.is_empty() {
            let path = format!("/_bulk_get?revs={}&attachments={}", args.revs, args.attachments);
            let told: Fetched = remote
                .ask_json(Method::POST, &path, Some(json!({"docs": asked}).to_string()))
                .await?;
            // A revision that was superseded meanwhile has no document any more; its successor comes later in the feed.
            for document in told.results.into_iter().flat_map(|doc| doc.docs) {
                if let Some(document) = document.ok {
                    lines.push(document.get().as_bytes())?;
                }
            }
        }
        if page.results.is_empty() {
            return Ok(());
        }
        since = page.last_seq.get().trim_matches('"').to_owned();
    }
}
