//! Who is too slow to be waited for: a client that sends or takes a byte now and then would otherwise hold what it was
//! given for ever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use trunkline_core::limits::REQUEST_STREAM_BYTES_LEAST;

/// Counts how long somebody is waited for, until enough bytes have moved. The time in which nobody waits is not counted.
pub(crate) struct Pace {
    patience: Duration,
    waited: Duration,
    moved: usize,
    since: Option<Instant>,
    /// Kept from one wait to the next: it may ring too early, and never too late.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new(patience: Duration) -> Pace {
        Pace {
            patience,
            waited: Duration::ZERO,
            moved: 0,
            since: None,
            alarm: None,
        }
    }

    /// Ready when what is waited for has taken too long; else the context is woken by then.
    pub(crate) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let deadline = since + self.patience.saturating_sub(self.waited);
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            std::task::ready!(alarm.as_mut().poll(context));
            if alarm.deadline() >= deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
    }

    /// So many bytes came or went.
    pub(crate) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= REQUEST_STREAM_BYTES_LEAST {
            self.waited = Duration::ZERO;
            self.moved = 0;
        }
    }

    /// Nothing is left to wait for.
    pub(crate) fn settled(&mut self) {
        self.moved(REQUEST_STREAM_BYTES_LEAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_no_reason_to_wait() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(10 * second);
        for _ in 0..9 {
            let step = tokio::time::timeout(second, poll_fn(|context| pace.poll_over(context)));
            assert!(step.await.is_err());
            pace.moved(1);
            // The time that nobody waited.
            tokio::time::sleep(60 * second).await;
        }
        let begun = Instant::now();
        poll_fn(|context| pace.poll_over(context)).await;
        assert_eq!(begun.elapsed().as_secs(), 1);

        let mut pace = Pace::new(10 * second);
        for _ in 0..30 {
            let step = tokio::time::timeout(9 * second, poll_fn(|context| pace.poll_over(context)));
            assert!(step.await.is_err());
            pace.moved(REQUEST_STREAM_BYTES_LEAST);
        }
    }
}
