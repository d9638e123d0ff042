//! The thread on which the validation functions of a database run: compiled functions stay on theirs, while each commit
//! may have another leader.

use crate::function::Function;
use crate::validate;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use trunkline_core::limits::{VALIDATOR_IDLE_MS, VALIDATORS_MAX};
use trunkline_store::Refused;

/// The validation functions of a database, and the thread that runs them, which is made on demand.
pub(crate) struct Validator {
    rules: Arc<Rules>,
    thread: Mutex<Option<mpsc::Sender<Question>>>,
}

struct Rules {
    functions: Vec<Function>,
    /// JSON texts.
    user: String,
    security: String,
}

struct Question {
    docs: Arc<Docs>,
    answer: mpsc::SyncSender<Result<(), Refused>>,
}

/// The new and the old document, JSON texts.
struct Docs(String, String);

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
    fn check(&self, Docs(new, old): &Docs) -> Result<(), Refused> {
        let args = [new.as_str(), old, &self.user, &self.security];
        self.functions
            .iter()
            .try_for_each(|function| validate::call(function, &args))
    }
}

impl Validator {
    pub(crate) fn new(functions: Vec<Function>, user: String, security: String) -> Validator {
        let rules = Rules {
            functions,
            user,
            security,
        };
        Validator {
            rules: Arc::new(rules),
            thread: Mutex::default(),
        }
    }

    /// Whether all functions let a document pass; both texts are JSON.
    pub(crate) fn check(&self, new: String, old: String) -> Result<(), Refused> {
        let (answer, answered) = mpsc::sync_channel(1);
        let docs = Arc::new(Docs(new, old));
        let asked = self.ask(Question {
            docs: docs.clone(),
            answer,
        });
        // A thread that ends just now may leave a question behind.
        let answer = asked.then(|| answered.recv().ok()).flatten();
        answer.unwrap_or_else(|| self.rules.check(&docs))
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
