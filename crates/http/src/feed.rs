//! What all feeds share: their four shapes, and waiting with heartbeats, timeouts and the server's end.

use crate::admission::Lasting;
use crate::app::App;
use crate::error::{Error, Result};
use crate::respond::{self, Chunks, Gone};
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use std::time::Duration;
use tokio::time::Instant;

/// The shape of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Rows until now, then the end.
    Normal,
    /// Rows until now, or the next one when there is none.
    Longpoll,
    /// A row a line, for ever.
    Continuous,
    /// Server-sent events, for ever.
    EventSource,
}

impl Feed {
    pub(crate) fn parse(text: Option<&str>) -> Result<Feed> {
        match text {
            None | Some("normal") => Ok(Feed::Normal),
            Some("longpoll") => Ok(Feed::Longpoll),
            Some("continuous" | "live") => Ok(Feed::Continuous),
            Some("eventsource") => Ok(Feed::EventSource),
            Some(_) => Err(Error::bad(
                "Supported `feed` types: normal, continuous, live, longpoll, eventsource",
            )),
        }
    }

    /// Whether rows follow each other on lines of their own.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Feed::Continuous | Feed::EventSource)
    }

    /// What comes before all rows.
    pub(crate) fn opening(self) -> &'static [u8] {
        if self.is_live() { b"" } else { b"{\"results\":[\n" }
    }

    /// What comes before a row's JSON.
    pub(crate) fn before_row(self, out: &mut Vec<u8>, first: bool) {
        match self {
            Feed::Normal | Feed::Longpoll if !first => out.extend_from_slice(b",\n"),
            Feed::EventSource => out.extend_from_slice(b"data: "),
            _ => {}
        }
    }

    /// What comes after a row's JSON; `seq` is its seq as JSON text.
    pub(crate) fn after_row(self, out: &mut Vec<u8>, seq: &str) {
        match self {
            Feed::Continuous => out.push(b'\n'),
            Feed::EventSource => {
                out.extend_from_slice(b"\nid: ");
                out.extend_from_slice(seq.as_bytes());
                out.extend_from_slice(b"\n\n");
            }
            Feed::Normal | Feed::Longpoll => {}
        }
    }

    /// What comes after all rows; `seq` as JSON text.
    pub(crate) fn closing(self, out: &mut Vec<u8>, seq: &str, pending: Option<u64>) {
        let pending = pending.map_or(String::new(), |pending| format!(",\"pending\":{pending}"));
        let end = match self {
            Feed::Normal | Feed::Longpoll => format!("\n],\n\"last_seq\":{seq}{pending}}}\n"),
            Feed::Continuous => format!("{{\"last_seq\":{seq}{pending}}}\n"),
            Feed::EventSource => return,
        };
        out.extend_from_slice(end.as_bytes());
    }

    /// The answer of a feed whose rows leave at once.
    pub(crate) fn response(self, body: Body) -> Response {
        let mut response = respond::live(body);
        response.extensions_mut().insert(Lasting);
        let headers = response.headers_mut();
        if self == Feed::EventSource {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/event-stream"),
            );
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        response
    }
}

/// How long a quiet feed lives: with a heartbeat for ever, else for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Sends something this often.
    Heartbeat(Duration),
    /// Ends after so long without a row.
    Timeout(Duration),
}

/// The heartbeat asked for as `true`, and the longest and default timeout: CouchDB's `changes_timeout`.
const QUIET_MS: u64 = 60_000;
/// The shortest heartbeat served: more often only heats the room.
const HEARTBEAT_MS_MIN: u64 = 10;

impl Clock {
    pub(crate) fn parse(heartbeat: Option<&str>, timeout: Option<&str>) -> Result<Clock> {
        match heartbeat {
            None | Some("false") => {}
            Some("true") => return Ok(Clock::Heartbeat(Duration::from_millis(QUIET_MS))),
            Some(text) => {
                let ms: i64 = text.parse().map_err(|_| {
                    Error::bad(
                        "Invalid heartbeat value. Expecting a positive integer value (in milliseconds).",
                    )
                })?;
                if ms <= 0 {
                    return Err(Error::bad(
                        "The heartbeat value should be a positive integer (in milliseconds).",
                    ));
                }
                return Ok(Clock::Heartbeat(Duration::from_millis(
                    ms.unsigned_abs().max(HEARTBEAT_MS_MIN),
                )));
            }
        }
        let ms = match timeout {
            None => QUIET_MS,
            Some(text) => text.parse::<u64>().map_err(|_| {
                Error::bad("Invalid timeout value. Expecting a positive integer value (in milliseconds).")
            })?,
        };
        Ok(Clock::Timeout(Duration::from_millis(ms.min(QUIET_MS))))
    }
}

