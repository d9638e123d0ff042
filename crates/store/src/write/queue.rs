//! The queue of jobs and its leader.
//!
//! Leadership is a duty that one thread at a time has. A blocked writer that leads until its own job is done hands
//! the duty to another blocked writer; a [`Leader`] given to asynchronous code keeps it until nobody waits. Until that
//! code has found a thread for it, any blocked writer that comes takes the duty over: all the threads that could run
//! the leader may be blocked as writers.

use super::feeds::FeedStep;
use crate::{Asker, Database, Durability, Error, LocalWrite, Outcome, Refused};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunkline_core::attachment::Content;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::{DocId, LocalId};
use trunkline_core::limits::{COMMIT_BYTES_MAX, QUEUE_BYTES_MAX};
use trunkline_core::rev::Rev;

/// What a job does.
#[derive(Debug)]
pub(crate) enum Work {
    Edits {
        edits: Vec<Prepared>,
        atomic: bool,
        local: Option<LocalWrite>,
        /// Whose edits they are.
        asker: Option<Arc<Asker>>,
    },
    Purge(Vec<(DocId, Vec<Rev>)>),
    Local {
        id: LocalId,
        given: u64,
        body: Option<String>,
    },
    /// A step of building a named feed.
    Feed(FeedStep),
    /// Gives absent content its staged bytes.
    Supply(Content),
    /// Writes one row of the meta table.
    Meta {
        key: &'static [u8],
        value: Vec<u8>,
    },
    /// Nothing but a durable commit.
    Flush,
    /// Replaces the file by a compacted copy; see `compact`.
    Compact,
}

/// An edit with the revision it would make under the parent it names, computed before it was queued.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) edit: Edit,
    pub(crate) rev: Option<Rev>,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) enum Answer {
    Edits(Vec<Outcome>),
    Purged(Vec<Vec<Rev>>),
    Local(Result<u64, Refused>),
    Supplied(Result<bool, Refused>),
    Done,
}

type Done = Box<dyn FnOnce(Result<Answer, Error>) + Send>;

/// One queued job.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) durability: Durability,
    bytes: usize,
    done: Done,
    /// The thread that blocks for it, if one does.
    waiter: Option<Arc<Waiter>>,
}

/// Jobs waiting for a commit, and what the last commits teach about how many to expect.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    arrived: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    bytes: usize,
    duty: Duty,
    /// Jobs that the leader may expect to come soon: those of the last commit and those that came during it.
    expected: usize,
    /// How long the last commit took.
    last_commit: Duration,
}

/// Who leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Duty {
    /// Nobody, and nothing waits.
    #[default]
    Idle,
    /// A [`Leader`] that has not begun.
    Offered,
    /// A thread.
    Taken,
}

impl std::fmt::Debug for QueueState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} jobs of {} bytes, duty: {:?}",
            self.jobs.len(),
            self.bytes,
            self.duty
        )
    }
}

/// A leader waits for expected jobs at most this part of the last commit's duration, and never longer than
/// [`PATIENCE_MAX`]: a wait must not cost more than the commit it saves.
const PATIENCE_PART: u32 = 2;
const PATIENCE_MAX: Duration = Duration::from_millis(2);
/// With so many bytes queued a commit is worth its fsync: no waiting for more.
const WORTHWHILE_BYTES: usize = 64 << 10;

/// A thread that blocks for its job, and may be made leader meanwhile.
#[derive(Debug, Default)]
struct Waiter {
    news: Mutex<Option<News>>,
    wake: Condvar,
}

#[derive(Debug)]
enum News {
    Lead,
    Done(Result<Answer, Error>),
}

impl Waiter {
    fn tell(&self, news: News) {
        *self.news.lock() = Some(news);
        self.wake.notify_one();
    }

    fn wait(&self) -> News {
        let mut news = self.news.lock();
        loop {
            match news.take() {
                Some(news) => return news,
                None => self.wake.wait(&mut news),
            }
        }
    }

    fn is_done(&self) -> bool {
        matches!(&*self.news.lock(), Some(News::Done(_)))
    }
}

/// The duty to commit queued edits; see [`Database::submit`].
#[must_use = "queued edits wait until the leader runs"]
#[derive(Debug)]
pub struct Leader {
    /// Taken when the duty is done.
    database: Option<Database>,
}

