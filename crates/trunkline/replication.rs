//! Replications between a database of this process and one elsewhere, in a line.

use crate::{Database, Error, Result};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trunkline_core::selector::Selector;
use trunkline_replicate::{
    self as replicate, AttachmentMode, HttpOptions, HttpPeer, LocalPeer, Peer, Progress, Report, Spec,
};

/// A one-way replication that has not started: where from, where to, and of what.
pub struct Replication {
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    spec: Spec,
}

impl Replication {
    /// From a database behind a URL to one here.
    pub fn pull(url: &str, database: &Database) -> Result<Replication> {
        Ok(Replication::between(remote(url)?, local(database)))
    }

    /// From a database here to one behind a URL.
    pub fn push(database: &Database, url: &str) -> Result<Replication> {
        Ok(Replication::between(local(database), remote(url)?))
    }

    /// Between two databases of this process.
    pub fn local(source: &Database, target: &Database) -> Replication {
        Replication::between(local(source), local(target))
    }

    /// Between any two peers.
    pub fn between(source: Arc<dyn Peer>, target: Arc<dyn Peer>) -> Replication {
        Replication {
            source,
            target,
            spec: Spec::default(),
        }
    }

    /// Goes on waiting for changes, through every outage of either side, until it is stopped.
    pub fn continuous(mut self) -> Replication {
        self.spec.continuous = true;
        self
    }

    /// Creates the target when it is not there.
    pub fn create_target(mut self) -> Replication {
        self.spec.create_target = true;
        self
    }

    /// Only these documents.
    pub fn doc_ids<I: Into<String>>(mut self, ids: impl IntoIterator<Item = I>) -> Replication {
        self.spec.doc_ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Only what is in a named feed of the source, `design/name`.
    pub fn feed_name(mut self, name: &str) -> Replication {
        self.spec.feed_name = Some(name.to_owned());
        self
    }

    /// Only documents that match a Mango selector, given as JSON text.
    pub fn selector(mut self, json: &str) -> Result<Replication> {
        let selector = Selector::parse(json).map_err(|invalid| Error::Invalid(invalid.to_string()))?;
        self.spec.selector = Some((json.to_owned(), selector));
        Ok(self)
    }

    /// Starts after this seq of the source (JSON text) when the two sides have no checkpoint in common.
    pub fn since_seq(mut self, json: &str) -> Replication {
        self.spec.since_seq = Some(json.to_owned());
        self
    }

    /// Ends at this seq of the source (JSON text), even when continuous.
    pub fn until(mut self, json: &str) -> Replication {
        self.spec.until = Some(json.to_owned());
        self
    }

    /// Only winners: conflicts stay where they are.
    pub fn winning_revs_only(mut self) -> Replication {
        self.spec.winning_revs_only = true;
        self
    }

    /// Keeps at the target what the source deletes.
    pub fn archive(mut self) -> Replication {
        self.spec.archive = true;
        self
    }

    /// Ends with an error at the first document that does not get to the target.
    pub fn strict(mut self) -> Replication {
        self.spec.strict = true;
        self
    }

    /// When attachment bytes follow their documents.
    pub fn attachments(mut self, mode: AttachmentMode) -> Replication {
        self.spec.attachments = mode;
        self
    }

    /// Most bytes of documents and attachments moved in a second.
    pub fn bytes_per_second(mut self, bytes: u64) -> Replication {
        self.spec.bytes_per_second = Some(bytes);
        self
    }

    /// Goes before replications of this process that have a lower number, where they wait for each other; 0 unless set.
    pub fn priority(mut self, priority: i32) -> Replication {
        self.spec.priority = priority;
        self
    }

    /// Runs to the end: of the source's changes, or for ever when continuous.
    pub async fn run(self) -> Result<Report> {
        let (progress, _) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        Ok(replicate::run(self.source, self.target, self.spec, progress, cancel).await?)
    }

    /// Runs to the end while the calling thread waits, for programs without a runtime.
    pub fn run_blocking(self) -> Result<Report> {
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|cause| Error::Invalid(format!("no runtime for the replication: {cause}")))?;
            runtime.block_on(self.run())
        };
        // A thread of its own: tokio lets no runtime start where another one runs.
        match std::thread::spawn(run).join() {
            Ok(report) => report,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Starts it as a task of the current tokio runtime; without one it panics, as `tokio::spawn` does.
    pub fn start(self) -> RunningReplication {
        let (tell, progress) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        let run = replicate::run(self.source, self.target, self.spec, tell, cancel.clone());
        RunningReplication {
            progress,
            cancel,
            task: tokio::spawn(run),
        }
    }
}

/// A replication at work. Dropping it leaves the replication running until its runtime ends.
#[derive(Debug)]
pub struct RunningReplication {
    progress: watch::Receiver<Progress>,
    cancel: CancellationToken,
    task: JoinHandle<std::result::Result<Report, replicate::PeerError>>,
}

impl RunningReplication {
    /// Its state, now and at each change.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Ends it with a final checkpoint.
    pub async fn stop(self) -> Result<Report> {
        self.cancel.cancel();
        self.finished().await
    }

    /// Waits until it ends by itself.
    pub async fn finished(self) -> Result<Report> {
        match self.task.await {
            Ok(result) => Ok(result?),
            Err(cause) => Err(Error::Invalid(format!("the replication's task ended: {cause}"))),
        }
    }
}

fn local(database: &Database) -> Arc<dyn Peer> {
    Arc::new(LocalPeer::from(database.engine()))
}

fn remote(url: &str) -> Result<Arc<dyn Peer>> {
    Ok(Arc::new(HttpPeer::new(url, HttpOptions::default())?))
}
