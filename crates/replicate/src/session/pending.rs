//! How many changes a source has left, where its feed does not say: asked for now and then, beside the work. And what
//! follows from it for sources that do not tell how old their changes are: the moment before which nothing is lacking.
//!
//! When the source counted N changes behind a seq that is finished, and N rows behind it are finished since, everything
//! made before the question is at the target. (A CouchDB merges the changes of a database's shards, and may give some
//! newer rows before some of those N: it is then off by what one pass over the shards takes.) While much comes, the
//! goal that is nearest is kept until it is reached, and the newest behind it, so that a backlog never puts it off.
//!
//! A count is of all changes, but some rows never come: those that a filter holds back. For such feeds
//! - the source is also asked for its newest seq: a row whose seq has as high a number was made later. That bounds the lag
//!   while rows come;
//! - a feed that was quiet since the question, for `LONG_QUIET` and the time that a slow source takes to filter what it
//!   counted, has given all it had. Otherwise the lag of a job that lacks nothing would grow for ever.
//!
//! A source that counts nothing at all (PouchDB Server, CouchDB 1) is asked for its newest seq, too, and nothing is left
//! once that is reached.

use crate::checkpoint::number;
use crate::peer::{Peer, PeerError, PeerErrorKind};
use std::collections::VecDeque;
use std::future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// How often it is asked while much is left: some servers count for a while.
const EVERY: Duration = Duration::from_secs(5);
/// How often while little is: lag is known that well.
const SOON: Duration = Duration::from_secs(1);
/// So many are little.
const LITTLE: u64 = 10_000;
/// A feed that was quiet for so long is asked whether that was all, but not more often than every `SOON`.
const QUIET: Duration = Duration::from_millis(200);
/// A feed that gives signs of life every ten seconds, and for so long gave no row, has none, apart from
const LONG_QUIET: Duration = Duration::from_secs(30);
/// what a slow filter takes for each row that it holds back.
const FILTERS_ONE_MS: u32 = 1;

/// What is known of one attempt's source.
pub(super) struct Pending {
    source: Arc<dyn Peer>,
    /// The feed has no end.
    live: bool,
    /// Rows that are counted need not come, or none are counted.
    loose: bool,
    asked: Instant,
    asked_ms: u64,
    /// Behind which it was asked.
    seq: Box<str>,
    /// Rows finished when it was asked.
    asked_rows: u64,
    answer: Option<AbortOnDropHandle<Answer>>,
    /// When to ask again unless more comes, and behind which seq.
    due: Option<(Instant, Box<str>)>,
    /// When that is due, and nothing came, nothing is left.
    settles: bool,
    left: Option<u64>,
    /// Rows finished.
    rows: u64,
    /// The number in the seq of the last.
    number: Option<u64>,
    goals: VecDeque<Goal>,
}

struct Answer {
    left: Result<Option<u64>, PeerError>,
    /// The number in the source's newest seq, where it was asked for.
    newest: Option<u64>,
}

/// What has to be finished until everything made before a moment is at the target.
struct Goal {
    asked_ms: u64,
    rows: u64,
    number: Option<u64>,
}

/// What an answer, or a finished batch, tells.
pub(super) struct Told {
    pub(super) left: Option<u64>,
    /// Nothing is left behind what is finished.
    pub(super) nothing: bool,
    /// Everything made before is at the target: ms since 1970.
    pub(super) level_ms: Option<u64>,
}

impl Pending {
    /// `loose` where rows that the source counts need not come, or it is not known to count.
    pub(super) fn new(source: Arc<dyn Peer>, loose: bool) -> Pending {
        Pending {
            source,
            live: false,
            loose,
            asked: Instant::now(),
            asked_ms: 0,
            seq: Box::default(),
            asked_rows: 0,
            answer: None,
            due: None,
            settles: false,
            left: None,
            rows: 0,
            number: None,
            goals: VecDeque::new(),
        }
    }

    /// From `seq` on the feed has no end.
    pub(super) fn goes_on(&mut self, seq: &str) {
        self.live = true;
        self.number = number(seq);
        self.ask(seq);
    }

