//! Reads on behalf of someone: what is not seen was never there.

use crate::draw::Draw;
use crate::feeds::{design, read};
use crate::model::Model;
use crate::seen_answers::{Questions, answers};
use crate::support::*;
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_core::doc::{Body, Edit, ReplicatedEdit};
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::{Digest, Rev};
use trunkline_store::*;
use trunkline_testkit::seed::with_seeds;

pub(crate) fn who_sees(sees: impl Fn(&Seen<'_>) -> bool + Send + Sync + 'static) -> Arc<Asker> {
    Arc::new(Asker {
        sees: Some(Arc::new(sees)),
        ..Asker::default()
    })
}

const FEED: &str = "billing/acme";

/// Some leaves, the same whenever they are asked about, and none whose body is not the leaf's.
fn some(salt: u64, most: bool, follows: bool) -> Arc<Asker> {
    let sees = move |seen: &Seen<'_>| {
        if seen.id.starts_with("_design/") {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (salt, seen.id, seen.rev, seen.deleted).hash(&mut hasher);
        (seen.body, seen.attachments.len()).hash(&mut hasher);
        hasher.finish().is_multiple_of(4) ^ most
    };
    Arc::new(Asker {
        sees: Some(Arc::new(sees)),
        tombstones_of: Vec::from_iter(follows.then(|| FEED.into())),
        ..Asker::default()
    })
}

/// A database that only ever had what is seen of another.
fn copy(of: &Database, asker: &Asker, model: &Model, into: &Database) -> usize {
    let mut bare = 0;
    let mut in_feed = BTreeSet::new();
    if !asker.tombstones_of.is_empty() {
        in_feed.extend(read(of, FEED, 0).into_iter().map(|(id, _)| id));
    }
    let sees = asker.sees.as_ref().unwrap();
    let mut rows = Vec::new();
    let scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: false,
        limit: usize::MAX,
    };
    let mut each = |row: ChangeRow<'_>| {
        rows.push((
            row.id.to_owned(),
            row.leaves.map(|(rev, _)| rev).collect::<Vec<_>>(),
        ));
        ControlFlow::Continue(())
    };
    assert!(of.changes(&scan, &mut each).unwrap().done);
    for (id_text, leaves) in rows {
        let mut edits = Vec::new();
        for (place, rev) in leaves.iter().enumerate() {
            let mut leaf = of.get(&id_text, Some(rev)).unwrap().unwrap();
            let seen = Seen {
                id: &id_text,
                rev,
                deleted: leaf.deleted,
                body: leaf.body.as_str(),
                attachments: &leaf.attachments,
            };
            match sees(&seen) {
                true => {}
                false if leaf.deleted && in_feed.contains(&id_text) => {
                    bare += 1;
                    (leaf.body, leaf.attachments) = (Body::empty(), Vec::new());
                }
                false if place == 0 => break,
                false => continue,
            }
            let named = leaf.attachments.iter().map(|attachment| AttachmentEdit {
                name: attachment.name.clone(),
                content_type: Some(attachment.content_type.clone()),
                revpos: Some(attachment.revpos),
                source: AttachmentSource::Later(attachment.content.clone()),
            });
            edits.push(Edit::Replicated(ReplicatedEdit {
                id: id(&id_text),
                path: model.docs[&id_text].tree.path(rev).unwrap(),
                deleted: leaf.deleted,
                body: leaf.body.clone(),
                attachments: named.collect(),
                age_ms: 0,
            }));
        }
        assert!(update(into, edits).iter().all(Result::is_ok));
    }
    bare
}

fn questions(rng: &mut StdRng, model: &Model) -> Questions {
    let ids: Vec<String> = (0..9).map(|n| format!("doc{n}")).collect();
    let mut revs: Vec<Rev> = (1..5)
        .flat_map(|generation| {
            (b'a'..b'd').map(move |digest| Rev {
                generation,
                digest: Digest::from_bytes(&[digest]),
            })
        })
        .collect();
    revs.extend(model.docs.values().flat_map(|doc| doc.bodies.keys().cloned()));
    let edge = |rng: &mut StdRng| {
        let id = ids[rng.random_range(0..ids.len())].clone();
        rng.random_bool(0.7).then_some(id)
    };
    let scans = (0..12).map(|_| DocsScan {
        start: edge(rng),
        after_start: rng.random_bool(0.5),
        end: edge(rng),
        inclusive_end: rng.random_bool(0.5),
        descending: rng.random_bool(0.5),
        bodies: rng.random_bool(0.5),
        limit: if rng.random_bool(0.5) { 2 } else { usize::MAX },
    });
    let scans = scans.collect();
    let changes = (0..8).map(|place| (place, rng.random_bool(0.5), rng.random_range(1..9)));
    Questions {
        scans,
        changes: changes.collect(),
        revs,
        ids,
    }
}

#[test]
fn what_is_not_seen_was_never_there() {
    let mut bare = 0;
    with_seeds(6, |rng| {
        let (_dir, _store, database) = store();
        let mut model = Model::default();
        for step in 0..rng.random_range(10..60) {
            if step == 5 {
                let selector = design(r#"{"n":{"$lt":700}}"#);
                put(&database, "_design/billing", None, &selector);
                database.build_feeds().unwrap();
            }
            let batch = Draw {
                rng,
                database: &database,
                attachment_bytes_max: 1000,
            }
            .batch(&model);
            model.apply(&batch);
            database.update(batch).unwrap();
        }
        let asker = some(rng.random(), rng.random_bool(0.7), rng.random_bool(0.7));
        let (_other_dir, _other_store, other) = store();
        bare += copy(&database, &asker, &model, &other);
        let questions = questions(rng, &model);
        let expected = answers(&other, &questions);
        let scoped = database.on_behalf(asker);
        for handle in [&scoped, &scoped.pin().unwrap()] {
            for (told, expected) in answers(handle, &questions).iter().zip(&expected) {
                assert_eq!(told, expected);
            }
        }
        let all = database.on_behalf(who_sees(|_| true));
        assert_eq!(answers(&all, &questions), answers(&database, &questions));
    });
    assert!(bare > 0 || std::env::var_os("TRUNKLINE_SEED").is_some());
}

#[test]
fn a_chunk_ends_where_nothing_is_seen() {
    let (_dir, _store, database) = store();
    let body = format!(r#"{{"pad":"{}"}}"#, "p".repeat(SCAN_CHUNK_BYTES / 4));
    (0..9).for_each(|n| drop(put(&database, &format!("doc{n}"), None, &body)));
    put(&database, "last", None, "{}");
    let scoped = database.on_behalf(who_sees(|seen| seen.id == "last"));
    let mut scan = ChangesScan {
        since: 0,
        until: u64::MAX,
        descending: false,
        bodies: false,
        limit: 1,
    };
    let mut ids = Vec::new();
    let mut chunks = 0;
    loop {
        let end = scoped.changes(&scan, &mut |row| {
            ids.push(row.id.to_owned());
            ControlFlow::Continue(())
        });
        let end = end.unwrap();
        chunks += 1;
        let (Some(last), false) = (end.last, end.done) else {
            break;
        };
        scan.since = last;
    }
    assert_eq!(ids, ["last"]);
    assert!((3..10).contains(&chunks), "{chunks}");
    assert_eq!(scoped.count_changes(0).unwrap(), 1);
}
