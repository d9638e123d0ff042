//! Crashes at every write of the database file: nothing acknowledged is lost, and every invariant holds.

use crate::draw::Draw;
use crate::model::{Model, changes};
use crate::support::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trunkline_core::doc_id::LocalId;
use trunkline_store::{BackendSeam, Batch, Durability, Error, LocalWrite, Store, StoreOptions};
use trunkline_testkit::crash::Disk;
use trunkline_testkit::seed::with_seeds;

pub(crate) fn store_on(disk: &Disk, dir: &Path) -> Store {
    let disk = disk.clone();
    let options = StoreOptions {
        backend: Some(BackendSeam(Arc::new(move |_| Ok(disk.backend())))),
        ..StoreOptions::default()
    };
    Store::open_with(dir, options).unwrap()
}

/// A moment, what the database holds from then on at least, and whether that is on disk.
struct Acknowledged {
    moment: usize,
    model: Model,
    durable: bool,
}

#[test]
fn no_acknowledged_write_is_lost() {
    with_seeds(5, |rng| {
        let disk = Disk::default();
        let dir = tempfile::tempdir().unwrap();
        let store = store_on(&disk, dir.path());
        let database = store.create(&name("calls")).unwrap();
        let created = disk.moment();
        let mut acknowledged = vec![Acknowledged {
            moment: created,
            model: Model::default(),
            durable: true,
        }];
        let mut model = Model::default();
        let mut files = Files::of(dir.path());
        for _ in 0..12 {
            let mut batch = Draw {
                rng,
                database: &database,
                attachment_bytes_max: 40_000,
            }
            .batch(&model);
            let durable = batch.durability == Durability::Durable;
            let before = model.seq;
            model.apply(&batch);
            batch.local = Some(checkpoint(model.seq));
            database.update(batch).unwrap();
            files.note(&disk);
            if model.seq != before {
                acknowledged.push(Acknowledged {
                    moment: disk.moment(),
                    model: model.clone(),
                    durable,
                });
            }
        }
        store.close().unwrap();
        files.note(&disk);
        drop((store, database));
        let mut lots = StdRng::from_rng(rng);
        disk.crash_images(created, &mut lots, |moment, image| {
            files.restore(moment);
            verify(dir.path(), &acknowledged, moment, image)
        });
    });
}