    /// Asks how many changes there are behind `seq`, which is finished.
    fn ask(&mut self, seq: &str) {
        let (source, seq, loose) = (Arc::clone(&self.source), seq.to_owned(), self.loose);
        self.asked = Instant::now();
        self.asked_ms = super::now_ms();
        self.asked_rows = self.rows;
        self.seq = seq.as_str().into();
        self.due = self.live.then(|| (self.asked + SOON, self.seq.clone()));
        self.settles = false;
        let asking = tokio::spawn(async move {
            let newest = match loose {
                true => source.info().await.ok(),
                false => None,
            };
            Answer {
                left: source.pending(&seq).await,
                newest: newest.and_then(|info| number(&info.update_seq)),
            }
        });
        self.answer = Some(AbortOnDropHandle::new(asking));
    }

    /// So many rows up to `seq` are finished, and `told` is what the feed said of those behind.
    pub(super) fn finished(&mut self, rows: u64, seq: &str, told: Option<u64>) -> Told {
        self.rows += rows;
        self.number = number(seq);
        self.settles = false;
        if told.is_some() {
            self.left = told;
            self.answer = None;
            self.due = None;
            self.asked = Instant::now();
        } else {
            self.left = self.left.map(|left| left.saturating_sub(rows));
            let every = match self.left {
                Some(left) if left > LITTLE => EVERY,
                None if !self.live => EVERY,
                _ => SOON,
            };
            if self.answer.is_none() && self.asked.elapsed() >= every {
                self.ask(seq);
            }
            // What is counted down to nothing is a guess: changes were made meanwhile.
            let due = (Instant::now() + QUIET).max(self.asked + SOON);
            self.due = self.live.then(|| (due, seq.into()));
        }
        self.told(false)
    }

    /// Rows came: the feed is not quiet any more.
    pub(super) fn comes(&mut self) {
        if std::mem::take(&mut self.settles) {
            self.due = None;
        }
    }

    /// Waits for an answer that is under way, or due.
    pub(super) async fn answered(&mut self) -> Told {
        if self.answer.is_none() {
            let Some((due, seq)) = &self.due else {
                return future::pending().await;
            };
            sleep_until(*due).await;
            let seq = seq.clone();
            self.due = None;
            if std::mem::take(&mut self.settles) {
                return self.told(true);
            }
            self.ask(&seq);
            self.due = None;
        }
        let Some(answer) = &mut self.answer else {
            return future::pending().await;
        };
        let answer: Result<Answer, JoinError> = answer.await;
        self.answer = None;
        let nothing = answer.is_ok_and(|answer| self.learned(answer));
        self.told(nothing)
    }

    /// Whether nothing is left.
    fn learned(&mut self, answer: Answer) -> bool {
        let left = match answer.left {
            Ok(left) => left,
            // Whatever fails for now fails elsewhere, too.
            Err(error) if error.kind == PeerErrorKind::Unavailable => {
                self.due
                    .get_or_insert_with(|| (Instant::now() + EVERY, self.seq.clone()));
                return false;
            }
            Err(_) => None,
        };
        let since_asked = self.rows - self.asked_rows;
        self.left = left.map(|left| left.saturating_sub(since_asked)).or(self.left);
        if left.is_some() || answer.newest.is_some() {
            // The nearest, and the newest.
            self.goals.truncate(1);
            self.goals.push_back(Goal {
                asked_ms: self.asked_ms,
                rows: left.map_or(u64::MAX, |left| self.asked_rows.saturating_add(left)),
                number: answer.newest,
            });
        }
        if since_asked > 0 {
            self.loose |= left.is_none();
            return false;
        }
        let at_newest =
            matches!((answer.newest, self.number), (Some(newest), Some(number)) if number >= newest);
        if left == Some(0) || at_newest {
            self.due = None;
            return true;
        }
        if self.live {
            let wait = match left {
                None if !self.loose => SOON,
                left => LONG_QUIET + Duration::from_millis(left.unwrap_or(0)) * FILTERS_ONE_MS,
            };
            self.settles = self.loose;
            self.loose |= left.is_none();
            self.due = Some((self.asked + wait, self.seq.clone()));
        }
        false
    }

    fn told(&mut self, nothing: bool) -> Told {
        // What reaches a later one has reached those before it, even where they could not tell.
        let reached = |goal: &Goal| {
            let passed = matches!((goal.number, self.number), (Some(goal), Some(number)) if number >= goal);
            nothing || passed || self.rows >= goal.rows
        };
        let last = self.goals.iter().rposition(reached);
        let level_ms = last
            .and_then(|last| self.goals.drain(..=last).next_back())
            .map(|goal| goal.asked_ms);
        Told {
            left: self.left,
            nothing,
            level_ms,
        }
    }
}
