//! A database with a feed, random edits, and a model of what is in it; readers who come back to it now and then.

use crate::feeds::{design, read};
use crate::support::*;
use rand::Rng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;
use trunkline_store::{Batch, Database, Durability, Error, Leaf};
use trunkline_wire::document::{Pieces, is_selected};

const FEED: &str = "billing/acme";
const DESIGN: &str = "_design/billing";
const SELECTORS: [&str; 6] = [
    r#"{"kind":"a"}"#,
    r#"{"kind":{"$in":["a","b"]}}"#,
    r#"{"n":{"$lt":50}}"#,
    r#"{"n":{"$gte":30},"kind":"b"}"#,
    r#"{"_conflicts":{"$exists":true}}"#,
    "{}",
];

/// Whether a document is in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    In,
    Out,
    /// It depends on how far the feed was built when the document was deleted.
    Either,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    selector: Option<&'static str>,
    places: BTreeMap<String, Place>,
    readers: Vec<Reader>,
}

#[derive(Clone, Debug, Default)]
struct Reader {
    since: u64,
    copies: BTreeMap<String, (Rev, bool)>,
}

fn body(rng: &mut StdRng) -> String {
    let kind = ["a", "b", "c"][rng.random_range(0..3)];
    let pad = if rng.random_bool(0.1) { 5000 } else { 3 };
    format!(
        r#"{{"n":{},"kind":"{kind}","pad":"{}"}}"#,
        rng.random_range(0..100),
        "p".repeat(pad)
    )
}

impl World {
    /// One batch of edits, a purge, another selector, or a reader that reads.
    pub(crate) fn step(&mut self, rng: &mut StdRng, database: &Database) {
        match rng.random_range(0..20) {
            0..12 => self.edit(rng, database),
            12 => self.purge(rng, database),
            13 => self.declare(rng, database),
            14..17 => {
                database.build_feeds_a_little(rng.random_range(1..6)).unwrap();
            }
            _ => self.read(rng, database),
        }
        if database.feed(FEED).is_ok_and(|feed| feed.built) {
            self.built(database);
        }
    }

    fn edit(&mut self, rng: &mut StdRng, database: &Database) {
        let mut edits = Vec::new();
        for _ in 0..rng.random_range(1..5) {
            let id = format!("doc{}", rng.random_range(0..12));
            let winner = database.get(&id, None).unwrap();
            let rev = winner.as_ref().map(|leaf| leaf.rev.clone());
            let gone = rng.random_bool(0.2);
            edits.push(match rng.random_range(0..3) {
                0 => {
                    let digests: Vec<&str> = ["x", "y", "z"][rng.random_range(0..3)..].to_vec();
                    replica(&id, digests.len() as u64, &digests, gone, &body(rng))
                }
                1 if gone && rev.is_some() => deletion(&id, rev.as_ref()),
                _ => edit(&id, rev.as_ref(), &body(rng)),
            });
        }
        let batch = Batch {
            edits,
            durability: [Durability::Durable, Durability::Relaxed][rng.random_range(0..2)],
            atomic: rng.random_bool(0.2),
            local: None,
        };
        let ids: Vec<String> = (0..12).map(|n| format!("doc{n}")).collect();
        let seqs = |database: &Database| -> Vec<u64> {
            let seq = |id: &String| database.tree(id).unwrap().map_or(0, |tree| tree.seq);
            ids.iter().map(seq).collect()
        };
        let before = seqs(database);
        database.update(batch).unwrap();
        for ((id, before), after) in ids.iter().zip(before).zip(seqs(database)) {
            if before != after {
                self.edited(database, id);
            }
        }
    }

    fn purge(&mut self, rng: &mut StdRng, database: &Database) {
        let text = format!("doc{}", rng.random_range(0..12));
        let Some(leaf) = database.get(&text, None).unwrap() else {
            return;
        };
        database.purge(&[(id(&text), vec![leaf.rev])]).unwrap();
        if database.get(&text, None).unwrap().is_some() {
            self.edited(database, &text);
        } else {
            self.places.remove(&text);
            self.readers.iter_mut().for_each(|reader| {
                reader.copies.remove(&text);
            });
        }
    }

