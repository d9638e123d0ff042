//! Connections: accepting them, serving them, and ending them in order.

use crate::Config;
use std::future::Future;
use tokio::net::TcpListener;
use trunkline_store::Store;

/// Serves `store` on `listener` until `shutdown` resolves, then ends feeds with their `last_seq`, lets running writes
/// finish and replications checkpoint, for at most [`Config::shutdown_ms`]. The store stays open; closing it is the
/// caller's.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let _ = (listener, store, config, shutdown.await);
    todo!()
}
