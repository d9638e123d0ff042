//! Many writers at once: each gets its own answer, whoever leads.

use crate::support::*;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use trunkline_store::{BackendSeam, Batch, Database, Error, Refused, Store, StoreOptions};
use trunkline_testkit::crash::Disk;

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

/// A disk whose syncs wait while the gate is shut.
#[derive(Debug)]
struct Gated(Disk, Arc<Gate>);

#[derive(Debug, Default)]
struct Gate {
    shut_and_waiting: Mutex<(bool, bool)>,
    moved: Condvar,
}

impl redb::StorageBackend for Gated {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.1.shut_and_waiting.lock();
        while state.0 {
            state.1 = true;
            self.1.moved.notify_all();
            self.1.moved.wait(&mut state);
        }
        self.0.sync_data()
    }
}

/// Queues an edit of a new document, and when it is answered the next one, until `stop`.
fn keep_busy(database: Database, number: usize, stop: Arc<Mutex<bool>>) {
    if *stop.lock() {
        return;
    }
    let batch = Batch {
        edits: vec![edit(&format!("busy{number}"), None, "{}")],
        ..Batch::default()
    };
    let again = database.clone();
    let leader = database.submit(batch, move |_| keep_busy(again, number + 1, stop));
    assert!(leader.is_none(), "somebody leads");
}

#[test]
fn a_blocked_writer_comes_back_however_busy_the_others_are() {
    let (gate, disk) = (Arc::new(Gate::default()), Disk::default());
    let backend = BackendSeam(Arc::new({
        let gate = gate.clone();
        move |_| Ok(Box::new(Gated(disk.clone(), gate.clone())) as Box<dyn redb::StorageBackend>)
    }));
    let options = StoreOptions {
        backend: Some(backend),
        ..StoreOptions::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_with(dir.path(), options).unwrap();
    let database = store.create(&name("calls")).unwrap();
    let stop = Arc::new(Mutex::new(false));
    std::thread::scope(|scope| {
        gate.shut_and_waiting.lock().0 = true;
        let first = scope.spawn(|| put(&database, "first", None, "{}"));
        let mut state = gate.shut_and_waiting.lock();
        while !state.1 {
            gate.moved.wait(&mut state);
        }
        let second = scope.spawn(|| put(&database, "second", None, "{}"));
        while !format!("{database:?}").contains("1 jobs") {
            std::thread::yield_now();
        }
        // The second writer leads next, and finds these beside its own edit.
        keep_busy(database.clone(), 0, stop.clone());
        state.0 = false;
        drop(state);
        gate.moved.notify_all();
        first.join().unwrap();
        // Ends only if somebody else leads on.
        second.join().unwrap();
        *stop.lock() = true;
    });
    assert!(database.get("second", None).unwrap().is_some());
}

#[test]
fn a_damaged_document_fails_no_other_writer() {
    // Each in a job of its own, in one commit: while the leader does not run, both queue.
    let (dir, store, database) = store();
    put(&database, "damaged", None, "{}");
    put(&database, "sound", None, "{}");
    let parent = database.get("damaged", None).unwrap().unwrap().rev;
    drop((database, store));
    let file = redb::Database::open(dir.path().join("databases/calls/documents.redb")).unwrap();
    let txn = file.begin_write().unwrap();
    let by_seq = redb::TableDefinition::<&[u8; 8], &[u8]>::new("by_seq");
    txn.open_table(by_seq)
        .unwrap()
        .remove(&1u64.to_be_bytes())
        .unwrap();
    txn.commit().unwrap();
    drop(file);
    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    let (sender, receiver) = channel();
    let submit = |edit| {
        let sender = sender.clone();
        let batch = Batch {
            edits: vec![edit],
            ..Batch::default()
        };
        database.submit(batch, move |answer| sender.send(answer.is_ok()).unwrap())
    };
    let leader = submit(edit("damaged", Some(&parent), "{}"));
    assert!(submit(edit("new", None, "{}")).is_none());
    leader.unwrap().run();
    assert_eq!([receiver.recv(), receiver.recv()], [Ok(false), Ok(true)]);
}

#[test]
fn what_asynchronous_code_may_queue_is_bounded() {
    let (_dir, _store, database) = store();
    let batch = |n| Batch {
        // Nothing reads them before the leader: they need not be JSON, and are refused for their length.
        edits: vec![edit(&format!("long{n}"), None, &" ".repeat(60 << 20))],
        ..Batch::default()
    };
    let (sender, receiver) = channel();
    let submit = |n| {
        let sender = sender.clone();
        database.submit(batch(n), move |answer| {
            sender.send(matches!(answer, Err(Error::Busy))).unwrap()
        })
    };
    let leader = submit(0).unwrap();
    assert!((1..4).all(|n| submit(n).is_none()));
    assert!(receiver.try_recv().is_err(), "four of 60 MiB find room");
    assert!(submit(4).is_none());
    assert!(receiver.recv().unwrap(), "the fifth does not");
    leader.run();
    assert!(receiver.iter().take(4).all(|busy| !busy));
    put(&database, "a", None, "{}");
}
