//! Power cuts at any moment of the writes of a database and of its indexes: what the indexes show then, once they are
//! brought up to date, is what the database holds, however much of it the cut took back.

use crate::disks::{Cut, Disks};
use crate::edits::{design, edit, mango, name};
use crate::shown::everything;
use rand::Rng;
use rand::rngs::StdRng;
use trunkline_query::Indexes;
use trunkline_store::Database;
use trunkline_testkit::seed::with_seeds;

const DOCUMENTS: u32 = 60;

/// Does what moves files and rows.
fn live(random: &mut StdRng, disks: &Disks, db: &Database, indexes: &mut Indexes) {
    for _ in 0..random.random_range(1..30) {
        edit(random, db, DOCUMENTS);
    }
    for design in [design(0), mango(0)] {
        let index = indexes.index(db, design).unwrap();
        match random.random_range(0..12) {
            0 => index.rebuild().unwrap(),
            1..9 => index.update().unwrap(),
            _ => {}
        }
    }
    match random.random_range(0..10) {
        0 => db.flush().unwrap(),
        1 => *indexes = disks.indexes(),
        _ => {}
    }
}

/// Whether indexes show what new ones show.
fn compare(db: &Database, indexes: &Indexes, salt: u64) {
    for of in [design, mango] {
        let kept = indexes.index(db, of(0)).unwrap();
        if let Some(state) = kept.state().unwrap() {
            assert!(state.seq <= db.last_seq().unwrap(), "an index is ahead");
        }
        kept.update().unwrap();
        let fresh = indexes.index(db, of(salt)).unwrap();
        fresh.update().unwrap();
        assert_eq!(everything(&kept).unwrap(), everything(&fresh).unwrap());
    }
}

/// Answers whether any index outlived it.
fn recover(random: &mut StdRng, cut: &Cut) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let disks = Disks::new(dir.path(), Some(cut), 0.0, random);
    let store = disks.store(dir.path());
    let db = store.database(&name()).unwrap();
    let indexes = disks.indexes();
    let kept = indexes.index(&db, design(0)).unwrap().state().unwrap();
    compare(&db, &indexes, 1);
    // And goes on from there.
    for _ in 0..20 {
        edit(random, &db, DOCUMENTS);
    }
    compare(&db, &indexes, 2);
    kept.is_some()
}

#[test]
fn no_index_is_ahead_of_its_database_after_a_power_cut() {
    let (mut cuts, mut outlived) = (0, 0);
    with_seeds(3, |random| {
        let dir = tempfile::tempdir().unwrap();
        let disks = Disks::new(dir.path(), None, 0.004, random);
        let store = disks.store(dir.path());
        let db = store.database(&name()).unwrap();
        let mut indexes = disks.indexes();
        for _ in 0..25 {
            live(random, &disks, &db, &mut indexes);
        }
        drop((db, store, indexes));
        for cut in disks.cuts() {
            cuts += 1;
            outlived += u32::from(recover(random, &cut));
        }
    });

    assert!(outlived > 5, "{outlived} of {cuts}");
}
