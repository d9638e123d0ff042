//! Random documents, selectors and indexes: whatever index is chosen, what is found is what a scan finds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use trunkline_core::collate;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;
use trunkline_query::Indexes;
use trunkline_query::mango::{Catalog, Plan, Search, Shown, Source, Wanted};
use trunkline_store::{Batch, Database, Store};
use trunkline_testkit::seed::with_seeds;
use trunkline_wire::find::{Sort, add_index, parse_index};

const FIELDS: [&str; 4] = ["a", "b", "c.d", "_id"];

fn pick<'a, T>(random: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[random.random_range(0..from.len())]
}

fn value(random: &mut StdRng) -> Value {
    match random.random_range(0..8) {
        0..4 => json!(random.random_range(0..4)),
        4 | 5 => json!(pick(random, &["", "x", "X", "\u{e9}", "xy"])),
        6 => json!(pick(random, &[true, false])),
        _ => pick(random, &[json!(null), json!([1]), json!({ "k": 1 }), json!(1.5)]).clone(),
    }
}

fn write(db: &Database, id: &str, body: &str) {
    let edit = InteractiveEdit {
        id: DocId::parse(id).unwrap(),
        parent: None,
        deleted: false,
        body: Body::from_stored(body),
        attachments: Vec::new(),
    };
    let batch = Batch {
        edits: vec![Edit::Interactive(edit)],
        ..Batch::default()
    };
    db.update(batch).unwrap().remove(0).unwrap();
}

/// Documents by id, special members among the others.
fn documents(random: &mut StdRng, db: &Database) -> BTreeMap<String, Value> {
    let mut documents = BTreeMap::new();
    for number in 0..random.random_range(1..120) {
        let id = format!("{}{number}", pick(random, &["a", "A", "b"]));
        let mut doc = Map::new();
        for field in ["a", "b"] {
            if random.random_bool(0.8) {
                doc.insert(field.to_owned(), value(random));
            }
        }
        if random.random_bool(0.7) {
            doc.insert("c".to_owned(), json!({ "d": value(random) }));
        }
        write(db, &id, &Value::from(doc.clone()).to_string());
        doc.insert("_id".to_owned(), json!(id));
        documents.insert(id, doc.into());
    }
    documents
}

fn add_indexes(random: &mut StdRng, db: &Database) {
    for number in 0..random.random_range(0..5) {
        let mut fields: Vec<&str> = Vec::new();
        for _ in 0..random.random_range(1..4) {
            let field = *pick(random, &FIELDS);
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        let mut definition = json!({ "fields": fields });
        if random.random_bool(0.2) {
            definition["partial_filter_selector"] = json!({ "a": { "$gt": 1 } });
        }
        let asked = json!({ "index": definition }).to_string();
        let index = parse_index(asked.as_bytes()).unwrap();
        let body = add_index(("_design/i", None), "i", &index).unwrap().unwrap();
        write(db, &format!("_design/i{number}"), &body);
    }
}

fn condition(random: &mut StdRng) -> Value {
    let field = *pick(random, &FIELDS);
    let argument = |random: &mut StdRng| match field {
        "_id" if random.random_bool(0.9) => json!(pick(random, &["a1", "A5", "b2", "a", "B"])),
        _ => value(random),
    };
    let mut test = Map::new();
    for _ in 0..random.random_range(1..3) {
        let operator = *pick(
            random,
            &[
                "$eq", "$gt", "$gte", "$lt", "$lte", "$gt", "$lte", "$ne", "$in", "$exists",
            ],
        );
        let argument = match operator {
            "$in" => json!([argument(random), argument(random)]),
            "$exists" => json!(random.random_bool(0.7)),
            _ => argument(random),
        };
        test.insert(operator.to_owned(), argument);
    }
    json!({ field: test })
}

fn selector(random: &mut StdRng) -> Value {
    let mut conditions: Vec<Value> = (0..random.random_range(0..4))
        .map(|_| condition(random))
        .collect();
    if random.random_bool(0.2) {
        conditions.push(json!({ "$or": [condition(random), condition(random)] }));
    }
    if random.random_bool(0.1) {
        conditions.push(json!({ "$not": condition(random) }));
    }
    match conditions.len() {
        0 => json!({}),
        _ => json!({ "$and": conditions }),
    }
}

fn field<'a>(doc: &'a Value, name: &str) -> Option<&'a Value> {
    match name {
        "c.d" => doc.get("c")?.get("d"),
        name => doc.get(name),
    }
}

