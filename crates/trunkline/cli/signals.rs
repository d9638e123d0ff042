//! The signals that ask a command to end in order, or a server to read its settings again.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, caught from the moment this is made.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn new() -> std::io::Result<Stop> {
        Ok(Stop {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Resolves at the first of them.
    pub(crate) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGHUP, caught from the moment this is made.
pub(crate) struct Hangup(Signal);

impl Hangup {
    pub(crate) fn new() -> std::io::Result<Hangup> {
        signal(SignalKind::hangup()).map(Hangup)
    }

    /// Resolves at the next one; `false`: there will be none.
    pub(crate) async fn asked(&mut self) -> bool {
        self.0.recv().await.is_some()
    }
}
