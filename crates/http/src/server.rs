//! Connections: accepting them, serving them, and ending them in order.

use crate::app::App;
use crate::front::Front;
use crate::lenient::Lenient;
use crate::{Live, background, loopback};
use axum::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use trunkline_core::limits::{HTTP2_REQUEST_WINDOW_BYTES, HTTP2_REQUESTS_WINDOW_BYTES, HTTP2_STREAMS_MAX};
use trunkline_replicate::Replications;
use trunkline_store::Store;

/// Serves `store` on `listener` until `shutdown` resolves, then ends feeds with their `last_seq`, lets running writes
/// finish and replications checkpoint, for at most [`shutdown_ms`](crate::Config::shutdown_ms). The store stays open; closing it is the
/// caller's. Feeds, listings and commits have a few threads of their own, all else runs on the runtime's blocking
/// threads: a runtime made for this server needs few of them (`max_blocking_threads`), since no call waits for a client
/// there.
///
/// Without an administrator in [`admins`](crate::Config::admins) it serves loopback addresses alone: another is an error.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    config: impl Into<Live>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let config = config.into();
    let (secrets, shutdown_ms) = (config.now().secrets.clone(), config.now().shutdown_ms);
    let replications = Replications::new(store, secrets);
    serve_with(listener, replications.clone(), config, shutdown).await?;
    let ended = replications.shutdown();
    if tokio::time::timeout(Duration::from_millis(shutdown_ms), ended)
        .await
        .is_err()
    {
        tracing::warn!("replications that had not ended are cut off");
    }
    Ok(())
}

/// As [`serve`], for a store whose replications the caller has in hand: they are the ones that the server lists, starts
/// and cancels, and whose documents are followed from here on; and they go on when it ends.
pub async fn serve_with(
    listener: TcpListener,
    replications: Replications,
    config: impl Into<Live>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let config = config.into();
    loopback::check(listener.local_addr()?, &config.now())?;
    replications.follow_documents();
    let app = App::new(replications, config);
    let service = Front::new(app.clone());
    let connections = GracefulShutdown::new();
    // Dropped with this future, however it ends: no connection outlives it.
    let cut = CancellationToken::new();
    let _cut_at_end = cut.clone().drop_guard();
    let indexing = background::run(app.clone());
    tokio::spawn(cut.clone().run_until_cancelled_owned(indexing));

    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        spawn_connection(stream, service.clone(), &connections, cut.clone());
    }
    drop(listener);

    app.stopping.cancel();
    let ended = connections.shutdown();
    if tokio::time::timeout(Duration::from_millis(app.config().shutdown_ms), ended)
        .await
        .is_err()
    {
        tracing::warn!("connections that were still open are cut off");
    }
    Ok(())
}

/// A refused connection says nothing about the next one, but being out of descriptors does.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(%error, "accepting a connection failed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How often an HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Without an answer for so long, it does not.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

fn spawn_connection(stream: TcpStream, front: Front, connections: &GracefulShutdown, cut: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let watcher = connections.watcher();
    tokio::spawn(async move {
        let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let front = front.clone();
            async move { Ok::<_, Infallible>(front.answer(request.map(Body::new)).await) }
        });
        let connection = builder()
            .serve_connection(TokioIo::new(Lenient::new(stream)), service)
            .into_owned();
        tokio::select! {
            ended = watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
            }
            () = cut.cancelled() => {}
        }
    });
}

/// HTTP/1.1 as it comes. HTTP/2 with room for the feeds of a whole node on one connection, none of which waits for
/// another; what is gone without a word is noticed.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_REQUEST_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_REQUESTS_WINDOW_BYTES)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_pending_accept_reset_streams(HTTP2_STREAMS_MAX as usize)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
