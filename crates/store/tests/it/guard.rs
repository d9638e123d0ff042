//! Guards: asked about every edit, made anew when design documents change and not before.

use crate::support::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use trunkline_core::doc::Edit;
use trunkline_store::{Candidate, Guard, Guarded, Refused};

/// Refuses documents whose predecessor says so, once a design document wants it.
fn maker(made: Arc<AtomicUsize>) -> impl Fn(&Guarded<'_>) -> Option<Guard> + Send + Sync {
    move |guarded| {
        made.fetch_add(1, Ordering::Relaxed);
        guarded.designs.iter().find(|(_, body)| body.contains("guard"))?;
        Some(Arc::new(|candidate: &Candidate<'_>| {
            let old = candidate.old.map(|old| (old.rev.to_string(), old.body.as_str()));
            match old {
                Some((rev, body)) if body.contains("final") => Err(Refused::Forbidden(rev)),
                _ => Ok(()),
            }
        }))
    }
}

#[test]
fn edits_are_judged_with_what_they_replace() {
    let (_dir, store, database) = store();
    let made = Arc::new(AtomicUsize::new(0));
    store.set_guard_maker(Arc::new(maker(made.clone())));
    let long = format!(r#"{{"final":"{}"}}"#, "x".repeat(100_000));
    for n in 0..3 {
        let rev = put(&database, &format!("free-{n}"), None, &long);
        put(&database, &format!("free-{n}"), Some(&rev), "{}");
    }
    assert_eq!(
        made.load(Ordering::Relaxed),
        1,
        "nothing to look at for each write"
    );

    let design = put(&database, "_design/d", None, r#"{"guard":true}"#);
    for body in [r#"{"final":1}"#, &long] {
        let id = format!("kept-{}", body.len());
        let kept = put(&database, &id, None, body);
        let refused = Err(Refused::Forbidden(kept.to_string()));
        assert_eq!(one(&database, edit(&id, Some(&kept), "{}")).map(drop), refused);
        assert_eq!(one(&database, deletion(&id, Some(&kept))).map(drop), refused);
        let mut child = replica(&id, 2, &["aa", "of kept"], false, "{}");
        if let Edit::Replicated(child) = &mut child {
            child.path.digests[1] = kept.digest.clone();
        }
        assert_eq!(one(&database, child).map(drop), refused);
        // One that goes on from what is not here replaces nothing.
        assert!(one(&database, replica(&id, 2, &["bb", "cc"], false, "{}")).is_ok());
    }
    // Twice in one commit: the second replaces what the first made.
    let together = update(
        &database,
        vec![
            replica("twice", 1, &["aa"], false, r#"{"final":1}"#),
            replica("twice", 2, &["bb", "aa"], false, "{}"),
        ],
    );
    let first = together[0].as_ref().unwrap().rev.to_string();
    assert_eq!(together[1].clone().map(drop), Err(Refused::Forbidden(first)));
    assert_eq!(made.load(Ordering::Relaxed), 2);

    assert!(one(&database, deletion("_design/d", Some(&design))).is_ok());
    let rev = database.get("twice", None).unwrap().unwrap().rev;
    put(&database, "twice", Some(&rev), "{}");
    assert_eq!(made.load(Ordering::Relaxed), 3);
    clean(&database);
}

#[test]
fn guards_of_a_program_come_first_and_at_once() {
    let (_dir, store, database) = store();
    put(&database, "before", None, "{}");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    store.add_guard_maker(Arc::new(move |guarded: &Guarded<'_>| {
        let counted = counted.clone();
        (guarded.name.as_str() == "calls").then(|| {
            Arc::new(move |candidate: &Candidate<'_>| {
                counted.fetch_add(1, Ordering::Relaxed);
                match candidate.body.contains("no") {
                    true => Err(Refused::Forbidden("own".to_owned())),
                    false => Ok(()),
                }
            }) as Guard
        })
    }));
    let refused = |reason: &str| Err(Refused::Forbidden(reason.to_owned()));
    let one = |id: &str, body: &str| one(&database, edit(id, None, body)).map(drop);
    assert_eq!(one("a", r#"{"no":1}"#), refused("own"));
    // The design documents' as well.
    store.set_guard_maker(Arc::new(|_: &Guarded<'_>| {
        Some(Arc::new(|_: &Candidate<'_>| Err(Refused::Forbidden("designs".to_owned()))) as Guard)
    }));
    assert_eq!(one("a", r#"{"no":1}"#), refused("own"));
    assert_eq!(one("a", "{}"), refused("designs"));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[test]
fn a_write_through_a_moment_without_rules_is_judged_by_those_of_now() {
    let (_dir, store, database) = store();
    store.set_guard_maker(Arc::new(maker(Arc::default())));
    let kept = put(&database, "kept", None, r#"{"final":1}"#);
    let pinned = database.pin().unwrap();
    put(&database, "_design/d", None, r#"{"guard":true}"#);
    let refused = Err(Refused::Forbidden(kept.to_string()));
    for handle in [&pinned, &database] {
        assert_eq!(one(handle, edit("kept", Some(&kept), "{}")).map(drop), refused);
    }
}