fn order(a: &Value, b: &Value, sort: &Sort) -> Ordering {
    let field = |doc, name: &str| field(doc, name).unwrap().to_string();
    let compare = |name: &String| collate::compare(&field(a, name), &field(b, name));
    let order = sort.fields.iter().map(compare).find(|order| order.is_ne());
    let order = order.unwrap_or(Ordering::Equal);
    if sort.descending { order.reverse() } else { order }
}

struct World<'a> {
    db: &'a Database,
    indexes: Indexes,
    catalog: Catalog,
    documents: BTreeMap<String, Value>,
}

impl World<'_> {
    fn search(&self, plan: &Plan, text: &str, fields: &[String], bookmark: Option<&str>) -> Search {
        let index = match &plan.source {
            Source::Documents(_) => None,
            Source::Index { index, .. } => {
                let index = self.indexes.index(self.db, (*index.design).clone()).unwrap();
                index.update().unwrap();
                Some(index)
            }
        };
        let shown = Shown::new(fields, false).unwrap();
        let selector = Selector::parse(text).unwrap();
        Search::new(self.db, index, selector, plan, shown, bookmark).unwrap()
    }

    fn check(&self, random: &mut StdRng) {
        let text = selector(random).to_string();
        let parsed = Selector::parse(&text).unwrap();
        let mut sort = Sort::default();
        if random.random_bool(0.4) {
            sort.fields.push((*pick(random, &["a", "b", "_id"])).to_owned());
            if random.random_bool(0.3) {
                sort.fields.push("c.d".to_owned());
            }
            sort.descending = random.random_bool(0.5);
        }
        let fields = pick(random, &["", "_id a", "_id a b", "_id c.d"]).split_whitespace();
        let fields: Vec<String> = fields.map(str::to_owned).collect();
        let named = [format!("i{}", random.random_range(0..3))];
        let use_index: &[String] = if random.random_bool(0.3) { &named } else { &[] };
        let wanted = Wanted {
            selector: &parsed,
            sort: &sort,
            fields: &fields,
            use_index,
            allow_fallback: true,
            partition: None,
        };
        let Ok(plan) = Plan::new(&self.catalog, &wanted) else {
            return;
        };
        let found = all(self.search(&plan, &text, &fields, None));
        let mut expected = self.expected(&parsed, &plan, &sort);
        let about = format!("{text} sorted by {sort:?} over {:?}", plan.source);
        for pair in found.windows(2) {
            let [a, b] = [&pair[0], &pair[1]].map(|doc| &self.documents[doc["_id"].as_str().unwrap()]);
            let by_id = matches!(plan.source, Source::Documents(_));
            assert!(
                !by_id || (a["_id"].as_str() < b["_id"].as_str()) != sort.descending,
                "{about}"
            );
            assert!(by_id || order(a, b, &sort).is_le(), "{about}");
        }
        let paged = self.paged(random, &plan, &text, &fields);
        assert_eq!(paged, found, "{about}");
        let mut found = found;
        found.sort_by_key(|doc| doc["_id"].to_string());
        for doc in &mut expected {
            if !fields.is_empty() {
                let object = doc.as_object_mut().unwrap();
                object.retain(|name, _| fields.iter().any(|field| field.split('.').next() == Some(name)));
            }
        }
        for doc in &mut found {
            doc.as_object_mut().unwrap().remove("_rev");
        }
        expected.sort_by_key(|doc| doc["_id"].to_string());
        assert_eq!(found, expected, "{about}");
    }

    /// What a scan finds.
    fn expected(&self, selector: &Selector, plan: &Plan, sort: &Sort) -> Vec<Value> {
        let partial = match &plan.source {
            Source::Index { index, .. } => index.definition.partial.clone(),
            Source::Documents(_) => None,
        };
        let partial = partial.map(|text| Selector::parse(&text).unwrap());
        let rev = Rev::parse("1-a").unwrap();
        let matches = |selector: &Selector, doc: &Value| {
            let body = Body::from_stored(doc.to_string());
            selector.matches(doc["_id"].as_str().unwrap(), &rev, false, &body, || {
                "{}".to_owned()
            })
        };
        let documents = self.documents.values().filter(|doc| {
            matches(selector, doc)
                && partial.as_ref().is_none_or(|partial| matches(partial, doc))
                && sort.fields.iter().all(|name| field(doc, name).is_some())
        });
        documents.cloned().collect()
    }

    fn paged(&self, random: &mut StdRng, plan: &Plan, text: &str, fields: &[String]) -> Vec<Value> {
        let limit = random.random_range(1..8);
        let mut found = Vec::new();
        let mut bookmark: Option<String> = None;
        loop {
            let mut search = self
                .search(plan, text, fields, bookmark.as_deref())
                .page(0, limit);
            let page = rest(&mut search);
            assert!(page.len() as u64 <= limit);
            let next = search.bookmark();
            assert_eq!(page.is_empty(), next == "nil");
            if page.is_empty() {
                return found;
            }
            found.extend(page);
            bookmark = Some(next);
        }
    }
}

