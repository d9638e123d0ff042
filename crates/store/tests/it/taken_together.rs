//! Edits on behalf of several in one commit, and whose they are to guards.

use crate::support::*;
use crate::taken::{ANN, BOB, forbidden, owner, told};
use parking_lot::Mutex;
use std::sync::Arc;
use trunkline_store::{Batch, Candidate, Guard, Guarded, Refused};
use trunkline_wire::functions::User;

type Kept<T> = Arc<Mutex<Vec<T>>>;

#[test]
fn guards_hear_whose_edits_they_are_and_how_they_came() {
    let (_dir, store, database) = store();
    let heard: Kept<(Option<User>, bool)> = Arc::default();
    let hears = heard.clone();
    store.set_guard_maker(Arc::new(move |_: &Guarded<'_>| {
        let hears = hears.clone();
        Some(Arc::new(move |candidate: &Candidate<'_>| {
            hears
                .lock()
                .push((candidate.user.cloned(), candidate.interactive));
            Ok(())
        }) as Guard)
    }));
    let ann = database.on_behalf(owner("ann"));
    let pinned = ann.pin().unwrap();
    let handles = [&database, &ann, &ann.whole(), &ann.unpinned(), &pinned];
    for (number, handle) in handles.into_iter().enumerate() {
        heard.lock().clear();
        let [own, other, bobs] = ["own", "other", "bobs"].map(|name| format!("{name}-{number}"));
        update(
            handle,
            vec![
                edit(&own, None, ANN),
                replica(&other, 1, &["aa"], false, ANN),
                edit(&bobs, None, BOB),
            ],
        );
        let user = handle.asker().map(|asker| User::clone(&asker.user));
        let mut expected = vec![(user.clone(), true), (user.clone(), false)];
        // Edits that were refused already are not asked about.
        expected.extend(user.is_none().then_some((None, true)));
        assert_eq!(*heard.lock(), expected);
    }
}

#[test]
fn a_commit_of_many_judges_each_by_whose_it_is() {
    let (_dir, _store, database) = store();
    let told_of: Kept<Vec<Result<(), Refused>>> = Arc::default();
    let mut leader = None;
    let handles = [
        database.on_behalf(owner("ann")),
        database.clone(),
        database.on_behalf(owner("bob")),
    ];
    for (number, handle) in handles.iter().enumerate() {
        let keeps = told_of.clone();
        let edits = [ANN, BOB].map(|body| edit(&format!("{number}{body}"), None, body));
        let batch = Batch {
            edits: edits.into(),
            atomic: number == 2,
            ..Batch::default()
        };
        let offered = handle.submit(batch, move |outcomes| keeps.lock().push(told(outcomes.unwrap())));
        leader = leader.or(offered);
    }
    leader.unwrap().run();
    let expected = vec![
        vec![Ok(()), forbidden("not for you")],
        vec![Ok(()), Ok(())],
        vec![forbidden("not for you"), Err(Refused::Batch)],
    ];
    assert_eq!(*told_of.lock(), expected);
    assert_eq!(database.info().unwrap().doc_count, 3);
    clean(&database);
}
