//! Peers that fail: whatever happens on the way, the target ends equal, and no checkpoint is ahead of its data.

use crate::world::{World, attachment, delete, edit, graft, put, replicate, rows};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash};
use trunkline_core::rev::Rev;
use trunkline_replicate::peer::{
    BulkWritten, Change, Changes, ChangesAsk, Doc, DocContent, Fetched, LogWrite, Missing, Oldest, OpenRev,
    Opened, PeerInfo, PeerKind, StoredLog,
};
use trunkline_replicate::{Peer, PeerError, PeerErrorKind, Progress, RefusedDoc, Spec, run};
use trunkline_store::Database;
use trunkline_wire::exchange::NOT_STAGED;
use trunkline_wire::replication_log;

/// Fails by seed until `faults` are used up.
pub(crate) struct Faulty {
    inner: Arc<dyn Peer>,
    dice: Mutex<(StdRng, u32)>,
    /// Answers nothing: a call fails when it has waited long enough.
    silent: AtomicBool,
    /// Documents that it never serves: an answer with one of them breaks.
    pub(crate) cursed: Vec<String>,
    /// Source and target, for a target whose checkpoints are checked.
    pub(crate) checked: Option<(Database, Database)>,
    /// Nobody may write checkpoints there.
    pub(crate) refuses_logs: bool,
    /// Checkpoints that came with documents.
    pub(crate) rode: Arc<Mutex<Vec<String>>>,
    /// It tells no ages, as a CouchDB.
    pub(crate) ageless: Option<Ageless>,
    /// Contents that came, of which only so many of the last are kept for the documents that name them.
    kept: Option<(Mutex<Vec<ContentHash>>, usize)>,
    /// Calls about contents that fail, and how.
    pub(crate) bar: Option<Bar>,
}

/// Says how a call fails.
type Bar = Box<dyn Fn(Call) -> Option<PeerError> + Send + Sync>;

/// A call that a test may bar.
pub(crate) enum Call<'a> {
    Absent,
    Content(&'a ContentHash),
}

/// A source that tells of its changes what a CouchDB tells.
#[derive(Clone, Copy)]
pub(crate) struct Ageless {
    /// So many rows come together, not more often than that.
    pub(crate) rows: usize,
    pub(crate) every: Duration,
    /// It counts so many behind any seq, and its newest is out of reach: a filter holds them back.
    pub(crate) counts: Option<u64>,
}

impl Ageless {
    /// Of documents that were each written once.
    fn pieces(self, feed: Feed) -> Feed {
        let pieces = feed.flat_map(move |item| {
            let Changes { rows, last_seq, .. } = item.unwrap();
            let (number, suffix) = last_seq.trim_matches('"').split_once('-').unwrap();
            let mut at = number.parse::<usize>().unwrap() - rows.len();
            let pieces: Vec<_> = rows
                .chunks(self.rows)
                .map(|rows| {
                    at += rows.len();
                    Changes {
                        rows: rows.to_vec(),
                        last_seq: format!("\"{at}-{suffix}\"").into(),
                        ..Changes::default()
                    }
                })
                .collect();
            futures_util::stream::iter(pieces).then(move |changes| async move {
                tokio::time::sleep(self.every).await;
                Ok(changes)
            })
        });
        pieces.boxed()
    }
}

