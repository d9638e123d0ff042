//! Answers on behalf of someone are those of a database that has nothing else.

use crate::asked::{find, gather, walk};
use crate::support::*;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use trunkline_query::Indexes;
use trunkline_query::view::Keys;
use trunkline_store::Database;
use trunkline_testkit::seed::with_seeds;

fn body(random: &mut StdRng) -> Value {
    let owner = ["ann", "bob", "cid"][random.random_range(0..3)];
    let kind = ["in", "out", "lost"][random.random_range(0..3)];
    match random.random_range(0..12) {
        0 => Value::Null,
        1 => json!({ "owner": owner }),
        _ => json!({ "owner": owner, "kind": kind, "n": random.random_range(0..40) }),
    }
}

fn write(random: &mut StdRng, db: &Database, world: &mut BTreeMap<String, Value>, many: usize) {
    for _ in 0..many {
        let id = format!("call{:02}", random.random_range(0..60));
        let body = body(random);
        if body.is_null() && world.get(&id).is_none_or(Value::is_null) {
            continue;
        }
        assert!(put(db, &[(&id, body.clone())])[0].is_ok());
        world.insert(id, body);
    }
}

fn keys(random: &mut StdRng) -> Keys {
    let descending = random.random_bool(0.5);
    let mut ends = [r#"["in",5]"#, r#"["lost",3]"#, r#"["out",{}]"#, "25"].map(str::to_owned);
    ends.rotate_left(random.random_range(0..4));
    let [a, b, ..] = ends;
    let (low, high) = match trunkline_core::collate::compare(&a, &b).is_le() {
        true => (a, b),
        false => (b, a),
    };
    let (start, end) = if descending { (high, low) } else { (low, high) };
    Keys {
        start: random.random_bool(0.6).then_some(start),
        end: random.random_bool(0.6).then_some(end),
        descending,
        ..Keys::default()
    }
}

struct Two<'a> {
    /// As ann sees it, and what it is compared to.
    handles: [&'a Database; 2],
    indexes: [&'a Indexes; 2],
}

impl Two<'_> {
    fn views(&self, random: &mut StdRng) {
        let range = keys(random);
        let by_key: Option<&[&str]> =
            random
                .random_bool(0.3)
                .then_some(&[r#"["in",5]"#, "30", r#"["lost",7]"#]);
        let range = by_key.map_or(range, |_| Keys::default());
        let limit = [0, 1, 5, u64::MAX][random.random_range(0..4)];
        let page = (random.random_range(0..5), limit);
        let [ann, expected] = [0, 1].map(|which| {
            let asked = ("counted", &range, by_key);
            walk(self.handles[which], self.indexes[which], asked, page, true)
        });
        assert_eq!(ann.0, expected.0, "{range:?} {page:?}");
        assert!(ann.1.is_none() && expected.1.is_some());
    }

    fn finds(&self, random: &mut StdRng) {
        let selectors = [
            r#"{"n":{"$gt":10}}"#,
            r#"{"kind":"in","n":{"$lt":30}}"#,
            r#"{"owner":{"$gt":"b"}}"#,
            "{}",
            r#"{"kind":{"$gt":null}}"#,
        ];
        let selector = selectors[random.random_range(0..selectors.len())];
        let fields = [&["_id", "kind", "n"][..], &["_id", "n"], &["owner", "_id"]];
        let fields: Vec<String> = fields[random.random_range(0..3)]
            .iter()
            .map(|&field| field.to_owned())
            .collect();
        let index = ["kinds", "numbers"][random.random_range(0..2)].to_owned();
        let index: &[String] = if random.random_bool(0.5) { &[index] } else { &[] };
        let page = (
            random.random_range(0..3),
            [1, 7, u64::MAX][random.random_range(0..3)],
        );
        let asked = (selector, fields.as_slice(), index);
        let [ann, expected] = [0, 1].map(|which| find(self.handles[which], self.indexes[which], asked, page));
        assert_eq!(ann.0, expected.0, "{asked:?} {page:?}");
        assert!(ann.1.keys <= ann.1.docs);
    }

    fn aggregates(&self, random: &mut StdRng, update: bool) {
        let selector = [r#"{"n":{"$gt":10}}"#, r#"{"kind":"in","n":{"$gt":3}}"#, "{}"];
        let selector = selector[random.random_range(0..3)];
        let asked = format!(
            r#"{{"selector":{selector},"group":["kind"],"values":{{"c":{{"count":true}},"s":{{"sum":"n"}}}}}}"#
        );
        let index: &[String] = match random.random_bool(0.5) && selector != "{}" {
            true => &["numbers".to_owned()],
            false => &[],
        };
        let [ann, expected] =
            [0, 1].map(|which| gather(self.handles[which], self.indexes[which], &asked, index, update));
        assert_eq!(ann.0, expected.0, "{asked} {index:?}");
        assert!(ann.1.keys <= ann.1.docs);
    }
}

#[test]
fn what_is_answered_is_what_a_database_of_hers_alone_answers() {
    with_seeds(5, |random| {
        let (_dir, _store, db) = store();
        let (_other_dir, _other_store, other) = store();
        let (indexes, of_other) = (Indexes::default(), Indexes::default());
        define(&db);
        define(&other);
        let mut world = BTreeMap::new();
        write(random, &db, &mut world, 80);
        let ann = ann(&db);
        // Brought up to date through her handle, the indexes are of all.
        walk(&ann, &indexes, ("counted", &Keys::default(), None), (0, 1), true);
        write(random, &db, &mut world, 60);
        for (id, body) in &world {
            if body["owner"] == "ann" {
                assert!(put(&other, &[(id, body.clone())])[0].is_ok());
            }
        }
        let moment = indexes.pin(&ann, Vec::new()).unwrap();
        let two = |handle| Two {
            handles: [handle, &other],
            indexes: [&indexes, &of_other],
        };
        for round in 0..60 {
            two(&ann).views(random);
            two(&ann).finds(random);
            two(&ann).aggregates(random, round % 2 == 0);
        }
        assert!(!moment.is_whole());
        assert!(moment.get("_design/v", None).unwrap().is_none());
        let all = world.values().filter(|body| !body.is_null()).count();
        let (rows, counts) = walk(
            &db,
            &indexes,
            ("all", &Keys::default(), None),
            (0, u64::MAX),
            true,
        );
        assert!(rows.len() >= all && counts.unwrap().0 == rows.len() as u64);
    });
}
