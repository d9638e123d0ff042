//! Following a database: one thread writes, another hears of each record as it comes.
//!
//! `cargo run --example follow_changes`

use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Call {
    state: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = trunkline::Store::open(dir.path())?;
    let calls = store.database("calls")?;
    let state = |state: &str| Call { state: state.into() };
    calls.put("call-0", &state("ended"))?;

    let writer = {
        let calls = calls.clone();
        std::thread::spawn(move || -> trunkline::Result<()> {
            for number in 1..=3 {
                std::thread::sleep(Duration::from_millis(20));
                let id = format!("call-{number}");
                let rev = calls.put(&id, &state("ringing"))?;
                if number == 2 {
                    calls.delete(&id, &rev)?;
                }
            }
            Ok(())
        })
    };

    // From the beginning, then whatever comes, until it has been quiet for a second. A document that changed twice
    // before we looked comes once, as it is now.
    let mut changes = calls.changes(0).follow();
    while let Some(change) = changes.next_timeout(Duration::from_secs(1)) {
        let change = change?;
        match change.value::<Call>()? {
            Some(call) => println!("{}: {} is {}", change.seq, change.id, call.state),
            None => println!("{}: {} was deleted", change.seq, change.id),
        }
    }
    writer.join().map_err(|_| "the writer failed")??;
    Ok(())
}
