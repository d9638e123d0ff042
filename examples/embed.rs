//! Storing a call detail record and reading it back, in ten lines.
//!
//! `cargo run --example embed`

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug)]
struct Cdr {
    caller: String,
    callee: String,
    seconds: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?; // yours would be a directory that stays
    let store = trunkline::Store::open(dir.path())?;
    let cdrs = store.database("cdrs")?;
    let call = Cdr {
        caller: "+14155551000".into(),
        callee: "420".into(),
        seconds: 42,
    };
    let rev = cdrs.put("call-1", &call)?; // on disk when this returns
    println!("call-1 is stored as revision {rev}");
    if let Some(doc) = cdrs.get::<Cdr>("call-1")? {
        println!(
            "{} called {} for {} s",
            doc.value.caller, doc.value.callee, doc.value.seconds
        );
    }
    Ok(())
}
