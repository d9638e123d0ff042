//! How many changes a source has left, where its feed does not say: asked for now and then, beside the work.

use crate::peer::{Peer, PeerError, PeerErrorKind};
use std::future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// How often it is asked: some servers count for a while.
const EVERY: Duration = Duration::from_secs(5);

/// A feed that was quiet for so long is asked whether that was all, but not more often than every `SOON`.
const QUIET: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(1);

/// What is known of one attempt's source.
pub(super) struct Pending {
    source: Arc<dyn Peer>,
    /// The feed has no end.
    live: bool,
    asked: Instant,
    /// Behind which it was asked.
    seq: Box<str>,
    /// Whether the feed was quiet when it was asked.
    after_quiet: bool,
    /// Rows finished since it was asked.
    since_asked: u64,
    answer: Option<AbortOnDropHandle<Result<Option<u64>, PeerError>>>,
    /// When to ask again unless more comes, and behind which seq.
    due: Option<(Instant, Box<str>)>,
    left: Option<u64>,
}

/// What an answer tells.
pub(super) struct Told {
    pub(super) left: Option<u64>,
    /// Nothing is left behind what is finished, as the source says; or it cannot tell, and its feed is quiet.
    pub(super) nothing: bool,
}

impl Pending {
    pub(super) fn new(source: Arc<dyn Peer>) -> Pending {
        Pending {
            source,
            live: false,
            asked: Instant::now(),
            seq: Box::default(),
            after_quiet: false,
            since_asked: 0,
            answer: None,
            due: None,
            left: None,
        }
    }

    /// From `seq` on the feed has no end.
    pub(super) fn goes_on(&mut self, seq: &str) {
        self.live = true;
        self.ask(seq);
    }

    /// Asks how many changes there are behind `seq`.
    fn ask(&mut self, seq: &str) {
        let (source, seq) = (Arc::clone(&self.source), seq.to_owned());
        self.asked = Instant::now();
        self.after_quiet = false;
        self.since_asked = 0;
        self.seq = seq.as_str().into();
        self.due = self.live.then(|| (self.asked + SOON, self.seq.clone()));
        let asking = tokio::spawn(async move { source.pending(&seq).await });
        self.answer = Some(AbortOnDropHandle::new(asking));
    }

    /// So many rows up to `seq` are finished, and `told` is what the feed said of those behind.
    pub(super) fn finished(&mut self, rows: u64, seq: &str, told: Option<u64>) -> Option<u64> {
        if told.is_some() {
            self.left = told;
            self.answer = None;
            self.due = None;
            self.asked = Instant::now();
            return told;
        }
        self.since_asked += rows;
        self.left = self.left.map(|left| left.saturating_sub(rows));
        if self.answer.is_none() && self.asked.elapsed() >= EVERY {
            self.ask(seq);
        }
        // What is counted down to nothing is a guess: changes were made meanwhile.
        let due = (Instant::now() + QUIET).max(self.asked + SOON);
        self.due = self.live.then(|| (due, seq.into()));
        self.left
    }

    /// Waits for an answer that is under way, or due.
    pub(super) async fn answered(&mut self) -> Told {
        if self.answer.is_none() {
            let Some((due, seq)) = &self.due else {
                return future::pending().await;
            };
            sleep_until(*due).await;
            let seq = seq.clone();
            self.ask(&seq);
            self.after_quiet = true;
            self.due = None;
        }
        let Some(answer) = &mut self.answer else {
            return future::pending().await;
        };
        let answer: Result<_, JoinError> = answer.await;
        self.answer = None;
        let exact = self.since_asked == 0;
        let nothing = match answer {
            Ok(Ok(Some(behind))) => {
                self.left = Some(behind.saturating_sub(self.since_asked));
                if exact {
                    self.due = None;
                }
                behind == 0 && exact
            }
            // Whatever fails for now fails elsewhere, too.
            Ok(Err(error)) if error.kind == PeerErrorKind::Unavailable => {
                self.due
                    .get_or_insert_with(|| (Instant::now() + EVERY, self.seq.clone()));
                false
            }
            _ => self.after_quiet && exact,
        };
        Told {
            left: self.left,
            nothing,
        }
    }
}