fn all(mut search: Search) -> Vec<Value> {
    rest(&mut search)
}

fn rest(search: &mut Search) -> Vec<Value> {
    let mut found = Vec::new();
    while !search.is_done() {
        search
            .chunk(&mut |doc| found.push(serde_json::from_slice(doc).unwrap()))
            .unwrap();
    }
    found
}

#[test]
fn every_plan_finds_what_a_scan_finds() {
    with_seeds(12, |random| {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let documents = documents(random, &db);
        add_indexes(random, &db);
        let world = World {
            catalog: Catalog::read(&db).unwrap(),
            indexes: Indexes::default(),
            db: &db,
            documents,
        };
        for _ in 0..60 {
            world.check(random);
        }
    });
}

/// Which index is chosen, by its design document; none for all documents.
fn chosen(indexes: &[(&str, &[&str])], selector: &str, sort: &[&str], use_index: &[&str]) -> Option<String> {
    let mut catalog = Catalog::default();
    for (ddoc, fields) in indexes {
        let asked = json!({ "index": { "fields": fields } }).to_string();
        let index = parse_index(asked.as_bytes()).unwrap();
        catalog.add(
            ddoc,
            &add_index(("_design/i", None), "i", &index).unwrap().unwrap(),
        );
    }
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let plan = Plan::new(
        &catalog,
        &Wanted {
            selector: &Selector::parse(selector).unwrap(),
            sort: &Sort {
                fields: owned(sort),
                descending: false,
            },
            fields: &[],
            use_index: &owned(use_index),
            allow_fallback: true,
            partition: None,
        },
    );
    match plan.unwrap().source {
        Source::Documents(_) => None,
        Source::Index { index, .. } => Some(index.ddoc),
    }
}

#[test]
fn the_choice_is_couchdbs() {
    let both = r#"{"a":1,"b":{"$gt":2}}"#;
    let check = |indexes: &[(&str, &[&str])], selector, sort: &[&str], expected: Option<&str>| {
        assert_eq!(
            chosen(indexes, selector, sort, &[]).as_deref(),
            expected,
            "{indexes:?} {selector}"
        );
    };
    check(&[("x", &["a"]), ("y", &["a", "b"])], both, &[], Some("y"));
    check(
        &[("x", &["a", "b", "c"]), ("y", &["a", "b"])],
        r#"{"a":1,"b":2,"c":{"$ne":1}}"#,
        &[],
        Some("y"),
    );
    check(&[("y", &["a"]), ("x", &["b"])], both, &[], Some("x"));
    check(&[("x", &["a", "c"])], both, &[], None);
    check(&[("x", &["a"])], r#"{"$or":[{"a":1},{"a":2}]}"#, &[], Some("x"));
    check(&[("x", &["a"])], r#"{"$or":[{"a":1},{"b":2}]}"#, &[], None);
    check(&[("x", &["a"])], r#"{"a":{"$exists":false}}"#, &[], None);
    check(&[("x", &["a", "b"])], both, &["b"], Some("x"));
    check(&[("x", &["b", "a"]), ("w", &["a"])], both, &["b"], Some("x"));
    check(&[("x", &["a", "b"])], r#"{"a":1}"#, &["a", "b"], Some("x"));
    check(&[("x", &["a"])], "{}", &["a"], Some("x"));
    let named = chosen(&[("x", &["a"]), ("y", &["a", "b"])], both, &[], &["x"]);
    assert_eq!(named.as_deref(), Some("x"));
}
