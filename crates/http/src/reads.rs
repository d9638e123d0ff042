//! Short reads of many requests, done in turn by few threads.
//!
//! To hand one read to a thread and its answer back costs two switches of context, several times what the read itself
//! costs. A thread that finds more reads waiting when it has done one saves them both.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a read may take, those before it included, until others stop waiting for its thread: far more than one from
/// memory takes, not much more than one from a disk.
const PATIENCE: Duration = Duration::from_millis(3);
/// Reads that wait for each thread before another one pays for the switch to it.
const WAITING_PER_THREAD: usize = 32;

/// Reads that wait for a thread. As many as requests are being served: no bound of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn FnOnce() + Send>>,
    threads: usize,
    /// Reads that were begun, ever.
    begun: u64,
    /// Whether somebody looks after threads that do not come to their next read.
    is_watched: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} reads, {} threads", self.waiting.len(), self.threads)
    }
}

impl Reads {
    /// Runs a short read on a thread that may block.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let read = Box::new(move || {
            let _ = sender.send(read());
        });
        self.queue(read);
        let answer = receiver.await;
        answer.unwrap_or_else(|_| Err(Error::Internal("a read panicked".to_owned())))
    }

    fn queue(&self, read: Box<dyn FnOnce() + Send>) {
        let mut queue = self.0.lock();
        queue.waiting.push_back(read);
        if queue.waiting.len() > queue.threads * WAITING_PER_THREAD {
            self.add_thread(&mut queue);
        }
    }

    fn add_thread(&self, queue: &mut Queue) {
        queue.threads += 1;
        let reads = self.clone();
        tokio::task::spawn_blocking(move || reads.do_waiting());
        if !std::mem::replace(&mut queue.is_watched, true) {
            tokio::spawn(self.clone().watch(queue.begun));
        }
    }

    /// What waits behind reads that take long gets another thread; a timer for each read would cost as much as the read.
    async fn watch(self, mut begun: u64) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            let mut queue = self.0.lock();
            if queue.threads == 0 {
                queue.is_watched = false;
                return;
            }
            if queue.begun == begun && !queue.waiting.is_empty() {
                self.add_thread(&mut queue);
            }
            begun = queue.begun;
        }
    }

    fn do_waiting(&self) {
        loop {
            let mut queue = self.0.lock();
            let Some(read) = queue.waiting.pop_front() else {
                queue.threads -= 1;
                return;
            };
            queue.begun += 1;
            drop(queue);
            // Its request is told by the dropped sender; the reads behind it go on.
            let _ = catch_unwind(AssertUnwindSafe(read));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[tokio::test]
    async fn each_read_is_answered_with_its_own() {
        let reads = Reads::default();
        let all = (0..500).map(|number| {
            let reads = reads.clone();
            async move { reads.run(move || Ok(number)).await.unwrap() }
        });
        assert_eq!(
            futures_util::future::join_all(all).await,
            (0..500).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn a_read_that_takes_long_holds_up_no_other() {
        let reads = Reads::default();
        let gate = Arc::new(Barrier::new(2));
        let (slow, quick) = (reads.clone(), reads);
        let waits = gate.clone();
        let slow = slow.run(move || {
            waits.wait();
            Ok(1)
        });
        // Queued behind the slow one, which goes on only when this one is done.
        let quick = async {
            let answer = quick.run(|| Ok(2)).await;
            tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
            answer
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert_eq!((slow.unwrap(), quick.unwrap()), (1, 2));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_request_only() {
        let reads = Reads::default();
        let broken = reads.run(|| -> Result<u8> { panic!("on purpose") });
        let (broken, good) = tokio::join!(broken, reads.run(|| Ok(1)));
        assert!(matches!(broken, Err(Error::Internal(_))));
        assert_eq!(good.unwrap(), 1);
        assert_eq!(reads.run(|| Ok(2)).await.unwrap(), 2);
    }
}