    /// Declares the feed anew, or not any more.
    fn declare(&mut self, rng: &mut StdRng, database: &Database) {
        let rev = database.get(DESIGN, None).unwrap();
        let selector = SELECTORS.get(rng.random_range(0..8)).copied();
        if selector == self.selector {
            return;
        }
        let parent = rev.filter(|leaf| !leaf.deleted).map(|leaf| leaf.rev);
        self.selector = selector;
        match selector {
            Some(selector) => drop(put(database, DESIGN, parent.as_ref(), &design(selector))),
            None => drop(one(database, deletion(DESIGN, parent.as_ref())).unwrap()),
        }
        let ids: Vec<String> = self.places.keys().cloned().collect();
        for id in ids {
            let takes = self.takes(database, &id);
            let place = self.places.get_mut(&id).unwrap();
            *place = match (*place, takes, database.get(&id, None).unwrap().unwrap().deleted) {
                (Place::In, true, _) => Place::In,
                (Place::In, false, true) if selector.is_some() => Place::In,
                (Place::Out, false, _) => Place::Out,
                _ => Place::Either,
            };
        }
        self.edited(database, DESIGN);
    }

    fn takes(&self, database: &Database, id: &str) -> bool {
        let Some(selector) = self.selector else {
            return false;
        };
        let Leaf {
            rev, deleted, body, ..
        } = database.get(id, None).unwrap().unwrap();
        let tree = database.tree(id).unwrap().unwrap().revs;
        let leaves = tree
            .leaves()
            .into_iter()
            .map(|(rev, state)| (rev.clone(), state.deleted));
        let doc = Pieces {
            id,
            rev: &rev,
            deleted,
            body: body.as_str(),
            attachments: &[],
        };
        is_selected(
            &Selector::parse(selector).unwrap(),
            doc,
            &leaves.collect::<Vec<_>>(),
        )
    }

    fn edited(&mut self, database: &Database, id: &str) {
        let Some(leaf) = database.get(id, None).unwrap() else {
            return;
        };
        let was = self.places.get(id).copied().unwrap_or(Place::Out);
        let place = match (self.takes(database, id), leaf.deleted && self.selector.is_some()) {
            (true, _) => Place::In,
            (false, true) => was,
            (false, false) => Place::Out,
        };
        self.places.insert(id.to_owned(), place);
    }

    /// The feed is built: what is in it is no question any more, but for documents deleted meanwhile.
    fn built(&mut self, database: &Database) {
        let ids: Vec<String> = self.places.keys().cloned().collect();
        for id in ids {
            let deleted = database.get(&id, None).unwrap().unwrap().deleted;
            match (self.takes(database, &id), deleted) {
                (true, _) => self.places.insert(id, Place::In),
                (false, false) => self.places.insert(id, Place::Out),
                (false, true) => continue,
            };
        }
        let rows = read(database, FEED, 0);
        assert!(rows.is_sorted_by_key(|(_, seq)| *seq));
        assert_eq!(database.count_feed(FEED, 0).unwrap(), rows.len() as u64);
        for (id, place) in &self.places {
            let is_in = rows.iter().any(|(row, _)| row == id);
            assert!(
                *place == Place::Either || (*place == Place::In) == is_in,
                "{id} is {place:?}"
            );
        }
        assert!(rows.iter().all(|(id, _)| self.places.contains_key(id)));
    }

    /// Somebody goes on from where he was: he has the newest of all that is in the feed, and no document that was deleted in
    /// it.
    fn read(&mut self, rng: &mut StdRng, database: &Database) {
        match database.build_feed(FEED) {
            Err(Error::FeedMissing(_)) => return assert_eq!(self.selector, None),
            built => built.unwrap(),
        }
        self.built(database);
        if self.readers.len() < 4 {
            self.readers.push(Reader::default());
        }
        let at = rng.random_range(0..self.readers.len());
        let reader = &mut self.readers[at];
        for (id, seq) in read(database, FEED, reader.since) {
            let leaf = database.get(&id, None).unwrap().unwrap();
            assert_eq!(leaf.seq, seq);
            reader.copies.insert(id, (leaf.rev, leaf.deleted));
        }
        reader.since = database.last_seq().unwrap();
        for (id, place) in &self.places {
            let leaf = database.get(id, None).unwrap().unwrap();
            let copy = reader.copies.get(id);
            match place {
                Place::In => assert_eq!(copy, Some(&(leaf.rev, leaf.deleted)), "{id}"),
                Place::Out | Place::Either => {}
            }
        }
    }
}
