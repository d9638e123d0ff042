//! The lines of the audit log that are about one address. Commits are told of by other threads, so that there is one log for
//! all tests.

use crate::audit::TARGET;
use crate::connection::Peer;
use parking_lot::Mutex;
use std::sync::Once;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static BEGUN: Once = Once::new();

/// Of one address, which no other test has.
pub(crate) struct Log(&'static str);

impl Log {
    pub(crate) fn of(address: &'static str) -> Log {
        BEGUN.call_once(|| tracing::subscriber::set_global_default(Lines).unwrap());
        Log(address)
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer {
            address: Some(self.0.parse().unwrap()),
            tls: false,
        }
    }

    /// Those since the last time.
    pub(crate) fn taken(&self) -> Vec<String> {
        taken(&format!("address={} ", self.0))
    }
}

/// Those with a text, since the last time.
pub(crate) fn taken(text: &str) -> Vec<String> {
    LINES.lock().extract_if(.., |line| line.contains(text)).collect()
}

struct Lines;
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.lock().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
