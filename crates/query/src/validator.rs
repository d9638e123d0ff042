//! The thread on which the validation functions of a database run: compiled functions stay on theirs, while each commit
//! may have another leader.

use crate::function::Function;
use crate::validate;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use trunkline_core::limits::{VALIDATOR_ENDINGS_MAX, VALIDATOR_IDLE_MS, VALIDATORS_MAX};
use trunkline_js::Failure;
use trunkline_js::limits::CALL_TIME;
use trunkline_store::Refused;

/// The validation functions of a database, and the thread that runs them, which is made on demand.
pub(crate) struct Validator {
    rules: Arc<Rules>,
    thread: Mutex<Option<mpsc::Sender<Question>>>,
}

struct Rules {
    /// With the id of their design document.
    functions: Vec<(String, Function)>,
    /// JSON text.
    security: String,
    endings: Mutex<Endings>,
}

/// How often functions were ended, or not waited for any longer, within one commit.
#[derive(Default)]
struct Endings {
    commit: u64,
    /// By function.
    counts: BTreeMap<usize, u32>,
    /// The function that runs, or ran last.
    running: usize,
}

struct Question {
    docs: Arc<Docs>,
    answer: mpsc::SyncSender<Result<(), Refused>>,
}

/// The new and the old document and whose the new one is, JSON texts, and the commit that they are of.
pub(crate) struct Docs {
    pub(crate) commit: u64,
    pub(crate) new: String,
    pub(crate) old: String,
    pub(crate) user: String,
}

/// Threads there are.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Counted for as long as its thread runs.
struct Place;

impl Place {
    fn take() -> Option<Place> {
        if THREADS.fetch_add(1, Ordering::Relaxed) < VALIDATORS_MAX {
            return Some(Place);
        }
        THREADS.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Rules {
    fn check(&self, docs: &Docs) -> Result<(), Refused> {
        let args = [docs.new.as_str(), &docs.old, &docs.user, &self.security];
        for (index, (id, function)) in self.functions.iter().enumerate() {
            if self.begin(docs.commit, index) >= VALIDATOR_ENDINGS_MAX {
                return Err(Refused::GuardFailed(format!(
                    "validate_doc_update of {id} was ended {VALIDATOR_ENDINGS_MAX} times in this commit and judges no more of its documents"
                )));
            }
            let called = function.call(|sandbox| Ok(sandbox.call(0, &args)?));
            if let Err(error) = called {
                if error.is_of_bounds() {
                    self.note_ending(docs.commit, index);
                }
                return Err(validate::refusal(error));
            }
        }
        Ok(())
    }

    /// A function is about to be called; how often it was ended in that commit.
    fn begin(&self, commit: u64, function: usize) -> u32 {
        let mut endings = self.endings.lock();
        if endings.commit != commit {
            endings.commit = commit;
            endings.counts.clear();
        }
        endings.running = function;
        endings.counts.get(&function).copied().unwrap_or_default()
    }

    fn note_ending(&self, commit: u64, function: usize) {
        let mut endings = self.endings.lock();
        if endings.commit == commit {
            *endings.counts.entry(function).or_default() += 1;
        }
    }

    /// How long one document may take, all functions together: none goes on for much longer than it may, unless what it
    /// does cannot be ended.
    fn time(&self) -> Duration {
        let calls = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        CALL_TIME.saturating_mul(calls.saturating_add(1))
    }
}

impl Validator {
    pub(crate) fn new(functions: Vec<(String, Function)>, security: String) -> Validator {
        let rules = Rules {
            functions,
            security,
            endings: Mutex::default(),
        };
        Validator {
            rules: Arc::new(rules),
            thread: Mutex::default(),
        }
    }

    /// Whether all functions let a document pass.
    pub(crate) fn check(&self, docs: Docs) -> Result<(), Refused> {
        let commit = docs.commit;
        let (answer, answered) = mpsc::sync_channel(1);
        let docs = Arc::new(docs);
        let asked = self.ask(Question {
            docs: docs.clone(),
            answer,
        });
        if !asked {
            return self.rules.check(&docs);
        }
        match answered.recv_timeout(self.rules.time()) {
            Ok(answer) => answer,
            // A thread that ends just now may leave a question behind.
            Err(RecvTimeoutError::Disconnected) => self.rules.check(&docs),
            Err(RecvTimeoutError::Timeout) => {
                // It ends when it is done with this one; the next question goes to another.
                *self.thread.lock() = None;
                let running = self.rules.endings.lock().running;
                self.rules.note_ending(commit, running);
                Err(Refused::GuardFailed(Failure::TimedOut.to_string()))
            }
        }
    }

    /// Hands a question to the thread, which is started when there is none; whether that worked.
    fn ask(&self, question: Question) -> bool {
        let mut thread = self.thread.lock();
        let question = match &*thread {
            Some(sender) => match sender.send(question) {
                Ok(()) => return true,
                Err(mpsc::SendError(question)) => question,
            },
            None => question,
        };
        let Some(place) = Place::take() else {
            return false;
        };
        let (sender, questions) = mpsc::channel();
        let rules = self.rules.clone();
        let name = "validator".to_owned();
        let started = std::thread::Builder::new().name(name).spawn(move || {
            let _place = place;
            serve(&rules, &questions);
        });
        let sent = started.is_ok() && sender.send(question).is_ok();
        *thread = sent.then_some(sender);
        sent
    }
}

/// Answers until nobody asks for a while, or nobody can any more.
fn serve(rules: &Rules, questions: &mpsc::Receiver<Question>) {
    loop {
        match questions.recv_timeout(Duration::from_millis(VALIDATOR_IDLE_MS)) {
            Ok(Question { docs, answer }) => {
                let _ = answer.send(rules.check(&docs));
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}
