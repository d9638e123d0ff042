//! How much a server takes on at once. Who comes beyond that is told at once to come back: those who are let in are
//! answered in time, and memory has a bound.

use crate::addresses::{Addresses, Share};
use crate::config::Connections;
use crate::streams::Stream;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use trunkline_core::limits::ANSWER_PIECE_BYTES_MAX;
use trunkline_replicate::{Counted, Share as AnswersShare};

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    connections: Places,
    addresses: Addresses,
    pub(crate) requests: Places,
    /// Requests that ask how the server is.
    pub(crate) probes: Places,
    pub(crate) feeds: Places,
}

/// A connection's place, and its share of its address.
#[derive(Debug)]
pub(crate) struct Connected {
    _place: Place,
    _share: Share,
}

impl Admission {
    /// Lets a connection in.
    pub(crate) fn connect(&self, address: Option<IpAddr>, settings: &Connections) -> Option<Connected> {
        let per_address_max = settings.connections_per_address_max;
        Some(Connected {
            _share: self.addresses.take(address, per_address_max)?,
            _place: self.connections.take(settings.connections_max)?,
        })
    }
}

/// Places of one kind, as many as the settings have at the moment that one is taken.
#[derive(Debug, Default)]
pub(crate) struct Places(Arc<AtomicUsize>);

