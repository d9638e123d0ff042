//! Databases made, deleted, made again, and many of them at once.

use crate::support::*;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use trunkline_core::doc::{Edit, ReplicatedEdit};
use trunkline_core::doc_id::LocalId;
use trunkline_store::{
    Batch, ChangeRow, ChangesScan, Database, DbEvent, Durability, Error, Refused, Store, StoreOptions,
};

#[test]
fn a_recreated_database_is_another() {
    let (dir, store, database) = store();
    put(&database, "a", None, "{}");
    let before = database.info().unwrap();
    assert!(matches!(
        store.create(&name("calls")),
        Err(Error::DatabaseExists(_))
    ));
    store.delete(&name("calls")).unwrap();
    assert!(matches!(database.get("a", None), Err(Error::DatabaseMissing(_))));
    assert!(matches!(
        database.update(Batch::default()),
        Err(Error::DatabaseMissing(_))
    ));
    assert!(matches!(
        store.database(&name("calls")),
        Err(Error::DatabaseMissing(_))
    ));
    let again = store.create(&name("calls")).unwrap();
    assert_eq!(again.last_seq().unwrap(), 0);
    // Its file is a megabyte long, nearly all of it a hole.
    #[cfg(unix)]
    assert!(again.info().unwrap().file_bytes < 200_000);
    assert_ne!(again.info().unwrap().uuid, before.uuid);
    assert!(matches!(database.get("a", None), Err(Error::DatabaseMissing(_))));
    put(&again, "b", None, "{}");
    let (updates, last) = store.db_updates(0);
    let events: Vec<_> = updates
        .iter()
        .map(|update| (update.name.as_str(), update.event, update.seq))
        .collect();
    assert_eq!(events, [("calls", DbEvent::Updated, last)]);
    drop((again, database, store));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.names(), [name("calls")]);
    let (updates, _) = store.db_updates(0);
    let events: Vec<_> = updates
        .iter()
        .map(|update| (update.name.as_str(), update.event))
        .collect();
    assert_eq!(events, [("calls", DbEvent::Updated)]);
    assert!(
        store
            .database(&name("calls"))
            .unwrap()
            .get("b", None)
            .unwrap()
            .is_some()
    );
}

#[test]
fn names_with_slashes_are_directories_side_by_side() {
    let (dir, store, database) = store();
    for text in ["acc/1/2026-08", "acc/1", "a+b(c)$d-e_f", "store"] {
        store.create(&name(text)).unwrap();
    }
    drop((store, database));
    let store = Store::open(dir.path()).unwrap();
    let names = store.names();
    let names: Vec<_> = names.iter().map(|name| name.as_str()).collect();
    assert_eq!(
        names,
        ["a+b(c)$d-e_f", "acc/1", "acc/1/2026-08", "calls", "store"]
    );
    let numbers = store.database(&name("acc/1")).unwrap();
    put(&numbers, "a", None, "{}");
    assert_eq!(
        store
            .database(&name("acc/1/2026-08"))
            .unwrap()
            .last_seq()
            .unwrap(),
        0
    );
}

#[test]
fn few_files_are_open_whatever_the_number_of_databases() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        open_databases: 3,
        ..StoreOptions::default()
    };
    let store = Store::open_with(dir.path(), options).unwrap();
    let databases: Vec<_> = (0..12)
        .map(|n| store.create(&name(&format!("db{n}"))).unwrap())
        .collect();
    for round in 0..2 {
        for database in &databases {
            put(database, &format!("doc{round}"), None, "{}");
        }
    }
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let ours = links
        .filter(|link| link.starts_with(dir.path()) && link.ends_with("documents.redb"))
        .count();
    assert!(ours <= 3, "{ours} files are open");
    for database in &databases {
        assert_eq!(database.info().unwrap().doc_count, 2);
        clean(database);
    }
}

#[test]
fn relaxed_writes_are_seen_at_once_and_survive_close() {
    let (dir, store, database) = store();
    for n in 0..20 {
        let batch = Batch {
            edits: vec![edit(&format!("doc{n}"), None, "{}")],
            durability: Durability::Relaxed,
            atomic: false,
            ..Batch::default()
        };
        assert!(database.update(batch).unwrap()[0].is_ok());
        assert_eq!(database.last_seq().unwrap(), n + 1);
        assert!(database.get(&format!("doc{n}"), None).unwrap().is_some());
    }
    drop((database, store));
    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    assert_eq!(database.info().unwrap().doc_count, 20);
    clean(&database);
}

