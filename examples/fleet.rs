//! A fleet in one process: three telephony nodes take call detail records in over HTTP, and one reporting server
//! pulls from all of them. One node goes down in the middle and comes back; nothing is lost, nothing comes twice.
//!
//! `cargo run --example fleet`

use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trunkline::{AsyncDatabase, Replication, Store};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CALLS_PER_NODE: usize = 50;

#[tokio::main]
async fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for name in ["north", "south", "west"] {
        nodes.push(Node::start(name, dir.path(), None).await?);
    }
    let client = client()?;
    let reports = Store::open(dir.path().join("reports"))?.database("cdrs")?;
    let mut pulls = Vec::new();
    for node in &nodes {
        pulls.push(Replication::pull(&node.url(), &reports)?.continuous().start());
    }
    let reports = reports.to_async();

    for node in &nodes {
        node.take_calls(&client, 0..CALLS_PER_NODE / 2).await?;
    }
    received(&reports, 3 * CALLS_PER_NODE / 2).await?;
    println!("first half received: {:?}", per_node(&reports).await?);

    let down = nodes.remove(2);
    println!("{} goes down", down.name);
    let (name, address) = (down.name, down.address);
    down.stop().await?;
    for node in &nodes {
        node.take_calls(&client, CALLS_PER_NODE / 2..CALLS_PER_NODE)
            .await?;
    }
    received(&reports, 3 * CALLS_PER_NODE / 2 + CALLS_PER_NODE).await?;
    println!("the others go on: {:?}", per_node(&reports).await?);

    let back = Node::start(name, dir.path(), Some(address)).await?;
    println!("{name} is back");
    back.take_calls(&client, CALLS_PER_NODE / 2..CALLS_PER_NODE)
        .await?;
    nodes.push(back);
    received(&reports, 3 * CALLS_PER_NODE).await?;
    println!("all received: {:?}", per_node(&reports).await?);

    for pull in pulls {
        pull.stop().await?;
    }
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}

/// What the reporting server reads of a record.
#[derive(Deserialize)]
struct Record {
    node: String,
}

/// A telephony node: a store, and the server on it.
struct Node {
    name: &'static str,
    address: SocketAddr,
    store: Store,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Node {
    async fn start(name: &'static str, dir: &Path, address: Option<SocketAddr>) -> Outcome<Node> {
        let dir: PathBuf = dir.join(name);
        let store = tokio::task::spawn_blocking(move || {
            let store = Store::open(dir)?;
            store.database("cdrs").map(|_| store)
        })
        .await??;
        let listener = TcpListener::bind(address.unwrap_or(([127, 0, 0, 1], 0).into())).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let served = store.clone();
        let server = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            served.serve(listener, stopped).await
        });
        Ok(Node {
            name,
            address,
            store,
            stop,
            server,
        })
    }

    fn url(&self) -> String {
        format!("http://{}/cdrs", self.address)
    }

    /// What a switch does at the end of each call.
    async fn take_calls(&self, client: &reqwest::Client, numbers: std::ops::Range<usize>) -> Outcome<()> {
        for number in numbers {
            let call =
                json!({"_id": format!("{}-{number}", self.name), "node": self.name, "seconds": number});
            let answer = client
                .post(self.url())
                .header("Content-Type", "application/json")
                .body(call.to_string())
                .send()
                .await?;
            answer.error_for_status()?;
        }
        Ok(())
    }

    async fn stop(self) -> Outcome<()> {
        // It may be gone by itself; waiting for it says why.
        let _ = self.stop.send(());
        self.server.await??;
        tokio::task::spawn_blocking(move || self.store.close()).await??;
        Ok(())
    }
}

fn client() -> Outcome<reqwest::Client> {
    // Fails when a replication installed one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::new())
}

/// Waits until so many records have arrived.
async fn received(reports: &AsyncDatabase, records: usize) -> Outcome<()> {
    let mut changes = reports.changes(0);
    let all = async {
        for _ in 0..records {
            changes.next().await.ok_or("the reporting store was closed")??;
        }
        Outcome::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), all).await?
}

async fn per_node(reports: &AsyncDatabase) -> Outcome<BTreeMap<String, usize>> {
    let counts = reports.blocking(|reports| {
        let mut counts = BTreeMap::new();
        for record in reports.docs::<Record>(..) {
            *counts.entry(record?.value.node).or_insert(0) += 1;
        }
        Ok(counts)
    });
    Ok(counts.await?)
}
