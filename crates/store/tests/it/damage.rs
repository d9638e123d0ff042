//! Planted damage is found.

use crate::feeds::{design, read};
use crate::support::*;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::TempDir;
use trunkline_core::attachment::AttachmentSource;
use trunkline_store::{Database, Store};

type Named = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Numbered = TableDefinition<'static, &'static [u8; 8], &'static [u8]>;

/// Makes a database with a bit of everything, damages it with `plant`, and expects a complaint that has `complaint`.
fn check(complaint: &str, plant: impl FnOnce(&redb::WriteTransaction)) {
    drop(checked(complaint, plant));
}

fn checked(complaint: &str, plant: impl FnOnce(&redb::WriteTransaction)) -> (TempDir, Database) {
    let (dir, store, database) = store();
    let staged = AttachmentSource::Staged(stage(&database, b"hello"));
    let first = with(edit("a", None, r#"{"n":1}"#), vec![named("x", staged)]);
    one(&database, first).unwrap();
    one(&database, replica("b", 1, &["one"], false, "{}")).unwrap();
    one(&database, replica("b", 1, &["two"], false, "{}")).unwrap();
    let later = named("x", AttachmentSource::Later(content_of(b"to come")));
    one(
        &database,
        with(replica("c", 1, &["one"], false, "{}"), vec![later]),
    )
    .unwrap();
    clean(&database);
    drop((database, store));
    let file = dir.path().join("databases/calls/documents.redb");
    let redb = redb::Database::open(file).unwrap();
    let txn = redb.begin_write().unwrap();
    plant(&txn);
    txn.commit().unwrap();
    redb.begin_read().unwrap();
    drop(redb);
    let store = Store::open(dir.path()).unwrap();
    let database = store.database(&name("calls")).unwrap();
    let found = database.check().unwrap();
    assert!(
        found.iter().any(|line| line.contains(complaint)),
        "{found:?} lacks {complaint:?}"
    );
    (dir, database)
}

const BY_SEQ: Numbered = TableDefinition::new("by_seq");
const BODIES: Numbered = TableDefinition::new("bodies");
const DOCS: Named = TableDefinition::new("docs");
const META: Named = TableDefinition::new("meta");
const ATTACHMENTS: Named = TableDefinition::new("attachments");
const FEEDS: Named = TableDefinition::new("feeds");
const ABSENT: Named = TableDefinition::new("absent");

#[test]
fn rows_that_should_be_there() {
    check("document a: its docs row", |txn| {
        txn.open_table(BY_SEQ)
            .unwrap()
            .remove(&1u64.to_be_bytes())
            .unwrap();
    });
    check("document b: its docs row", |txn| {
        txn.open_table(BODIES).unwrap().retain(|_, _| false).unwrap();
    });
    check("has no row although", |txn| {
        txn.open_table(ATTACHMENTS).unwrap().retain(|_, _| false).unwrap();
    });
    check("is not listed", |txn| {
        txn.open_table(ABSENT).unwrap().retain(|_, _| false).unwrap();
    });
}

#[test]
fn rows_that_should_not_be_there() {
    check("rows that no document names", |txn| {
        txn.open_table(DOCS).unwrap().remove(b"a".as_slice()).unwrap();
    });
    check("no leaf names row 77", |txn| {
        txn.open_table(BODIES)
            .unwrap()
            .insert(&77u64.to_be_bytes(), [1, 0, b'{', b'}'].as_slice())
            .unwrap();
    });
    check("is listed although", |txn| {
        let stored = content_of(b"hello").hash;
        let mut table = txn.open_table(ABSENT).unwrap();
        table.insert(stored.as_slice(), [1].as_slice()).unwrap();
    });
}

#[test]
fn rows_that_say_something_else() {
    let flip_last = |txn: &redb::WriteTransaction, table: Named, key: &[u8]| {
        let mut table = txn.open_table(table).unwrap();
        let mut row = table.get(key).unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        table.insert(key, row.as_slice()).unwrap();
    };
    check("meta: file_content_bytes", |txn| flip_last(txn, META, b"state"));
    check("lists other leaves", |txn| flip_last(txn, DOCS, b"a"));
    check("missing or damaged", |txn| {
        flip_last(txn, ATTACHMENTS, &content_of(b"hello").hash);
    });
    check("not a JSON object", |txn| {
        let mut table = txn.open_table(BY_SEQ).unwrap();
        let key = 1u64.to_be_bytes();
        let mut row = table.get(&key).unwrap().unwrap().value().to_vec();
        row.pop();
        table.insert(&key, row.as_slice()).unwrap();
    });
}

#[test]
fn a_feed_that_is_damaged_is_declared_anew() {
    let (_dir, database) = checked("feeds: the row of billing/acme", |txn| {
        let mut table = txn.open_table(FEEDS).unwrap();
        table.insert(b"billing/acme".as_slice(), [77].as_slice()).unwrap();
        let rows = TableDefinition::<&[u8; 12], &[u8; 1]>::new("feed_rows");
        let mut rows = txn.open_table(rows).unwrap();
        rows.insert(&[0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2], &[1]).unwrap();
    });
    assert!(database.feed("billing/acme").is_err());
    put(&database, "_design/billing", None, &design(r#"{"n":1}"#));
    database.build_feed("billing/acme").unwrap();
    let rows = read(&database, "billing/acme", 0);
    assert_eq!(rows.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a"]);
}
