//! Bytes of an index file that a disk has changed: what is answered is right, or an error.

use crate::edits::{design, edit, mango, name};
use crate::shown::everything;
use rand::Rng;
use rand::rngs::StdRng;
use std::path::Path;
use trunkline_query::design::Design;
use trunkline_query::{Error, Indexes, ViewIndex};
use trunkline_store::{Database, Store};
use trunkline_testkit::seed::with_seeds;

/// Damaged files of each index.
const TRIALS: u32 = 40;

/// Changes some bytes of pages that have any.
fn damage(random: &mut StdRng, bytes: &mut [u8]) {
    const PAGE: usize = 4096;
    let pages = bytes.chunks(PAGE).enumerate();
    let in_use = pages.filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    let in_use: Vec<usize> = in_use.map(|(number, _)| number).collect();
    for _ in 0..random.random_range(1..4) {
        let page = in_use[random.random_range(0..in_use.len())] * PAGE;
        let page = &mut bytes[page..];
        let used = page.len().min(PAGE);
        let used = page[..used].iter().rposition(|byte| *byte != 0).unwrap_or(0);
        page[random.random_range(0..=used)] ^= 1 << random.random_range(0..8);
    }
}

fn updated(index: &ViewIndex) -> Result<Vec<String>, Error> {
    index.update()?;
    everything(index)
}

/// Asks an index of many damaged files; answers how often it had an answer at once.
fn check(random: &mut StdRng, db: &Database, dir: &Path, design: &Design) -> u32 {
    let path = dir.join(format!("databases/calls/indexes/{}", design.signature));
    let open = || Indexes::default().index(db, design.clone()).unwrap();
    let whole = updated(&open()).unwrap();
    let sound = std::fs::read(&path).unwrap();
    let mut answers = 0;
    for _ in 0..TRIALS {
        let mut bytes = sound.clone();
        damage(random, &mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let index = open();
        if index.state().is_ok_and(|state| state.is_some())
            && let Ok(shown) = everything(&index)
        {
            assert_eq!(shown, whole);
            answers += 1;
        }
        if let Ok(shown) = updated(&index) {
            assert_eq!(shown, whole);
        }
        // Whoever comes after an error finds it made anew.
        assert_eq!(updated(&index).unwrap(), whole);
    }
    answers
}

#[test]
fn damaged_bytes_never_make_a_wrong_answer() {
    with_seeds(1, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&name()).unwrap();
        for _ in 0..600 {
            edit(random, &db, 400);
        }
        let answers = [design(0), mango(0)].map(|design| check(random, &db, dir.path(), &design));
        assert!(
            answers.iter().all(|answers| *answers < TRIALS),
            "nothing was damaged"
        );
    });
}
