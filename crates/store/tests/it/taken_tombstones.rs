//! Edits of documents that have ended, on behalf of one who may not see their end.

use crate::feeds::design;
use crate::support::*;
use crate::taken::{ANN, BOB, forbidden, told};
use std::sync::Arc;
use trunkline_core::doc::{Body, Edit, ReplicatedEdit, RevPath};
use trunkline_core::rev::{Digest, Rev};
use trunkline_store::{Asker, Candidate, Database, Refused, Seen, Want, WantRevs};

const FEED: &str = "billing/acme";

/// Ann sees what names her. She writes that, too, and ends it with or without a word.
fn ann(database: &Database, follows: bool) -> Database {
    database.on_behalf(Arc::new(Asker {
        sees: Some(Arc::new(|seen: &Seen<'_>| seen.body.contains("ann"))),
        tombstones_of: Vec::from_iter(follows.then(|| FEED.into())),
        takes: Some(Arc::new(|candidate: &Candidate<'_>| {
            let is_bare = |deleted: bool, body: &str| deleted && body == "{}";
            let is_own = candidate.old.is_none_or(|old| {
                let bare = is_bare(old.deleted, old.body.as_str()) && !candidate.foreign;
                bare || old.body.as_str().contains("ann")
            });
            let refused = |reason: &str| Err(Refused::Forbidden(reason.to_owned()));
            let ends = candidate.old.is_some() && is_bare(candidate.deleted, candidate.body);
            match is_own {
                false => refused("not yours"),
                true if ends || candidate.body.contains("ann") => Ok(()),
                true => refused("not for you"),
            }
        })),
        ..Asker::default()
    }))
}

fn end(database: &Database, id: &str, rev: &Rev) -> Rev {
    one(database, deletion(id, Some(rev))).unwrap().rev
}

/// The winner's revisions, newest first, and how many leaves are seen.
fn history(database: &Database, id: &str) -> (Vec<String>, usize) {
    let want = Want {
        id: id.into(),
        revs: WantRevs::All,
    };
    let found = database.bulk_get(&[want]).unwrap().remove(0).unwrap();
    let (winner, _) = found.revs.winner().unwrap();
    let path = found.revs.path(winner).unwrap();
    let revs = path.revs().map(|rev| rev.to_string()).collect();
    (revs, found.leaves.len())
}

#[test]
fn what_ended_unseen_begins_anew() {
    let (_dir, _store, database) = store();
    let ann = ann(&database, false);
    let bobs = put(&database, "bobs", None, BOB);
    end(&database, "bobs", &bobs);
    let fresh = put(&ann, "fresh", None, ANN);
    let taken = put(&ann, "bobs", None, ANN);
    assert_eq!((taken.generation, &taken.digest), (3, &fresh.digest));
    assert_eq!(history(&ann, "bobs"), (vec![taken.to_string()], 1));
    assert_eq!(history(&database, "bobs").1, 2, "the end of the other is kept");
    // Her end of it is above the other's, and seen; from there it goes on.
    let digests = vec![Digest::from_bytes(b"ff"), taken.digest];
    let ends = ReplicatedEdit {
        id: id("bobs"),
        path: RevPath::new(4, digests).unwrap(),
        deleted: true,
        body: Body::from_stored(ANN),
        attachments: Vec::new(),
        age_ms: 0,
    };
    one(&ann, Edit::Replicated(ends)).unwrap();
    assert!(ann.get("bobs", None).unwrap().unwrap().deleted);
    put(&ann, "bobs", None, ANN);
    assert_eq!(history(&ann, "bobs").0.len(), 3);
    // Her own that she ended without a word comes back as often as she likes, with the same contents, too.
    let mut own = put(&ann, "own", None, ANN);
    for _ in 0..3 {
        end(&ann, "own", &own);
        own = put(&ann, "own", None, ANN);
        assert_eq!(ann.get("own", None).unwrap().unwrap().rev, own);
    }
    clean(&database);
}

#[test]
fn who_names_revisions_of_what_ended_unseen_hears_the_same_of_true_and_false_ones() {
    let missing = || Err(Refused::MissingStub("a".into()));
    let not_yours = || forbidden("not yours");
    for (body, answers) in [
        ("{}", [Ok(()), forbidden("not for you"), missing(), Ok(())]),
        (BOB, [not_yours(), not_yours(), not_yours(), not_yours()]),
    ] {
        for digests in [["bb", "aa"], ["xx", "yy"]] {
            let (_dir, _store, database) = store();
            for (number, digests, deleted, body) in
                [(1, &["aa"][..], false, BOB), (2, &["bb", "aa"], true, body)]
            {
                one(&database, replica("bobs", number, digests, deleted, body)).unwrap();
            }
            let brought = |deleted, body| replica("bobs", 2, &digests, deleted, body);
            let edits = vec![
                brought(true, "{}"),
                brought(true, BOB),
                with(brought(false, ANN), vec![stub("a")]),
                brought(false, ANN),
            ];
            assert_eq!(
                told(update(&ann(&database, false), edits)),
                answers,
                "{body} {digests:?}"
            );
            clean(&database);
        }
    }
}

#[test]
fn her_replica_brings_an_end_and_what_comes_after_it() {
    let (_dir, _store, database) = store();
    let ann = ann(&database, false);
    for (number, digests, deleted, body) in [
        (1, &["aa"][..], false, ANN),
        (2, &["bb", "aa"], true, "{}"),
        (2, &["bb", "aa"], true, "{}"),
        (3, &["cc", "bb", "aa"], false, ANN),
    ] {
        let brought = replica("own", number, digests, deleted, body);
        assert_eq!(told(update(&ann, vec![brought])), [Ok(())]);
    }
    assert_eq!(
        (history(&ann, "own").0.len(), history(&database, "own").1),
        (3, 1)
    );
}

#[test]
fn who_follows_a_feed_goes_on_from_ends_in_it_and_from_no_others() {
    let (_dir, _store, database) = store();
    put(&database, "_design/billing", None, &design(ANN));
    database.build_feeds().unwrap();
    let ann = ann(&database, true);
    let own = put(&ann, "own", None, ANN);
    end(&ann, "own", &own);
    let back = put(&ann, "own", None, ANN);
    assert_eq!(history(&ann, "own").0.len(), 3);
    let at_once = vec![deletion("own", Some(&back)), edit("own", None, ANN)];
    assert_eq!(told(update(&ann, at_once)), [Ok(()), Ok(())]);
    assert_eq!(history(&ann, "own").0.len(), 5);
    for digests in [["bb", "aa"], ["xx", "yy"]] {
        one(&database, replica("bobs", 1, &["aa"], false, BOB)).unwrap();
        one(&database, replica("bobs", 2, &["bb", "aa"], true, "{}")).unwrap();
        let edits = vec![
            edit("bobs", None, ANN),
            replica("bobs", 2, &digests, true, "{}"),
            replica("bobs", 3, &["cc", digests[0], digests[1]], false, ANN),
        ];
        let answers = [(); 3].map(|()| forbidden("not yours"));
        assert_eq!(told(update(&ann, edits)), answers);
    }
    assert_eq!(history(&database, "bobs").1, 1);
    clean(&database);
}
