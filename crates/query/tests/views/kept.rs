//! Kept up to date against built now.

use crate::edits::{design, edit, mango, name};
use crate::shown::{everything, groups, rows};
use rand::Rng;
use trunkline_query::Indexes;
use trunkline_query::index::Grouping;
use trunkline_store::Store;
use trunkline_testkit::seed::with_seeds;

#[test]
fn an_index_that_was_kept_up_to_date_is_as_one_built_now() {
    with_seeds(1, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&name()).unwrap();
        let indexes = Indexes::default();
        let kept = indexes.index(&db, design(0)).unwrap();
        let mango_kept = indexes.index(&db, mango(0)).unwrap();
        for round in 1..6 {
            for _ in 0..[1, 20, 400][random.random_range(0..3)] {
                edit(random, &db, 500);
            }
            kept.update().unwrap();
            let fresh = indexes.index(&db, design(round)).unwrap();
            fresh.update().unwrap();
            mango_kept.update().unwrap();
            let mango_fresh = indexes.index(&db, mango(round)).unwrap();
            mango_fresh.update().unwrap();
            assert_eq!(
                everything(&mango_kept).unwrap(),
                everything(&mango_fresh).unwrap()
            );
            for view in ["by_type", "many", "throws", "torn"] {
                let forwards = rows(&kept, view, false);
                assert_eq!(forwards, rows(&fresh, view, false), "{view}");
                let mut backwards = rows(&kept, view, true);
                backwards.reverse();
                assert_eq!(forwards, backwards);
            }
            for view in ["by_type", "counted", "many"] {
                for grouping in [
                    Grouping::All,
                    Grouping::Elements(1),
                    Grouping::Elements(2),
                    Grouping::Keys,
                ] {
                    let forwards = groups(&kept, view, grouping, false);
                    assert_eq!(
                        forwards,
                        groups(&fresh, view, grouping, false),
                        "{view} {grouping:?}"
                    );
                    let mut backwards = groups(&kept, view, grouping, true);
                    backwards.reverse();
                    assert_eq!(forwards.len(), backwards.len());
                }
            }
            let live = db.info().unwrap().doc_count;
            assert!(live > 0 || rows(&kept, "throws", false).is_empty());
        }
    });
}

#[test]
fn indexes_of_deleted_databases_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let indexes = Indexes::default();
    let open = || {
        let db = store.create(&name()).unwrap();
        let index = indexes.index(&db, design(0)).unwrap();
        index.update().unwrap();
        std::sync::Arc::downgrade(&index)
    };
    let gone = open();
    store.delete(&name()).unwrap();
    let there = open();
    indexes.close_deleted();
    assert!(gone.upgrade().is_none());
    assert!(there.upgrade().is_some());
}
