//! A reporting node: it pulls call detail records from the node that made them, and answers by account.
//!
//! `cargo run --example report`

use serde::{Deserialize, Serialize};
use trunkline::{Replication, Store, Views};

#[derive(Serialize, Deserialize)]
struct Cdr {
    account: String,
    seconds: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?; // yours would be directories on two nodes
    let node = Store::open(dir.path().join("node"))?;
    let cdrs = node.database("cdrs")?;
    for n in 0..1000 {
        let account = format!("account-{}", n % 4);
        let cdr = Cdr { account, seconds: n };
        cdrs.relaxed().put(&format!("call-{n:04}"), &cdr)?;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/cdrs", listener.local_addr()?);
    tokio::spawn(async move { node.serve(listener, std::future::pending()).await });

    let store = Store::open(dir.path().join("reports"))?;
    store.define(
        Views::new("billing", 1) // another version when the closures change
            .view("by_account", |doc, emit| {
                if let Ok(cdr) = doc.value::<Cdr>() {
                    emit.row(&cdr.account, &cdr.seconds);
                }
            })
            .reduce("_sum"),
    )?;
    let reports = store.database("cdrs")?;
    Replication::pull(&url, &reports)?.run().await?;

    let reports = reports.to_async();
    let mut groups = reports.stream(|db| db.view("billing", "by_account").groups::<String, u64>());
    while let Some(group) = groups.next().await {
        let group = group?;
        println!("{}: {} s", group.key, group.value);
    }
    Ok(())
}