/// Waiting for news, from one row to the next.
#[derive(Debug)]
pub(crate) struct Pulse {
    clock: Clock,
    quiet_until: Instant,
}

impl Pulse {
    pub(crate) fn new(clock: Clock) -> Pulse {
        let (Clock::Heartbeat(period) | Clock::Timeout(period)) = clock;
        Pulse {
            clock,
            quiet_until: Instant::now() + period,
        }
    }

    /// A row was sent: the timeout starts again.
    pub(crate) fn row_sent(&mut self) {
        if let Clock::Timeout(period) = self.clock {
            self.quiet_until = Instant::now() + period;
        }
    }

    /// Sends a heartbeat when one is due; tells when the client is gone.
    pub(crate) async fn beat_if_due(&mut self, feed: Feed, chunks: &Chunks) -> Result<(), Gone> {
        match self.clock {
            Clock::Heartbeat(_) if Instant::now() >= self.quiet_until => self.beat(feed, chunks).await,
            _ => chunks.send(Vec::new()).await,
        }
    }

    async fn beat(&mut self, feed: Feed, chunks: &Chunks) -> Result<(), Gone> {
        let beat = self.next_beat(feed);
        chunks.send(beat).await
    }

    fn next_beat(&mut self, feed: Feed) -> Vec<u8> {
        let (Clock::Heartbeat(period) | Clock::Timeout(period)) = self.clock;
        self.quiet_until = Instant::now() + period;
        let beat: &[u8] = if feed == Feed::EventSource {
            b"event: heartbeat\ndata: \n\n"
        } else {
            b"\n"
        };
        beat.to_vec()
    }

    /// Waits for room to make a chunk, sending heartbeats meanwhile. False when the feed is to end.
    pub(crate) async fn room(&mut self, feed: Feed, app: &App, chunks: &Chunks) -> Result<bool, Gone> {
        let mut room = std::pin::pin!(chunks.room());
        loop {
            tokio::select! {
                biased;
                () = app.stopping.cancelled() => return Ok(false),
                room = &mut room => return room.map(|()| true),
                () = tokio::time::sleep_until(self.quiet_until) => {}
            }
            // Not waited for: room that is there would wait along.
            match self.clock {
                Clock::Timeout(_) => return Ok(false),
                Clock::Heartbeat(_) => chunks.send_sign(self.next_beat(feed)),
            }
        }
    }

    /// Waits for news, sending heartbeats meanwhile. False when the feed is to end: its timeout passed, or the
    /// server stops.
    pub(crate) async fn wait(
        &mut self,
        feed: Feed,
        news: impl Future<Output = ()>,
        app: &App,
        chunks: &Chunks,
    ) -> Result<bool, Gone> {
        let mut news = std::pin::pin!(news);
        loop {
            tokio::select! {
                biased;
                () = app.stopping.cancelled() => return Ok(false),
                () = chunks.closed() => return Err(Gone),
                () = &mut news => return Ok(true),
                () = tokio::time::sleep_until(self.quiet_until) => {}
            }
            if let Clock::Timeout(_) = self.clock {
                return Ok(false);
            }
            self.beat(feed, chunks).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_replicate::Unsent;

    /// A feed whose filter lets nothing pass sends nothing, and must not read on for nobody.
    #[tokio::test]
    async fn a_silent_feed_notices_that_its_client_is_gone() {
        let (chunks, body) = respond::chunks(Unsent::new(1 << 20).share(""));
        let hour = Duration::from_secs(3600);
        for clock in [Clock::Timeout(hour), Clock::Heartbeat(hour)] {
            let mut pulse = Pulse::new(clock);
            assert!(pulse.beat_if_due(Feed::Normal, &chunks).await.is_ok());
        }
        drop(body);
        for clock in [Clock::Timeout(hour), Clock::Heartbeat(hour)] {
            let mut pulse = Pulse::new(clock);
            assert!(pulse.beat_if_due(Feed::Normal, &chunks).await.is_err());
        }
    }
}
