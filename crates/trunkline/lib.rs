//! Trunkline keeps JSON documents on the node that made them, and replicates them to other nodes.
//!
//! A [`Store`] is a directory of [`Database`]s. A database keeps documents with their revisions, so that two nodes may
//! edit the same document without asking each other: a replication brings both edits together, one wins everywhere,
//! and none is lost. The server in [`http`] speaks CouchDB's protocol; so do replications.
//!
//! This page is the embedder's manual. The command line is `trunkline --help`.
//!
//! # Opening, writing, reading
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use trunkline::Store;
//!
//! #[derive(Serialize, Deserialize, Debug, PartialEq)]
//! struct Cdr {
//!     caller: String,
//!     seconds: u32,
//! }
//!
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let dir = temp.path();
//! let store = Store::open(dir)?;
//! let cdrs = store.database("cdrs")?; // opened, or created
//! cdrs.put("call-1", &Cdr { caller: "+14155551000".into(), seconds: 42 })?;
//!
//! let mut call = cdrs.get::<Cdr>("call-1")?.expect("it was just written");
//! assert_eq!(call.value.seconds, 42);
//!
//! // Saving edits the revision that was read. Had anybody else edited it meanwhile, this would be refused.
//! call.value.seconds = 43;
//! cdrs.save(&mut call)?;
//!
//! // Or leave reading again to the library:
//! cdrs.modify("call-1", |call: &mut Cdr| call.seconds += 1)?;
//!
//! assert!(cdrs.put("call-1", &call.value).is_err_and(|error| error.is_conflict()));
//! # Ok(()) }
//! ```
//!
//! A value is whatever serde makes a JSON object of; `Box<serde_json::value::RawValue>` and `serde_json::Value` will do
//! too. Members that start with `_` belong to the store. Numbers keep the spelling they were written with.
//!
//! One process at a time holds a store's directory. A store, a database, and everything that hands them out are
//! cheap to clone and may be used from any thread; many small databases (one per account and month, say) are the
//! rule rather than the exception.
//!
//! # Durability by name
//!
//! A write returns once it is on disk; writers that wait at the same time share one commit. Where that is more than
//! a record is worth, say so:
//!
//! ```
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let store = trunkline::Store::open(temp.path())?;
//! # let status = serde_json::json!({"state": "ringing"});
//! let states = store.database("states")?.relaxed();
//! states.put("call-1", &status)?; // readers see it; the disk has it within 100 ms, in order
//! states.flush()?;                // now the disk has it
//! # Ok(()) }
//! ```
//!
//! Several edits go together as [`Edits`]: each by itself with [`Database::write`], or all or none:
//!
//! ```
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let db = trunkline::Store::open(temp.path())?.database("billing")?;
//! # use serde_json::json;
//! let mut edits = trunkline::Edits::new();
//! edits.put("ledger-1", &json!({"account": "a", "amount": -5}))?;
//! edits.put("ledger-2", &json!({"account": "b", "amount": 5}))?;
//! db.write_all(edits)?;
//! # Ok(()) }
//! ```
//!
//! # Ranges and changes
//!
//! Documents are kept in the order of their ids, and listed in the order of their last change. Both are read in
//! chunks; nothing stays open while you take your time.
//!
//! ```
//! # use serde_json::{Value, json};
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let db = trunkline::Store::open(temp.path())?.database("cdrs")?;
//! # for day in ["20261030", "20261101", "20261102", "20261201"] { db.put(day, &json!({}))?; }
//! for doc in db.docs::<Value>("202611".."202612") {
//!     println!("{}", doc?.id);
//! }
//!
//! let mut last = 0; // keep this, to go on from here another day
//! for change in db.changes(last) {
//!     let change = change?;
//!     last = change.seq;
//!     if let Some(value) = change.value::<Value>()? {
//!         println!("{} is now {value}", change.id);
//!     }
//! }
//! # assert_eq!(last, 4);
//! # assert_eq!(db.docs::<Value>("202611".."202612").count(), 2);
//! # Ok(()) }
//! ```
//!
//! [`Database::aggregate`] makes a report of them: groups, with counts, sums and percentiles of each.
//!
//! [`Changes::follow`] waits for the next change instead of ending, and [`Changes::next_timeout`] for so long.
//!
//! # Asking what documents say
//!
//! A selector finds documents, by an index where one fits and else by looking at all of them:
//!
//! ```
//! # use serde_json::{Value, json};
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let db = trunkline::Store::open(temp.path())?.database("cdrs")?;
//! # for n in 0..30 { db.put(&format!("call-{n}"), &json!({"account": n % 3, "seconds": n}))?; }
//! db.create_index("by-account", &["account", "seconds"])?; // once; a second time does nothing
//! let long = db.find(&json!({"account": 1, "seconds": {"$gt": 20}}));
//! for call in long.sort(&["account", "seconds"]).limit(100).docs::<Value>() {
//!     println!("{}", call?.id);
//! }
//! # assert_eq!(db.find(&json!({"account": 1, "seconds": {"$gt": 20}})).count()?, 3);
//! # Ok(()) }
//! ```
//!
//! A [`View`] is what a map function makes of documents: rows, in the order of their keys. Map functions are those of
//! design documents, in JavaScript, which replicate with the documents; or closures of your own, which run faster, under
//! a version that changes when they do:
//!
//! ```
//! # use serde::Deserialize;
//! # use serde_json::json;
//! use trunkline::{Store, Views};
//!
//! #[derive(Deserialize)]
//! struct Cdr {
//!     account: String,
//!     day: u32,
//!     seconds: u64,
//! }
//!
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let dir = temp.path();
//! let store = Store::open(dir)?;
//! store.define(
//!     Views::new("billing", 1)
//!         .view("by_account", |doc, emit| {
//!             let Ok(cdr) = doc.value::<Cdr>() else { return }; // not every document is a call
//!             emit.row(&(cdr.account, cdr.day), &cdr.seconds);
//!         })
//!         .reduce("_sum"),
//! )?;
//! # let db = store.database("cdrs")?;
//! # for n in 0..20 { db.put(&format!("call-{n}"), &json!({"account": (["a", "b"][n % 2]), "day": n / 4, "seconds": n}))?; }
//! let view = || db.view("billing", "by_account"); // a design document's view is asked in the same way
//! for row in view().prefix(&["a"]).descending().rows::<(String, u32), u64>() {
//!     let row = row?;
//!     println!("{}: on day {}, {} s", row.id, row.key.1, row.value);
//! }
//! for group in view().group_level(1).groups::<(String,), u64>() {
//!     let group = group?;
//!     println!("{}: {} s", group.key.0, group.value); // a few hundred reads, however many rows
//! }
//! let week = view().start(&("a", 0)).end(&("a", 6)).reduced::<u64>()?;
//! # assert_eq!(week, Some(90));
//!
//! // Several questions about one moment, whatever is written meanwhile:
//! let moment = db.snapshot()?;
//! let calls = moment.view("billing", "by_account").count()?;
//! let seconds = moment.view("billing", "by_account").reduced::<u64>()?;
//! # assert_eq!((calls, seconds), (20, Some(190)));
//! # Ok(()) }
//! ```
//!
//! Whoever asks brings the index up to date first, by what changed since; only a server does that behind writes.
//! [`View::as_it_is`] does not wait. A program and a server over the same store ([`Store::serve`]) have the same indexes,
//! and HTTP has the closures' views too (`GET /cdrs/_design/billing/_view/by_account`; there is no document of that id).
//!
//! # Rules for what is written
//!
//! `validate_doc_update` of design documents holds for every edit of their database, whoever makes it. A program adds
//! rules of its own, for all databases of its store:
//!
//! ```
//! # use serde::Deserialize;
//! # use serde_json::json;
//! # #[derive(Deserialize)]
//! # struct Cdr { seconds: i64 }
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let store = trunkline::Store::open(temp.path())?;
//! store.validate(|edit| {
//!     if edit.database != "cdrs" || edit.deleted {
//!         return Ok(());
//!     }
//!     let cdr = edit.value::<Cdr>()?; // what is no call detail record is forbidden
//!     if edit.old.is_some() { Err("a call detail record is never changed")? }
//!     if cdr.seconds < 0 { Err("a call takes time")? }
//!     Ok(())
//! });
//! let cdrs = store.database("cdrs")?;
//! cdrs.put("call-1", &json!({"seconds": 42}))?;
//! assert!(cdrs.put("call-2", &json!({"seconds": -1})).is_err());
//! # Ok(()) }
//! ```
//!
//! # Conflicts
//!
//! Two nodes that edit one document while they do not see each other make two leaves of its revision tree. Every node
//! picks the same winner, which [`Database::get`] answers; the others stay until someone decides:
//!
//! ```
//! # use serde_json::{Value, json};
//! # fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let store = trunkline::Store::open(temp.path())?;
//! # let (here, there) = (store.database("here")?, store.database("there")?);
//! # here.put("box-1", &json!({"new": 0}))?;
//! # trunkline::Replication::local(&here, &there).run_blocking()?;
//! # here.modify("box-1", |v: &mut Value| v["new"] = json!(2))?;
//! # there.modify("box-1", |v: &mut Value| v["new"] = json!(3))?;
//! # trunkline::Replication::local(&there, &here).run_blocking()?;
//! let mut leaves = here.leaves::<Value>("box-1")?; // the winner comes first
//! assert_eq!(leaves.len(), 2);
//! let losers: Vec<_> = leaves.iter().skip(1).map(|doc| doc.rev.clone()).collect();
//! let winner = &mut leaves[0];
//! winner.value = json!({"new": 5});
//! here.resolve(winner, &losers)?; // one atomic batch: the merged value, and the other leaves deleted
//! # assert_eq!(here.leaves::<Value>("box-1")?.len(), 1);
//! # Ok(()) }
//! ```
//!
//! # Attachments
//!
//! Bytes that belong to a document, streamed in and out:
//!
//! ```
//! # use std::io::Read;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temp = tempfile::tempdir()?;
//! # let db = trunkline::Store::open(temp.path())?.database("voicemail")?;
//! # db.put("message-1", &serde_json::json!({"mailbox": "420"}))?;
//! # let recording = &b"RIFF"[..];
//! let mut message = db.get::<serde_json::Value>("message-1")?.ok_or("no message")?;
//! db.attach(&mut message, "message.wav", "audio/wav", recording)?; // any `Read`
//!
//! let attachment = message.attachment("message.wav").ok_or("no recording")?;
//! let mut audio = db.open_attachment(attachment)?;
//! # let mut bytes = Vec::new();
//! # audio.read_to_end(&mut bytes)?;
//! # assert_eq!(bytes, b"RIFF");
//! # Ok(()) }
//! ```
//!
//! Saving a document keeps the attachments that are listed in it. Equal bytes are stored once in a database.
//!
//! # Under tokio
//!
//! [`Database::to_async`] gives the same database with calls that never block the runtime: a write waits in the
//! database's queue without a thread of its own, a read runs on a thread that may block, and changes are a stream.
//! What iterates is a stream by [`AsyncDatabase::stream`]; [`AsyncDatabase::blocking`] runs any other call, and
//! [`Store::blocking`] opens and creates databases.
//!
//! ```
//! # use serde_json::{Value, json};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> trunkline::Result<()> {
//! # let temp = tempfile::tempdir().unwrap();
//! # let store = trunkline::Store::open(temp.path())?;
//! let db = store.blocking(|store| store.database("cdrs")).await?.to_async();
//! let mut changes = db.changes(0);
//! db.put("call-1", &json!({"seconds": 42})).await?;
//! if let Some(change) = changes.next().await {
//!     println!("{} changed", change?.id);
//! }
//! let mut found = db.stream(|db| db.find(&json!({"seconds": {"$gt": 40}})).docs::<Value>());
//! while let Some(doc) = found.next().await {
//!     println!("{} is long", doc?.id);
//! }
//! let info = db.blocking(|db| db.info()).await?; // any other call
//! # assert_eq!(info.doc_count, 1);
//! # Ok(()) }
//! ```
//!
//! # Replicating, and serving HTTP from your own process
//!
//! A [`Replication`] is one way, between this process and a URL (Trunkline, CouchDB or PouchDB Server), or between two
//! databases here. It resumes where it ended. What the target refuses is listed in the [`replicate::Report`].
//!
//! ```
//! # use serde_json::{Value, json};
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temp = tempfile::tempdir()?;
//! # let store = trunkline::Store::open(temp.path().join("node"))?;
//! # let reports = trunkline::Store::open(temp.path().join("reports"))?.database("cdrs")?;
//! # store.database("cdrs")?.put("call-1", &json!({"seconds": 42}))?;
//! use trunkline::Replication;
//!
//! // The node serves its store ...
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("http://{}/cdrs", listener.local_addr()?);
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let served = store.clone();
//! let server = tokio::spawn(async move { served.serve(listener, async { drop(stopped.await) }).await });
//!
//! // ... and the reporting server pulls from it.
//! let report = Replication::pull(&url, &reports)?.run().await?;
//! assert_eq!(report.progress.docs_written, 1);
//!
//! let pulling = Replication::pull(&url, &reports)?.continuous().start();
//! println!("{} documents so far", pulling.progress().borrow().docs_written);
//! pulling.stop().await?;
//! # stop.send(()).ok();
//! # server.await??;
//! # Ok(()) }
//! ```
//!
//! Replications that are to go on for as long as the process does are jobs of the store: [`Store::replications`]. Each is a
//! [`replicate::Definition`]; they are listed with their lag and their failures, tell what happens to them, and are the
//! ones that a server over the same store shows in `/_scheduler/jobs`. A job that must outlive the process is a document
//! of the database `_replicator`.
//!
//! ```
//! # use serde_json::json;
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let temp = tempfile::tempdir()?;
//! # let store = trunkline::Store::open(temp.path())?;
//! # store.database("cdrs")?.put("call-1", &json!({"seconds": 42}))?;
//! # store.database("reports")?;
//! use trunkline::replicate::{Definition, EventKind};
//!
//! let mut events = store.replications().events();
//! let job = store.replications().start(Definition::continuous("cdrs", "reports"))?;
//! while let Some(event) = events.next().await {
//!     match event.kind {
//!         EventKind::Change { docs_written } => println!("{docs_written} documents so far"),
//!         EventKind::Denied(doc) => println!("{} did not get there: {}", doc.id, doc.reason),
//!         EventKind::Paused { error: None } => break, // everything is there
//!         _ => {}
//!     }
//! }
//! assert!(store.existing("reports")?.get::<serde_json::Value>("call-1")?.is_some());
//! store.replications().stop(&job).await;
//!
//! // This one starts again with the process, once its documents are followed.
//! store.database("_replicator")?.put("to-reports", &json!({
//!     "source": "cdrs", "target": "reports", "continuous": true, "archive": true,
//! }))?;
//! store.replications().follow_documents();
//! store.replications().shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # Below
//!
//! [`Database::engine`] is the store's own handle: replicated edits, whole revision trees, `revs_diff`, scans that
//! borrow from a snapshot. The crates it is made of are here under their names: [`core`], [`engine`], [`wire`],
//! [`query`], [`replicate`], [`http`]. Each type has one path.

mod asynchronous;
mod attachments;
mod changes;
mod database;
mod doc;
mod docs;
mod edits;
mod error;
mod queries;
mod replication;
mod store;
mod stream;

pub use asynchronous::AsyncDatabase;
pub use attachments::AttachmentReader;
pub use changes::{AsyncChanges, Change, Changes};
pub use database::Database;
pub use doc::Doc;
pub use docs::Docs;
pub use edits::Edits;
pub use error::{Error, Result};
pub use queries::{
    AggregateRows, Emit, Find, Forbidden, Found, Group, Groups, Index, Mapped, Proposed, Row, Rows,
    RowsWithDocs, Snapshot, View, Views,
};
pub use replication::{Replication, RunningReplication};
pub use store::Store;
pub use stream::Streamed;

#[doc(no_inline)]
pub use trunkline_core as core;
#[doc(no_inline)]
pub use trunkline_http as http;
#[doc(no_inline)]
pub use trunkline_query as query;
#[doc(no_inline)]
pub use trunkline_replicate as replicate;
#[doc(no_inline)]
pub use trunkline_store as engine;
#[doc(no_inline)]
pub use trunkline_wire as wire;

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