/// A local document that says how far documents are.
fn checkpoint(seq: u64) -> LocalWrite {
    LocalWrite {
        id: LocalId::parse("checkpoint").unwrap(),
        number: seq,
        json: format!(r#"{{"seq":{seq}}}"#),
    }
}

/// Attachment files as they were after each step.
struct Files {
    attachments: PathBuf,
    /// Second names of all files that ever were.
    kept: tempfile::TempDir,
    steps: Vec<(usize, BTreeSet<PathBuf>)>,
}

impl Files {
    fn of(store: &Path) -> Files {
        Files {
            attachments: store.join("databases/calls/attachments"),
            kept: tempfile::tempdir_in(store).unwrap(),
            steps: vec![(0, BTreeSet::new())],
        }
    }

    fn note(&mut self, disk: &Disk) {
        let mut now = BTreeSet::new();
        let fans = std::fs::read_dir(&self.attachments).into_iter().flatten();
        for fan in fans
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
        {
            for file in std::fs::read_dir(fan.path()).unwrap() {
                let file = file.unwrap();
                // The flusher may be unlinking it.
                let _ = std::fs::hard_link(file.path(), self.kept.path().join(file.file_name()));
                now.insert(Path::new(&fan.file_name()).join(file.file_name()));
            }
        }
        now.retain(|name| self.kept.path().join(name.file_name().unwrap()).exists());
        // Asked last: a file that is unlinked meanwhile was there until then.
        self.steps.push((disk.moment(), now));
    }

    /// Puts back the files that a crash at a moment could have left: while a step runs, those before and after it.
    fn restore(&self, moment: usize) {
        let step = self.steps.partition_point(|(end, _)| *end < moment);
        let (end, after) = &self.steps[step.min(self.steps.len() - 1)];
        let before = self.steps[..step].last().filter(|_| *end != moment);
        let _ = std::fs::remove_dir_all(&self.attachments);
        for name in before.iter().flat_map(|(_, names)| names).chain(after) {
            let to = self.attachments.join(name);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            let _ = std::fs::hard_link(self.kept.path().join(name.file_name().unwrap()), to);
        }
    }
}

#[test]
fn a_relaxed_write_becomes_durable_by_itself() {
    let disk = Disk::default();
    let dir = tempfile::tempdir().unwrap();
    let store = store_on(&disk, dir.path());
    let database = store.create(&name("calls")).unwrap();
    // The first one is durable at once, and covers the seq of the second.
    for id in ["first", "a"] {
        let batch = Batch {
            edits: vec![edit(id, None, "{}")],
            durability: Durability::Relaxed,
            atomic: false,
            ..Batch::default()
        };
        database.update(batch).unwrap();
    }
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(elsewhere.path().join("databases/calls")).unwrap();
    // However slow the machine: it happens without anybody asking for it.
    loop {
        let copy = store_on(&Disk::with(disk.synced()), elsewhere.path());
        let copied = copy.database(&name("calls")).unwrap();
        if copied.get("a", None).unwrap().is_some() {
            clean(&copied);
            break;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_failing_disk_refuses_writes_and_loses_none() {
    let disk = Disk::default();
    let dir = tempfile::tempdir().unwrap();
    let store = store_on(&disk, dir.path());
    let database = store.create(&name("calls")).unwrap();
    put(&database, "before", None, "{}");
    disk.fail(true);
    let batch = Batch {
        edits: vec![edit("lost", None, "{}")],
        ..Batch::default()
    };
    assert!(matches!(database.update(batch), Err(Error::Io(..))));
    disk.fail(false);
    put(&database, "after", None, "{}");
    assert_eq!(database.info().unwrap().doc_count, 2);
    assert_eq!(database.get("lost", None).unwrap(), None);
    clean(&database);
}

#[test]
fn closing_makes_every_database_durable_even_where_one_fails() {
    let (sick, sound) = (Disk::default(), Disk::default());
    let dir = tempfile::tempdir().unwrap();
    let disks = (sick.clone(), sound.clone());
    let backend = BackendSeam(Arc::new(move |path: &Path| {
        // A new database's path does not have its name yet: the first one made is the sick one's.
        let first = path.to_string_lossy().contains("/sick/") || disks.0.moment() == 0;
        Ok(if first {
            disks.0.backend()
        } else {
            disks.1.backend()
        })
    }));
    let options = StoreOptions {
        backend: Some(backend),
        ..StoreOptions::default()
    };
    let store = Store::open_with(dir.path(), options).unwrap();
    for text in ["sick", "sound"] {
        let database = store.create(&name(text)).unwrap();
        for id in ["first", "a"] {
            let batch = Batch {
                edits: vec![edit(id, None, "{}")],
                durability: Durability::Relaxed,
                atomic: false,
                ..Batch::default()
            };
            database.update(batch).unwrap();
        }
        if text == "sick" {
            sick.fail(true);
        }
    }
    assert!(store.close().is_err());
    let copy = store_on(&Disk::with(sound.synced()), dir.path());
    assert!(
        copy.database(&name("sound"))
            .unwrap()
            .get("a", None)
            .unwrap()
            .is_some()
    );
}

/// A fault at each write and sync of a commit in turn, once or from there on: whatever was acknowledged is there, whatever
/// was refused is there whole or not at all, and the first write on a disk that works again works.
#[test]
fn a_fault_at_any_moment_loses_nothing_acknowledged() {
    for (count, durability) in [1, usize::MAX]
        .into_iter()
        .flat_map(|count| [(count, Durability::Durable), (count, Durability::Relaxed)])
    {
        for moment in 0.. {
            let disk = Disk::default();
            let dir = tempfile::tempdir().unwrap();
            let store = store_on(&disk, dir.path());
            let database = store.create(&name("calls")).unwrap();
            let long = format!(r#"{{"long":"{}"}}"#, "x".repeat(9000));
            let first = put(&database, "before", None, &long);
            one(&database, replica("before", 1, &["other"], false, &long)).unwrap();
            disk.fail_after(moment, count);
            let batch = Batch {
                edits: vec![edit("doubtful", None, &long), edit("before", Some(&first), "{}")],
                durability,
                local: Some(checkpoint(7)),
                ..Batch::default()
            };
            let answer = database
                .update(batch)
                .and_then(|outcomes| database.flush().map(|()| outcomes));
            let through = moment > 0 && !disk.has_failed() && count == 1;
            // A disk that is full or sick still answers what was asked of it before.
            assert_eq!(
                database
                    .get("before", Some(&rev("1-other")))
                    .unwrap()
                    .unwrap()
                    .rev,
                rev("1-other")
            );
            disk.fail(false);
            put(&database, "after", None, "{}");
            let doubtful = database.get("doubtful", None).unwrap().is_some();
            let whole = database.get("before", None).unwrap().unwrap().body.as_str() == "{}";
            let local = database.local(&checkpoint(7).id).unwrap().is_some();
            assert_eq!(
                (doubtful, doubtful),
                (whole, local),
                "half a batch after a fault at {moment}"
            );
            assert!(doubtful || answer.is_err(), "lost after a fault at {moment}");
            clean(&database);
            drop((database, store));
            let store = store_on(&disk, dir.path());
            let database = store.database(&name("calls")).unwrap();
            assert!(database.get("after", None).unwrap().is_some());
            assert_eq!(database.get("doubtful", None).unwrap().is_some(), doubtful);
            clean(&database);
            if through || (answer.is_ok() && moment > 20) {
                assert!(moment > 3, "a commit takes more than {moment} operations");
                break;
            }
        }
    }
}

fn verify(dir: &Path, acknowledged: &[Acknowledged], moment: usize, image: Vec<u8>) {
    let store = store_on(&Disk::with(image), dir);
    let database = store.database(&name("calls")).unwrap();
    let newest = changes(&database).last().map_or(0, |(seq, ..)| *seq);
    // Written with the documents, it is neither ahead of them nor behind.
    let local = database.local(&checkpoint(0).id).unwrap();
    let expected = checkpoint(newest);
    assert!(
        local == Some((expected.new_number(), expected.json)) || (local.is_none() && newest == 0),
        "{local:?} at {newest}"
    );
    let before = || acknowledged.iter().filter(|ack| ack.moment <= moment);
    let least = before().rfind(|ack| ack.durable).unwrap();
    assert!(
        newest >= least.model.seq,
        "seq {newest} after a crash at {moment}, but {} was acknowledged",
        least.model.seq
    );
    let held = acknowledged
        .iter()
        .find(|ack| ack.model.seq == newest)
        .expect("a state between two commits");
    held.model.assert_documents_equal(&database);
    // What readers saw before the crash, be it lost now, never names another change.
    let seen = before().next_back().unwrap().model.seq;
    assert!(
        database.last_seq().unwrap() >= seen,
        "seq {seen} is given out again"
    );
    clean(&database);
}