impl Leader {
    /// Commits queued edits until none wait.
    pub fn run(mut self) {
        if let Some(database) = self.database.take() {
            database.lead_if_offered();
        }
    }
}

impl Drop for Leader {
    /// A runtime that shuts down drops the tasks it has not started; the queue must not wait for ever.
    fn drop(&mut self) {
        if let Some(database) = self.database.take() {
            database.lead_elsewhere(Database::lead_if_offered);
        }
    }
}

impl Database {
    /// Does a job and waits for it.
    pub(crate) fn do_work(&self, work: Work, durability: Durability) -> Result<Answer, Error> {
        // Who leads decides for everybody: by what is there, not by what was there at a moment or what somebody sees.
        if self.pinned.is_some() || self.asker.is_some() {
            return self.unpinned().whole().do_work(work, durability);
        }
        let waiter = Arc::new(Waiter::default());
        let told = waiter.clone();
        let done = move |answer| told.tell(News::Done(answer));
        if self.enqueue(work, durability, Box::new(done), Some(waiter.clone())) {
            self.lead(Some(&waiter));
        }
        loop {
            match waiter.wait() {
                News::Lead => self.lead(Some(&waiter)),
                News::Done(answer) => return answer,
            }
        }
    }

    /// Queues a job for which no thread waits.
    pub(crate) fn queue_work(
        &self,
        work: Work,
        durability: Durability,
        done: impl FnOnce(Result<Answer, Error>) + Send + 'static,
    ) -> Option<Leader> {
        if self.inner.queue.is_full(work.bytes()) {
            self.release_staged(&work);
            done(Err(Error::Busy));
            return None;
        }
        self.enqueue(work, durability, Box::new(done), None)
            .then(|| Leader {
                // As in [`Database::do_work`].
                database: Some(self.unpinned().whole()),
            })
    }

    /// Answers whether the caller has to lead: at once when it blocks, else by a [`Leader`].
    fn enqueue(&self, work: Work, durability: Durability, done: Done, waiter: Option<Arc<Waiter>>) -> bool {
        let queue = &self.inner.queue;
        let bytes = work.bytes();
        let is_blocked = waiter.is_some();
        let mut state = queue.state.lock();
        state.bytes += bytes;
        state.jobs.push_back(Job {
            work,
            durability,
            bytes,
            done,
            waiter,
        });
        match (state.duty, is_blocked) {
            (Duty::Taken, _) => {
                if state.is_worthwhile() {
                    queue.arrived.notify_one();
                }
                false
            }
            (Duty::Offered, false) => false,
            (Duty::Idle, false) => {
                state.duty = Duty::Offered;
                true
            }
            (Duty::Idle | Duty::Offered, true) => {
                state.duty = Duty::Taken;
                true
            }
        }
    }

    /// Leads, unless a blocked writer has taken the duty.
    fn lead_if_offered(&self) {
        let mut state = self.inner.queue.state.lock();
        if state.duty != Duty::Offered {
            return;
        }
        state.duty = Duty::Taken;
        drop(state);
        self.lead(None);
    }

    /// Commits queued jobs: until none wait, or until `own` is answered and another thread takes over.
    fn lead(&self, own: Option<&Waiter>) {
        loop {
            let jobs = self.inner.queue.take();
            let started = Instant::now();
            let answers = self.commit_jobs(&jobs);
            self.inner.queue.note_commit(jobs.len(), started.elapsed());
            for (job, answer) in jobs.into_iter().zip(answers) {
                self.release_staged(&job.work);
                job.answer(answer);
            }
            match self.inner.queue.hand_over(own) {
                HandOver::Over => return,
                HandOver::GoOn => {}
                // Nobody else blocks, but one whose answer is here must not lead for others for ever.
                HandOver::Elsewhere => return self.lead_elsewhere(|database| database.lead(None)),
            }
        }
    }

    fn lead_elsewhere(&self, lead: fn(&Database)) {
        let database = self.clone();
        let thread = std::thread::Builder::new().name("trunkline-leader".into());
        if thread.spawn(move || lead(&database)).is_err() {
            lead(self);
        }
    }