type Feed = BoxStream<'static, Result<Changes, PeerError>>;

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Peer>, seed: u64, faults: u32) -> Faulty {
        Faulty {
            inner,
            dice: Mutex::new((StdRng::seed_from_u64(seed), faults)),
            silent: AtomicBool::new(false),
            cursed: Vec::new(),
            checked: None,
            refuses_logs: false,
            rode: Arc::default(),
            ageless: None,
            kept: None,
            bar: None,
        }
    }

    fn barred(&self, call: Call) -> Result<(), PeerError> {
        self.bar.as_ref().and_then(|bar| bar(call)).map_or(Ok(()), Err)
    }

    fn keeps(&self, doc: &Doc) -> bool {
        let (DocContent::Edit(edit), Some((came, most))) = (&doc.content, &self.kept) else {
            return true;
        };
        let came = came.lock();
        let mut kept = came.iter().rev().take(*most);
        edit.attachments
            .iter()
            .all(|attachment| match &attachment.source {
                AttachmentSource::Staged(content) => kept.any(|hash| *hash == content.hash),
                _ => true,
            })
    }

    fn curse(&self, wanted: &[Missing]) -> Result<(), PeerError> {
        match wanted.iter().any(|one| self.is_cursed(&one.id)) {
            true => Err(PeerError::new("faulty", PeerErrorKind::Unserved, "500: cursed")),
            false => Ok(()),
        }
    }

    fn is_cursed(&self, id: &str) -> bool {
        self.cursed.iter().any(|cursed| cursed == id)
    }

    fn fails(&self) -> bool {
        let mut dice = self.dice.lock();
        let fails = dice.1 > 0 && dice.0.random_bool(0.25);
        dice.1 -= u32::from(fails);
        fails
    }

    fn error(&self) -> PeerError {
        PeerError::new("faulty", PeerErrorKind::Unavailable, "as its seed says")
    }

    /// Fails before the call, after it, or not; or is late.
    async fn perhaps<T>(
        &self,
        call: impl Future<Output = Result<T, PeerError>> + Send,
    ) -> Result<T, PeerError> {
        if self.silent.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_secs(31)).await;
            return Err(self.error());
        }
        if self.fails() {
            return Err(self.error());
        }
        let late = self.dice.lock().0.random_range(0..20);
        tokio::time::sleep(Duration::from_millis(late)).await;
        let done = call.await;
        if self.fails() { Err(self.error()) } else { done }
    }

    fn assert_not_ahead(&self, log: &str) {
        let Some((source, target)) = &self.checked else {
            return;
        };
        let log = replication_log::parse(log.as_bytes()).unwrap().log;
        let seq: String = log
            .source_last_seq
            .chars()
            .filter(|c| *c != '"')
            .take_while(|c| *c != '-')
            .collect();
        let seq: u64 = seq.parse().unwrap();
        let holds = |id: &str, rev: &Rev| {
            target
                .tree(id)
                .unwrap()
                .is_some_and(|tree| tree.revs.contains(rev))
        };
        for (id, leaves) in rows(source) {
            if source.tree(&id).unwrap().unwrap().seq <= seq && !self.is_cursed(&id) {
                for rev in leaves {
                    assert!(
                        holds(&id, &rev),
                        "checkpoint at {seq}, but {id} {rev} is not at the target"
                    );
                }
            }
        }
    }
}

