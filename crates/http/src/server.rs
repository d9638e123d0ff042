//! Connections: accepting them, and ending them in order.

use crate::admission::Places;
use crate::app::App;
use crate::auth::users_db;
use crate::descriptors::Descriptors;
use crate::front::Front;
use crate::listener::Listeners;
use crate::refusal::refuse;
use crate::{Live, background, connection, loopback};
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunkline_replicate::Replications;
use trunkline_store::Store;

/// Serves `store` on one listener or several until `shutdown` resolves, then ends feeds with their `last_seq`, lets running writes
/// finish and replications checkpoint, for at most [`shutdown_ms`](crate::Config::shutdown_ms). The store stays open; closing it is the
/// caller's. Feeds, listings and commits have a few threads of their own, all else runs on the runtime's blocking
/// threads: a runtime made for this server needs few of them (`max_blocking_threads`), since no call waits for a client
/// there.
///
/// Without an administrator in [`admins`](crate::Config::admins) it serves loopback addresses alone: another is an error.
pub async fn serve(
    listeners: impl Into<Listeners>,
    store: Store,
    config: impl Into<Live>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let config = config.into();
    let (secrets, shutdown_ms) = (config.now().secrets.clone(), config.now().shutdown_ms);
    let replications = Replications::new(store, secrets);
    serve_with(listeners, replications.clone(), config, shutdown).await?;
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
    listeners: impl Into<Listeners>,
    replications: Replications,
    config: impl Into<Live>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let config = config.into();
    let mut listeners = listeners.into();
    for address in listeners.addresses()? {
        loopback::check(address, &config.now())?;
    }
    let (store, now) = (replications.store().clone(), config.now());
    let mut descriptors = Descriptors::of_process(config.process().open_databases);
    descriptors.hold(now.connections.clone());
    let made = tokio::task::spawn_blocking(move || users_db::make(&store, &now)).await;
    made.map_err(io::Error::other)?.map_err(io::Error::other)?;
    replications.follow_documents();
    let app = App::new(replications, config, listeners.certificates());
    let service = Front::new(app.clone());
    let connections = TaskTracker::new();
    // Dropped with this future, however it ends: no connection outlives it.
    let cut = CancellationToken::new();
    let _cut_at_end = cut.clone().drop_guard();
    let indexing = background::run(app.clone());
    tokio::spawn(cut.clone().run_until_cancelled_owned(indexing));

    let refusals = Places::default();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listeners.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let settings = descriptors.hold(app.config().connections.clone());
        let Some(place) = app.admission.connect(accepted.address, &settings) else {
            refuse(accepted, &refusals);
            continue;
        };
        let stopping = app.stopping.clone();
        let served = connection::serve(accepted, service.clone(), settings, stopping, place);
        connections.spawn(cut.clone().run_until_cancelled_owned(served));
    }
    drop(listeners);

    app.stopping.cancel();
    connections.close();
    if tokio::time::timeout(
        Duration::from_millis(app.config().shutdown_ms),
        connections.wait(),
    )
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
