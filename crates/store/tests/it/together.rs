//! Many writers at once: each gets its own answer, whoever leads.

use crate::support::*;
use std::sync::mpsc::channel;
use trunkline_store::{Batch, Refused};

#[test]
fn blocked_and_queued_writers_all_get_their_answers() {
    let (_dir, _store, database) = store();
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let database = &database;
            let sender = sender.clone();
            scope.spawn(move || {
                for n in 0..20 {
                    put(database, &format!("blocked-{writer}-{n}"), None, "{}");
                    let batch = Batch {
                        edits: vec![edit(&format!("queued-{writer}-{n}"), None, "{}")],
                        ..Batch::default()
                    };
                    let sender = sender.clone();
                    let leader = database.submit(batch, move |answer| {
                        sender.send(answer.unwrap()[0].is_ok()).unwrap();
                    });
                    if let Some(leader) = leader {
                        // A leader that is dropped, as by a runtime that shuts down, must not stop the others.
                        if n % 2 == 0 { leader.run() } else { drop(leader) }
                    }
                }
            });
        }
    });
    drop(sender);
    assert_eq!(receiver.iter().filter(|taken| *taken).count(), 160);
    assert_eq!(database.info().unwrap().doc_count, 320);
    clean(&database);
}

#[test]
fn one_of_many_wins_a_race_for_a_document() {
    let (_dir, _store, database) = store();
    let winners = std::thread::scope(|scope| {
        let database = &database;
        let writers: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || one(database, edit("a", None, &format!(r#"{{"n":{n}}}"#)))))
            .collect();
        let outcomes = writers.into_iter().map(|writer| writer.join().unwrap());
        let outcomes: Vec<_> = outcomes.collect();
        assert!(
            outcomes
                .iter()
                .all(|outcome| !matches!(outcome, Err(refused) if *refused != Refused::Conflict))
        );
        outcomes.iter().filter(|outcome| outcome.is_ok()).count()
    });
    assert_eq!(winners, 1);
    clean(&database);
}

#[test]
fn a_panicking_callback_does_not_wedge_the_queue() {
    let (_dir, _store, database) = store();
    let batch = || Batch {
        edits: vec![edit("a", None, "{}")],
        ..Batch::default()
    };
    let leader = database.submit(batch(), |_| panic!("a bug in a caller"));
    leader.unwrap().run();
    put(&database, "b", None, "{}");
}

/// All threads of a pool may wait for their own writes before one of them gets to run the leader.
#[test]
fn a_leader_that_finds_no_thread_holds_up_no_blocked_writer() {
    let (_dir, _store, database) = store();
    let (tell, told) = std::sync::mpsc::channel();
    let told_too = tell.clone();
    let batch = Batch {
        edits: vec![edit("a", None, "{}")],
        ..Batch::default()
    };
    let leader = database.submit(batch, move |outcomes| {
        tell.send(outcomes.unwrap().len()).unwrap();
    });
    let blocked = database.clone();
    let writer = std::thread::spawn(move || {
        blocked.flush().unwrap();
        told_too.send(0).unwrap();
    });
    let patience = std::time::Duration::from_secs(20);
    assert_eq!(told.recv_timeout(patience), Ok(1));
    assert_eq!(told.recv_timeout(patience), Ok(0));
    writer.join().unwrap();
    // It comes late, and finds nothing to do; the next one has its own.
    leader.unwrap().run();
    put(&database, "b", None, "{}");
    assert!(database.submit(Batch::default(), |_| {}).is_some());
}