/// One of them; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Places {
    pub(crate) fn take(&self, max: usize) -> Option<Place> {
        // The guard counts down whatever becomes of this.
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.0));
        (taken < max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks an answer that goes on as long as its client stays: it counts as a feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lasting;

/// Marks an answer that may be long: whose share it has of the room for those that are not taken.
#[derive(Debug)]
pub(crate) struct Untaken {
    pub(crate) share: AnswersShare,
    _counted: Option<Counted>,
}

impl Untaken {
    /// One that is made in one piece is counted until it is gone; chunks are by themselves.
    pub(crate) fn new(share: AnswersShare, counted: Option<Counted>) -> Untaken {
        Untaken {
            share,
            _counted: counted,
        }
    }
}

/// An answer's body, with the place of its request until the client has it.
pub(crate) struct Held {
    body: Body,
    /// Of a piece that is longer than goes at once.
    rest: Bytes,
    answer: Arc<Answer>,
    is_lasting: bool,
}

/// What an answer has until its last piece is gone.
struct Answer {
    /// `None` of a refusal.
    _place: Option<Place>,
    untaken: Option<Arc<Untaken>>,
    /// Where the client says how much of it may come.
    stream: Option<Arc<Stream>>,
}

/// Bytes that the HTTP library holds until the client takes them.
struct Piece {
    bytes: Bytes,
    _of: Arc<Answer>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Held {
    /// Holds `place` as long as something of the body is left. Of one that is `is_lasting`, pieces may wait for longer
    /// before its end.
    pub(crate) fn until_sent(
        body: Body,
        place: Option<Place>,
        untaken: Option<Arc<Untaken>>,
        stream: Option<Arc<Stream>>,
        is_lasting: bool,
    ) -> Body {
        if body.is_end_stream() {
            return body;
        }
        let answer = Answer {
            _place: place,
            untaken,
            stream,
        };
        Body::new(Held {
            body,
            rest: Bytes::new(),
            answer: Arc::new(answer),
            is_lasting,
        })
    }

    fn piece(&mut self, mut bytes: Bytes) -> Frame<Bytes> {
        if bytes.len() > ANSWER_PIECE_BYTES_MAX {
            self.rest = bytes.split_off(ANSWER_PIECE_BYTES_MAX);
        }
        let Some(stream) = &self.answer.stream else {
            return Frame::data(bytes);
        };
        let lasts = self.is_lasting && !self.is_end_stream();
        stream.waits(lasts, self.answer.untaken.as_ref());
        let of = Arc::clone(&self.answer);
        Frame::data(Bytes::from_owner(Piece { bytes, _of: of }))
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.piece(rest))));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(stream) = &self.answer.stream {
            match &polled {
                // Asked for more, so that all before has its window: what waits is not the client.
                Poll::Pending => stream.taken(),
                Poll::Ready(None) => stream.waits(false, self.answer.untaken.as_ref()),
                Poll::Ready(Some(_)) => {}
            }
        }
        match std::task::ready!(polled) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(bytes) => self.piece(bytes),
                Err(trailers) => trailers,
            }))),
            other => Poll::Ready(other),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let behind = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        if let Some(upper) = behind.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(behind.lower().saturating_add(rest));
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;
    use http_body_util::BodyExt;
    use std::time::Duration;

    #[tokio::test]
    async fn a_place_is_held_until_the_answer_is_gone() {
        let places = Places::default();
        let place = places.take(1).unwrap();
        assert!(places.take(1).is_none());
        let long: Vec<u8> = (0..ANSWER_PIECE_BYTES_MAX * 2 + 7).map(|n| n as u8).collect();
        let mut body = Held::until_sent(Body::from(long.clone()), Some(place), None, None, false);
        let mut sent = Vec::new();
        while !body.is_end_stream() {
            assert!(places.take(1).is_none());
            assert_eq!(body.size_hint().exact(), Some((long.len() - sent.len()) as u64));
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(piece.len() <= ANSWER_PIECE_BYTES_MAX);
            sent.extend_from_slice(&piece);
        }
        assert!(sent == long);
        drop(body);
        let empty = Held::until_sent(Body::empty(), places.take(1), None, None, false);
        assert!(places.take(1).is_some());
        drop(empty);
    }

    /// Over HTTP/2, what the library has is not gone yet.
    #[tokio::test]
    async fn a_place_is_held_as_long_as_a_piece_is() {
        let places = Places::default();
        let streams = Arc::new(Streams::new());
        for streamed in [false, true] {
            let stream = Arc::new(streams.open());
            let bytes = vec![7; ANSWER_PIECE_BYTES_MAX + 1];
            let body = match streamed {
                true => Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(bytes)])),
                false => Body::from(bytes),
            };
            let mut body = Held::until_sent(body, places.take(1), None, Some(stream), false);
            let mut pieces = Vec::new();
            while let Some(piece) = body.frame().await {
                pieces.push(piece.unwrap().into_data().unwrap());
            }
            drop(body);
            while let Some(piece) = pieces.pop() {
                assert!(places.take(1).is_none());
                assert!(streams.is_waited_for());
                drop(piece);
            }
            assert!(places.take(1).is_some());
            assert!(!streams.is_waited_for());
        }
    }

    /// A feed waits for its client while something of it is not taken, be it a heartbeat, and not when it is asked for more.
    #[tokio::test(start_paused = true)]
    async fn a_feed_that_is_idle_is_not_waited_for() {
        let streams = Arc::new(Streams::new());
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let beats = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        let stream = Some(Arc::new(streams.open()));
        let mut body = Held::until_sent(Body::from_stream(beats), None, None, stream, true);
        let (patience, silence) = (Duration::from_secs(60), Duration::from_secs(100_000));
        for _ in 0..3 {
            sender.send(Ok::<_, std::io::Error>("\n")).await.unwrap();
            body.frame().await.unwrap().unwrap();
            assert!(streams.is_waited_for());
            // The library asks for more when its client has taken that.
            assert!(tokio::time::timeout(silence, body.frame()).await.is_err());
            assert!(!streams.is_waited_for());
        }
        sender.send(Ok("\n")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        // Others come, and nobody takes the one before.
        sender.send(Ok("\n")).await.unwrap();
        streams
            .untaken_for(patience, &trunkline_replicate::Unsent::new(0))
            .await;
    }

    #[test]
    fn one_address_does_not_take_the_places_of_all() {
        let admission = Admission::default();
        let settings = Connections {
            connections_max: 3,
            connections_per_address_max: 2,
            ..Connections::default()
        };
        let connect = |last| {
            let address = IpAddr::from([192, 0, 2, last]);
            admission.connect(Some(address), &settings)
        };
        let (one, other) = (connect(1), connect(1));
        assert!(one.is_some() && other.is_some() && connect(1).is_none());
        let third = connect(2);
        assert!(third.is_some() && connect(3).is_none());
        drop(one);
        assert!(connect(1).is_some());
    }
}