#[async_trait]
impl Peer for Faulty {
    fn label(&self) -> String {
        self.inner.label()
    }
    async fn info(&self) -> Result<PeerInfo, PeerError> {
        let mut info = self.perhaps(self.inner.info()).await?;
        if let Some(ageless) = self.ageless {
            (info.kind, info.exchanges, info.remote) = (PeerKind::CouchDb, false, true);
            if ageless.counts.is_some() {
                info.update_seq = "\"999999-x\"".into();
            }
        }
        Ok(info)
    }
    async fn create(&self) -> Result<(), PeerError> {
        self.perhaps(self.inner.create()).await
    }
    async fn replication_log(&self, id: &str) -> Result<Option<StoredLog>, PeerError> {
        self.perhaps(self.inner.replication_log(id)).await
    }
    async fn put_replication_log(&self, id: &str, number: u64, body: &str) -> Result<u64, PeerError> {
        self.assert_not_ahead(body);
        if self.refuses_logs {
            return Err(PeerError::new("faulty", PeerErrorKind::Forbidden, "read only"));
        }
        self.perhaps(self.inner.put_replication_log(id, number, body))
            .await
    }
    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError> {
        self.perhaps(self.inner.ensure_full_commit()).await
    }
    async fn pending(&self, since: &str) -> Result<Option<u64>, PeerError> {
        if let Some(ageless) = self.ageless {
            // The clock of the wall goes on.
            std::thread::sleep(Duration::from_millis(3));
            if ageless.counts.is_some() {
                return Ok(ageless.counts);
            }
        }
        self.perhaps(self.inner.pending(since)).await
    }
    async fn changes(
        &self,
        ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
        if ask.continuous {
            let cursed = self.cursed.clone();
            let feed = self.inner.changes(ask).await?;
            if let Some(ageless) = self.ageless {
                return Ok(ageless.pieces(feed));
            }
            let strip = move |mut changes: Changes| {
                let rows = changes.rows.iter_mut();
                rows.filter(|row| cursed.contains(&row.id.to_string()))
                    .for_each(|row| row.docs.clear());
                changes
            };
            return Ok(feed.map(move |item| item.map(&strip)).boxed());
        }
        let mut feed = self.perhaps(self.inner.changes(ask)).await?;
        let mut items = Vec::new();
        while let Some(item) = feed.next().await {
            // Small pieces, some of them twice, perhaps cut off.
            let changes = item?;
            let mut rows = changes.rows;
            rows.iter_mut()
                .filter(|row| self.is_cursed(&row.id))
                .for_each(|row| row.docs.clear());
            if self.fails() {
                rows.extend(rows.clone());
            }
            items.push(Ok(Changes { rows, ..changes }));
            if self.fails() {
                items.push(Err(self.error()));
                break;
            }
        }
        Ok(futures_util::stream::iter(items).boxed())
    }
    async fn revs_diff(&self, asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
        self.perhaps(self.inner.revs_diff(asked)).await
    }
    async fn bulk_get(&self, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
        let cursed = self.curse(wanted);
        self.perhaps(async { cursed.and(self.inner.bulk_get(wanted).await) })
            .await
    }
    async fn bulk_docs(&self, docs: Vec<Doc>, log: Option<LogWrite>) -> Result<BulkWritten, PeerError> {
        let body = log.as_ref().map(|log| log.body.clone());
        self.rode.lock().extend(body.clone());
        let (docs, unfit): (Vec<Doc>, Vec<Doc>) = docs.into_iter().partition(|doc| self.keeps(doc));
        let mut written = self.perhaps(self.inner.bulk_docs(docs, log)).await;
        if let Ok(written) = &mut written {
            written.refused.extend(unfit.iter().map(|doc| RefusedDoc {
                id: doc.id.to_string(),
                rev: doc.rev.to_string(),
                error: NOT_STAGED.to_owned(),
                reason: "whatever it says".to_owned(),
            }));
        }
        if let (Ok(_), Some(body)) = (&written, body) {
            // What came in the same commit counts.
            self.assert_not_ahead(&body);
        }
        written
    }
    async fn open_revs(
        &self,
        wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError> {
        let cursed = self.curse(std::slice::from_ref(wanted));
        self.perhaps(async { cursed.and(self.inner.open_revs(wanted).await) })
            .await
    }
    async fn put_open_rev(&self, rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
        self.perhaps(self.inner.put_open_rev(rev)).await
    }

    async fn lacking(&self, contents: &[Content]) -> Result<Vec<Content>, PeerError> {
        self.perhaps(self.inner.lacking(contents)).await
    }

    async fn content(
        &self,
        content: &Content,
        of: Option<&str>,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
        self.barred(Call::Content(&content.hash))?;
        let mut whole = self.perhaps(self.inner.content(content, of, from)).await?;
        if !self.fails() {
            return Ok(whole);
        }
        // Cut off after a chunk.
        let (sender, cut) = mpsc::channel(2);
        let error = self.error();
        tokio::spawn(async move {
            if let Some(chunk) = whole.recv().await {
                let _ = sender.send(chunk).await;
            }
            let _ = sender.send(Err(error)).await;
        });
        Ok(cut)
    }

    async fn absent(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Content>, PeerError> {
        self.barred(Call::Absent)?;
        self.perhaps(self.inner.absent(after, limit)).await
    }

    async fn oldest_after(&self, since: &str) -> Result<Oldest, PeerError> {
        self.inner.oldest_after(since).await
    }

    async fn content_begun(&self, content: &Content) -> Result<u64, PeerError> {
        self.perhaps(self.inner.content_begun(content)).await
    }

    async fn put_content(
        &self,
        content: &Content,
        from: u64,
        bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Result<(), PeerError> {
        if let Some((came, _)) = &self.kept {
            came.lock().push(content.hash);
        }
        self.perhaps(self.inner.put_content(content, from, bytes)).await
    }
}

pub(crate) fn fill(database: &Database, dice: &mut StdRng) {
    for at in 0..dice.random_range(1..700) {
        let id = format!("doc-{at}");
        let rev = put(database, &id, None, &format!("{{\"n\":{at}}}"));
        match dice.random_range(0..40) {
            0 => drop(delete(database, &id, &rev)),
            1 => drop(put(database, &id, Some(&rev), "{\"again\":true}")),
            2 => graft(database, &id, 3, &["z", "y", "x"], dice.random_bool(0.5)),
            3 => {
                // Some share their bytes; some are long enough to be cut.
                let kind = dice.random_range(0..6_u8);
                let bytes = vec![kind; 90_000 * usize::from(kind)];
                let files = vec![attachment(database, "voice", &bytes)];
                drop(edit(database, &format!("mail-{at}"), None, "{}", false, files));
            }
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn peers_that_fail_and_heal_end_equal() {
    for seed in 0..12 {
        println!("seed {seed}");
        let world = World::new();
        let mut dice = StdRng::seed_from_u64(seed);
        fill(&world.database("source"), &mut dice);
        let source = Arc::new(Faulty::new(world.peer("source"), seed, 12));
        let mut target = Faulty::new(world.peer("target"), !seed, 12);
        target.checked = Some((world.database("source"), world.database("target")));
        let target: Arc<dyn Peer> = Arc::new(target);
        for round in 0.. {
            // A one-shot run may give up; whoever wants it then starts another.
            let source: Arc<dyn Peer> = Arc::<Faulty>::clone(&source);
            if replicate(source, Arc::clone(&target), Spec::default())
                .await
                .is_ok()
            {
                break;
            }
            assert!(round < 20, "seed {seed} never ends");
        }
        world.assert_equal();
        assert_eq!(world.database("target").absent(None, 9).unwrap(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn contents_come_in_groups_and_what_is_dropped_again_is_no_refusal() {
    const DOCS: usize = 100;
    for keeps in [0, 64] {
        let world = World::new();
        let source = world.database("source");
        for at in 0..DOCS {
            let file = attachment(&source, "a", at.to_string().as_bytes());
            edit(&source, &format!("with-{at}"), None, "{}", false, vec![file]);
            put(&source, &format!("without-{at}"), None, "{}");
        }
        let mut target = Faulty::new(world.peer("target"), 0, 0);
        target.checked = Some((world.database("source"), world.database("target")));
        target.kept = Some((Mutex::default(), keeps));
        let moved = replicate(world.peer("source"), Arc::new(target), Spec::default()).await;
        if keeps > 0 {
            assert_eq!(moved.unwrap().refused, []);
            world.assert_equal();
            continue;
        }
        let error = moved.unwrap_err();
        assert_eq!(error.kind, PeerErrorKind::Unavailable);
        assert!(error.reason.contains("document with-"), "{error}");
        // What lacks nothing has not waited for what does.
        assert_eq!(rows(&world.database("target")).len(), DOCS);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_away_is_given_up() {
    let world = World::new();
    let source: Arc<dyn Peer> = Arc::new(Faulty::new(world.peer("source"), 1, u32::MAX));
    put(&world.database("source"), "a", None, "{}");
    let error = loop {
        // By chance it may get through.
        if let Err(error) = replicate(Arc::clone(&source), world.peer("target"), Spec::default()).await {
            break error;
        }
    };
    assert_eq!(error.kind, PeerErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_is_given_up() {
    let world = World::new();
    let source = Faulty::new(world.peer("source"), 1, 0);
    source.silent.store(true, Ordering::Relaxed);
    let run = replicate(Arc::new(source), world.peer("target"), Spec::default());
    let ended = tokio::time::timeout(Duration::from_secs(3600), run).await;
    assert!(ended.expect("ends").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_while_its_checkpoint_waits_for_a_dead_peer() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let target = Arc::new(Faulty::new(world.peer("target"), 1, 0));
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let peer: Arc<dyn Peer> = Arc::<Faulty>::clone(&target);
    let running = tokio::spawn(run(world.peer("source"), peer, spec, progress, cancel.clone()));
    watched
        .wait_for(|progress| progress.docs_written == 1)
        .await
        .unwrap();
    target.silent.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = tokio::time::Instant::now();
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}
