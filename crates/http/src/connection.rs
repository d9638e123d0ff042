//! One connection, from its first byte to its last.

use crate::admission::Connected;
use crate::auth::certificate::ClientCertificate;
use crate::config::Connections;
use crate::front::Front;
use crate::impatient::Impatient;
use crate::lenient::Lenient;
use crate::listener::{Accepted, Incoming, Io};
use crate::measured::Measured;
use crate::streams::{Stream, Streams};
use crate::tls::{ServerTls, names_of};
use axum::body::Body;
use axum::http::{Request, Version};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use trunkline_core::limits::{
    HTTP2_REQUEST_WINDOW_BYTES, HTTP2_REQUESTS_WINDOW_BYTES, HTTP2_STREAMS_MAX, TLS_HANDSHAKE_MS,
};

/// The other end of a request's connection: in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// `None` through a unix socket.
    pub(crate) address: Option<IpAddr>,
    /// Whether nobody between can read along.
    pub(crate) tls: bool,
}

/// Serves a connection to its end, or to that of the server; it has its `place` until then.
pub(crate) async fn serve(
    accepted: Accepted,
    front: Front,
    settings: Connections,
    stopping: CancellationToken,
    place: Connected,
) {
    let _place = place;
    let address = accepted.address;
    let tls = matches!(accepted.incoming, Incoming::Tls(..));
    let opened = match accepted.incoming {
        Incoming::Plain(stream) => Ok((stream, None)),
        Incoming::Tls(stream, tls) => handshake(stream, &tls).await,
    };
    let (stream, certificate) = match opened {
        Ok(opened) => opened,
        Err(error) => return tracing::debug!(?address, %error, "no TLS connection came about"),
    };
    let unsent = front.unsent().clone();
    let streams = Arc::new(Streams::new());
    let streams_here = Arc::clone(&streams);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        let stream = name_stream(&mut request, &streams_here);
        request.extensions_mut().insert(Peer { address, tls });
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let front = front.clone();
        async move {
            let answer = front.answer(request).await;
            drop(stream);
            Ok::<_, Infallible>(answer)
        }
    });
    let head = Duration::from_millis(settings.head_ms);
    let silence = Duration::from_millis(settings.silence_ms);
    let stream = Measured::new(Impatient::new(stream, head, silence), Arc::clone(&streams));
    let io = TokioIo::new(Lenient::new(stream));
    let builder = builder(&settings, Requests(Arc::clone(&streams)));
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let turn = Arc::clone(&streams);
    let (mut stops, mut is_asked_to_end) = (false, false);
    loop {
        // Who is asked to end may still have a request on its way.
        let quiet = head * if is_asked_to_end { 2 } else { 1 };
        tokio::select! {
            ended = poll_fn(|context| {
                turn.begin_turn();
                connection.as_mut().poll(context)
            }) => {
                if let Err(error) = ended {
                    tracing::debug!(?address, %error, "a connection ended");
                }
                return;
            }
            () = stopping.cancelled(), if !stops => {
                stops = true;
                connection.as_mut().graceful_shutdown();
            }
            () = streams.quiet_for(quiet) => {
                if is_asked_to_end {
                    tracing::debug!(?address, "a connection was ended: it asks for nothing and stays");
                    return;
                }
                is_asked_to_end = true;
                connection.as_mut().graceful_shutdown();
            }
            () = streams.choked_for(head) => {
                tracing::debug!(?address, "a connection was ended: nobody takes its refusals");
                return;
            }
            () = streams.untaken_for(silence * UNTAKEN_SILENCES, &unsent) => {
                tracing::debug!(?address, "a connection was ended: nobody takes an answer");
                return;
            }
        }
    }
}

/// Runs the requests of a connection of HTTP/2, each until it is over or ended by its [`Streams`]; its client hears of that,
/// and the others go on.
#[derive(Clone)]
struct Requests(Arc<Streams>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Requests {
    fn execute(&self, request: F) {
        // The library begins a request where it hands it out.
        let Some(end) = self.0.end_of_newest() else {
            tokio::spawn(request);
            return;
        };
        tokio::spawn(async move {
            tokio::select! {
                () = request => {}
                () = end.notified() => tracing::debug!("an answer was ended: nobody takes it, and others wait"),
            }
        });
    }
}

/// The stream of a request of HTTP/2, which has it in its extensions.
fn name_stream(request: &mut Request<Body>, streams: &Arc<Streams>) -> Option<Arc<Stream>> {
    if request.version() != Version::HTTP_2 {
        streams.speak_http1();
        return None;
    }
    let stream = Arc::new(streams.open());
    request.extensions_mut().insert(Arc::clone(&stream));
    Some(stream)
}

/// How many times longer an answer of HTTP/2 may wait than a connection: it shares the way with others.
const UNTAKEN_SILENCES: u32 = 4;

type Secured = (Box<dyn Io>, Option<ClientCertificate>);

/// Who connects and then says nothing is not waited for.
async fn handshake(stream: TcpStream, tls: &ServerTls) -> io::Result<Secured> {
    let shaken = tls.acceptor().accept(stream);
    let stream = tokio::time::timeout(Duration::from_millis(TLS_HANDSHAKE_MS), shaken).await??;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.map(|shown| ClientCertificate {
        names: names_of(shown),
    });
    Ok((Box::new(stream), certificate))
}

/// How often an HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Without an answer for so long, it does not.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The least that the HTTP library takes.
const HEAD_BYTES_LEAST: usize = 8 << 10;

/// HTTP/1.1 as it comes, but no faster and no longer than is set. HTTP/2 with room for the feeds of a whole node on one connection, none of which waits for
/// another; what is gone without a word is noticed.
fn builder(settings: &Connections, requests: Requests) -> auto::Builder<Requests> {
    let head_bytes = settings.head_bytes_max.max(HEAD_BYTES_LEAST);
    let mut builder = auto::Builder::new(requests);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(settings.head_ms))
        .max_buf_size(head_bytes);
    builder
        .http2()
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_REQUEST_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_REQUESTS_WINDOW_BYTES)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_STREAMS_MAX as usize)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