    /// One answer per job. Where a bug or a damaged document fails a commit, each job is tried alone, so that it fails
    /// nobody else's.
    fn commit_jobs(&self, jobs: &[Job]) -> Vec<Result<Answer, Error>> {
        let works: Vec<(&Work, Durability)> = jobs.iter().map(|job| (&job.work, job.durability)).collect();
        // The transaction of a panic is dropped unfinished.
        let answers = catch_unwind(AssertUnwindSafe(|| self.commit(&works)));
        let answers = answers.unwrap_or_else(|_| Err(Error::Corrupt("a write panicked; see the log".into())));
        match answers {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(Error::Corrupt(_)) if jobs.len() > 1 => {
                jobs.chunks(1).flat_map(|job| self.commit_jobs(job)).collect()
            }
            Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl Job {
    fn answer(self, answer: Result<Answer, Error>) {
        // What a caller does with its answer must not stop the answers of others.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.done)(answer)));
    }
}

impl QueueState {
    fn is_worthwhile(&self) -> bool {
        self.jobs.len() >= self.expected || self.bytes >= WORTHWHILE_BYTES
    }
}

impl Queue {
    /// Takes the jobs of the next commit. Writers that the last commit woke get a moment to come back: without it,
    /// commits of one job and of all the others would alternate.
    fn take(&self) -> Vec<Job> {
        let mut state = self.state.lock();
        let patience = (state.last_commit / PATIENCE_PART).min(PATIENCE_MAX);
        self.arrived
            .wait_while_for(&mut state, |state| !state.is_worthwhile(), patience);
        let mut taken = Vec::with_capacity(state.jobs.len());
        let mut bytes = 0;
        while let Some(job) = state
            .jobs
            .pop_front_if(|job| bytes == 0 || bytes + job.bytes <= COMMIT_BYTES_MAX)
        {
            bytes += job.bytes;
            let alone = matches!(job.work, Work::Compact);
            taken.push(job);
            if alone
                || state
                    .jobs
                    .front()
                    .is_some_and(|job| matches!(job.work, Work::Compact))
            {
                break;
            }
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        taken
    }

    /// Whether so many bytes more are too many. One job alone is taken whatever its length.
    fn is_full(&self, bytes: usize) -> bool {
        let state = self.state.lock();
        !state.jobs.is_empty() && state.bytes + bytes > QUEUE_BYTES_MAX
    }

    fn note_commit(&self, jobs: usize, took: Duration) {
        let mut state = self.state.lock();
        state.expected = jobs + state.jobs.len();
        state.last_commit = took;
    }

    fn hand_over(&self, own: Option<&Waiter>) -> HandOver {
        let mut state = self.state.lock();
        if state.jobs.is_empty() {
            state.duty = Duty::Idle;
            return HandOver::Over;
        }
        if !own.is_some_and(Waiter::is_done) {
            return HandOver::GoOn;
        }
        match state.jobs.iter().find_map(|job| job.waiter.as_ref()) {
            Some(waiter) => {
                waiter.tell(News::Lead);
                HandOver::Over
            }
            None => HandOver::Elsewhere,
        }
    }
}

/// What a leader does after a commit.
enum HandOver {
    /// Nothing: no job waits, or a blocked writer leads on.
    Over,
    /// Its own job waits still, or it leads on purpose.
    GoOn,
    /// Its own job is done, and all others are those of asynchronous code.
    Elsewhere,
}

impl Work {
    /// Bytes that a commit of this job writes, roughly.
    fn bytes(&self) -> usize {
        /// Of rows around a body.
        const OVERHEAD: usize = 100;
        match self {
            Work::Edits { edits, local, .. } => edits
                .iter()
                .map(|Prepared { edit, .. }| match edit {
                    Edit::Interactive(edit) => edit.body.as_str().len() + edit.id.as_str().len() + OVERHEAD,
                    Edit::Replicated(edit) => {
                        edit.body.as_str().len()
                            + edit.id.as_str().len()
                            + OVERHEAD
                            + edit.path.digests.len() * 16
                    }
                })
                .chain(local.as_ref().map(|local| OVERHEAD + local.json.len()))
                .sum(),
            Work::Purge(purges) => purges.len() * OVERHEAD,
            Work::Local { body, .. } => OVERHEAD + body.as_ref().map_or(0, String::len),
            Work::Meta { value, .. } => OVERHEAD + value.len(),
            Work::Feed(step) => {
                let seqs = step.remove.len() + step.insert.len();
                OVERHEAD + size_of::<trunkline_core::Seq>() * seqs + OVERHEAD * step.moved.len()
            }
            Work::Supply(_) | Work::Flush | Work::Compact => OVERHEAD,
        }
    }
}
