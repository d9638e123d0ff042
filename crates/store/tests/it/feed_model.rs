//! Feeds under random edits, restarts and crashes.

use crate::crash::store_on;
use crate::feed_world::World;
use crate::support::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_store::Store;
use trunkline_testkit::crash::Disk;
use trunkline_testkit::seed::with_seeds;

#[test]
fn a_feed_holds_what_its_selector_takes() {
    with_seeds(4, |rng| {
        let (dir, mut store, mut database) = store();
        let mut world = World::default();
        for step in 0..150 {
            if rng.random_bool(0.03) {
                drop((store, database));
                store = Store::open(dir.path()).unwrap();
                database = store.database(&name("calls")).unwrap();
            }
            if rng.random_bool(0.03) {
                database.compact().unwrap();
            }
            world.step(rng, &database);
            if step % 10 == 0 {
                clean(&database);
            }
        }
        database.build_feeds().unwrap();
        clean(&database);
    });
}

#[test]
fn a_crash_leaves_a_feed_that_goes_on() {
    with_seeds(4, |rng| {
        let disk = Disk::default();
        let dir = tempfile::tempdir().unwrap();
        let store = store_on(&disk, dir.path());
        let database = store.create(&name("calls")).unwrap();
        let created = disk.moment();
        let mut world = World::default();
        (0..25).for_each(|_| world.step(rng, &database));
        store.close().unwrap();
        drop((store, database));
        let mut lots = StdRng::from_rng(rng);
        disk.crash_images(created, &mut lots, |_, image| {
            let store = store_on(&Disk::with(image), dir.path());
            let database = store.database(&name("calls")).unwrap();
            clean(&database);
            while database.build_feeds_a_little(5).unwrap() {
                clean(&database);
            }
            assert!(database.feeds().unwrap().iter().all(|feed| feed.built));
            clean(&database);
        });
    });
}