#[test]
fn no_seq_comes_twice_after_a_crash_among_relaxed_writes() {
    let (dir, _store, database) = store();
    let edits = vec![edit("a", None, "{}")];
    let relaxed = Batch {
        edits,
        durability: Durability::Relaxed,
        ..Batch::default()
    };
    database.update(relaxed).unwrap();
    // What a crash would leave.
    let left = tempfile::tempdir().unwrap();
    copy(dir.path(), left.path());
    let store = Store::open(left.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    let seen = database.last_seq().unwrap();
    assert!(seen > 1, "{seen}");
    database.compact().unwrap();
    let written = one(&database, edit("b", None, "{}")).unwrap();
    assert!(written.seq > seen, "{} after {seen}", written.seq);
    clean(&database);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn local_documents_count_up_and_stay_out_of_the_changes() {
    let (_dir, _store, database) = store();
    let id = trunkline_core::doc_id::LocalId::parse("checkpoint").unwrap();
    assert_eq!(database.put_local(&id, 0, Some(r#"{"seq":1}"#)).unwrap(), 1);
    assert_eq!(database.put_local(&id, 1, Some(r#"{"seq":2}"#)).unwrap(), 2);
    assert_eq!(database.local(&id).unwrap(), Some((2, r#"{"seq":2}"#.into())));
    let mut locals = 0;
    let mut count = |_: &str, _, _: &str| {
        locals += 1;
        ControlFlow::Continue(())
    };
    assert!(database.locals(None, false, &mut count).unwrap());
    assert_eq!(locals, 1);
    assert_eq!(database.last_seq().unwrap(), 0);
    assert_eq!(database.put_local(&id, 2, None).unwrap(), 0);
    assert!(matches!(database.put_local(&id, 2, None), Err(Error::Refused(_))));
    assert_eq!(database.local(&id).unwrap(), None);
}

#[test]
fn purged_documents_are_gone_and_the_purge_is_remembered() {
    let (_dir, _store, database) = store();
    let first = put(&database, "a", None, "{}");
    put(&database, "b", None, "{}");
    database.set_purged_infos_limit(1).unwrap();
    let other = rev("1-other");
    one(&database, replica("b", 1, &["other"], false, "{}")).unwrap();
    let removed = database
        .purge(&[
            (id("a"), vec![first.clone(), other.clone()]),
            (id("b"), vec![other.clone()]),
        ])
        .unwrap();
    assert_eq!(removed, [vec![first], vec![other.clone()]]);
    assert_eq!(database.get("a", None).unwrap(), None);
    assert_eq!(database.info().unwrap().purge_seq, 2);
    assert_eq!(database.purged_infos().unwrap(), [(2, "b".into(), vec![other])]);
    clean(&database);
}

#[test]
fn seqs_are_found_by_time() {
    let (_dir, _store, database) = store();
    put(&database, "a", None, "{}");
    let first = put(&database, "b", None, "{}");
    put(&database, "b", Some(&first), "{}");
    let mut times = Vec::new();
    let scan = trunkline_store::ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: false,
        limit: 10,
    };
    let mut look = |row: trunkline_store::ChangeRow<'_>| {
        times.push((row.seq, row.time_ms));
        std::ops::ControlFlow::Continue(())
    };
    database.changes(&scan, &mut look).unwrap();
    assert_eq!(database.seq_at(times[0].1 - 1).unwrap(), 0);
    assert_eq!(database.seq_at(times[1].1).unwrap(), 3);
    assert_eq!(database.seq_at(u64::MAX).unwrap(), 3);
}

#[test]
fn a_database_that_is_only_read_is_not_written() {
    let (dir, store, database) = store();
    put(&database, "a", None, "{}");
    drop((store, database));
    let file = dir.path().join("databases/calls/documents.redb");
    let closed = std::fs::read(&file).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    assert!(database.get("a", None).unwrap().is_some());
    // A crash now would leave a file that needs no recovery.
    assert!(std::fs::read(&file).unwrap() == closed);
    drop((store, database));
    assert!(std::fs::read(&file).unwrap() == closed);

    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    assert!(database.get("a", None).unwrap().is_some());
    put(&database, "b", None, "{}");
    assert!(std::fs::read(&file).unwrap() != closed);
    drop((store, database));
    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    assert!(database.get("b", None).unwrap().is_some());
}

#[test]
fn a_repair_is_kept_although_nobody_writes() {
    let (dir, store, database) = store();
    put(&database, "a", None, "{}");
    // What a killed process leaves: a copy of the directory while the file is open.
    let crashed = tempfile::tempdir().unwrap();
    let file = "databases/calls/documents.redb";
    std::fs::create_dir_all(crashed.path().join("databases/calls")).unwrap();
    for name in ["store", file] {
        std::fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    drop((store, database));
    let file = crashed.path().join(file);
    let mut images = vec![std::fs::read(&file).unwrap()];
    for _ in 0..2 {
        let store = Store::open(crashed.path()).unwrap();
        let database = store.database(&name("calls")).unwrap();
        assert!(database.get("a", None).unwrap().is_some());
        drop((store, database));
        images.push(std::fs::read(&file).unwrap());
    }
    // The first opening repaired it, the second found nothing to do.
    assert!(images[0] != images[1]);
    assert!(images[1] == images[2]);
}

#[test]
fn a_reader_reads_on_while_its_file_is_replaced_closed_or_deleted() {
    type Disturb = fn(&Store, &Database);
    let disturb: [Disturb; 3] = [
        |_, database| database.compact().unwrap(),
        // Room for one open file only: the other database takes it.
        |store, _| drop(put(&store.database(&name("other")).unwrap(), "a", None, "{}")),
        |store, _| store.delete(&name("calls")).unwrap(),
    ];
    for disturb in disturb {
        let dir = tempfile::tempdir().unwrap();
        let options = || StoreOptions {
            open_databases: 1,
            // Next to no cache: what a reader sees next, it reads from the file.
            cache_bytes: 20_000,
            ..StoreOptions::default()
        };
        let store = Store::open_with(dir.path(), options()).unwrap();
        store.create(&name("other")).unwrap();
        let database = store.create(&name("calls")).unwrap();
        let body = format!(r#"{{"pad":"{}"}}"#, "p".repeat(1000));
        let edits = (0..200).map(|n| edit(&format!("doc{n}"), None, &body));
        update(&database, edits.collect());
        drop((store, database));
        let store = Store::open_with(dir.path(), options()).unwrap();
        let database = store.database(&name("calls")).unwrap();
        let scan = ChangesScan {
            since: 0,
            until: u64::MAX,
            descending: false,
            bodies: true,
            limit: usize::MAX,
        };
        let mut rows = 0;
        let mut look = |_: ChangeRow<'_>| {
            if rows == 0 {
                disturb(&store, &database);
            }
            rows += 1;
            ControlFlow::Continue(())
        };
        database.changes(&scan, &mut look).unwrap();
        assert_eq!(rows, 200);
    }
}

#[test]
fn a_change_keeps_the_age_that_it_came_with() {
    let (_dir, _store, database) = store();
    let aged = |id: &str, digest: &str, age_ms| {
        let Edit::Replicated(edit) = replica(id, 1, &[digest], false, "{}") else {
            unreachable!()
        };
        Edit::Replicated(ReplicatedEdit { age_ms, ..edit })
    };
    assert_eq!(database.oldest_after(0).unwrap(), None);
    // The oldest of a commit; one that changes nothing is not among them.
    update(
        &database,
        vec![
            aged("a", "one", 500),
            aged("a", "two", 9000),
            aged("a", "three", 70),
            aged("a", "one", 1 << 50),
        ],
    );
    update(&database, vec![aged("a", "two", 1 << 50), edit("b", None, "{}")]);
    let mut rows = Vec::new();
    let scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: false,
        limit: 9,
    };
    let mut look = |row: ChangeRow<'_>| {
        rows.push((row.seq, row.time_ms, row.age_ms));
        ControlFlow::Continue(())
    };
    database.changes(&scan, &mut look).unwrap();
    let [(3, first_ms, 9000), (4, second_ms, 0)] = rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(database.oldest_after(0).unwrap(), Some(first_ms - 9000));
    assert_eq!(database.oldest_after(2).unwrap(), Some(first_ms - 9000));
    assert_eq!(database.oldest_after(3).unwrap(), Some(second_ms));
    assert_eq!(database.oldest_after(4).unwrap(), None);
    // Older than time itself, for all that a peer says.
    update(&database, vec![aged("c", "one", u64::MAX)]);
    assert_eq!(database.oldest_after(4).unwrap(), Some(0));
    clean(&database);
}

#[test]
fn a_mirror_takes_only_what_is_replicated() {
    let (dir, store, database) = store();
    let first = put(&database, "a", None, "{}");
    assert!(!database.is_mirror().unwrap());
    database.set_mirror(true).unwrap();
    assert_eq!(
        one(&database, edit("a", Some(&first), "{}")),
        Err(Refused::Mirror)
    );
    assert_eq!(one(&database, edit("b", None, "{}")), Err(Refused::Mirror));
    database.compact().unwrap();
    drop((database, store));
    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    assert!(database.is_mirror().unwrap());
    assert_eq!(one(&database, deletion("a", Some(&first))), Err(Refused::Mirror));
    one(&database, replica("b", 1, &["one"], false, "{}")).unwrap();
    let local = LocalId::parse("x").unwrap();
    assert_eq!(database.put_local(&local, 0, Some("{}")).unwrap(), 1);
    database.set_revs_limit(7).unwrap();
    assert_eq!(
        database.purge(&[(id("b"), vec![rev("1-one")])]).unwrap(),
        [[rev("1-one")]]
    );
    database.set_mirror(false).unwrap();
    one(&database, edit("a", Some(&first), "{}")).unwrap();
    clean(&database);
}
