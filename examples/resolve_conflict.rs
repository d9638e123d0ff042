//! Two nodes change one mailbox while they do not see each other; neither change is lost, and one of them puts the
//! two together for both.
//!
//! `cargo run --example resolve_conflict`

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use trunkline::{Replication, Store};

#[derive(Serialize, Deserialize, Debug)]
struct Mailbox {
    heard: BTreeSet<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let north = Store::open(dir.path().join("north"))?.database("mailboxes")?;
    let south = Store::open(dir.path().join("south"))?.database("mailboxes")?;
    let heard = BTreeSet::new();
    north.put("box-420", &Mailbox { heard })?;
    Replication::local(&north, &south).run_blocking()?;

    // Each node hears a message while the link is down.
    north.modify("box-420", |mailbox: &mut Mailbox| {
        mailbox.heard.insert("message-1".into());
    })?;
    south.modify("box-420", |mailbox: &mut Mailbox| {
        mailbox.heard.insert("message-2".into());
    })?;

    // The link is back. Both edits are there; every node picks the same winner.
    Replication::local(&south, &north).run_blocking()?;
    let mut leaves = north.leaves::<Mailbox>("box-420")?.into_iter();
    let mut winner = leaves.next().ok_or("the mailbox is gone")?;
    println!("winner {}: {:?}", winner.rev, winner.value.heard);
    let mut losers = Vec::new();
    for loser in leaves {
        println!("conflict {}: {:?}", loser.rev, loser.value.heard);
        winner.value.heard.extend(loser.value.heard);
        losers.push(loser.rev);
    }
    north.resolve(&mut winner, &losers)?;

    // The decision replicates like any other edit.
    Replication::local(&north, &south).run_blocking()?;
    for (name, node) in [("north", &north), ("south", &south)] {
        for leaf in node.leaves::<Mailbox>("box-420")? {
            println!("{name}: {} {:?}", leaf.rev, leaf.value.heard);
        }
    }
    Ok(())
}
