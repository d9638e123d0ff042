//! Who is told what became of the edits that are made on somebody's behalf.

use crate::support::*;
use crate::taken::{ANN, BOB, forbidden, owner, told};
use parking_lot::Mutex;
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_store::{Asker, Batch, Outcome, Told};

#[test]
fn a_witness_hears_of_all_edits_before_who_made_them() {
    let (_dir, _store, database) = store();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    let asker = Asker {
        takes: owner("ann").takes.clone(),
        witness: Some(Arc::new(move |of: &DbName, batch: &Batch| {
            let (hears, of, edits) = (hears.clone(), of.clone(), batch.edits.len());
            let hear = move |outcomes: &[Outcome]| hears.lock().push((of, edits, told(outcomes.to_vec())));
            (edits > 0).then(|| Box::new(hear) as Told)
        })),
        ..Asker::default()
    };
    let anns = database.on_behalf(Arc::new(asker));
    let edits = |name: &str| {
        vec![
            edit(&format!("{name}1"), None, ANN),
            edit(&format!("{name}2"), None, BOB),
        ]
    };
    let expected = (database.name().clone(), 2, vec![Ok(()), forbidden("not for you")]);

    update(&anns, edits("blocking"));
    assert_eq!(*heard.lock(), std::slice::from_ref(&expected));

    let batch = Batch {
        edits: edits("queued"),
        ..Batch::default()
    };
    let (before, count) = (Arc::new(Mutex::new(0)), heard.clone());
    let kept = before.clone();
    let leader = anns.submit(batch, move |_| *kept.lock() = count.lock().len());
    leader.unwrap().run();
    assert_eq!(*before.lock(), 2);
    assert_eq!(heard.lock()[1], expected);

    // Nobody is told of what others do, or of nothing.
    update(&anns, Vec::new());
    update(&database, edits("others"));
    assert_eq!(heard.lock().len(), 2);
}
