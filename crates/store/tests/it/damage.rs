//! Planted damage is found.

use crate::support::*;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use trunkline_core::attachment::AttachmentSource;
use trunkline_store::Store;

type Named = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Numbered = TableDefinition<'static, &'static [u8; 8], &'static [u8]>;

/// Makes a database with a bit of everything, damages it with `plant`, and expects a complaint that has `complaint`.
fn check(complaint: &str, plant: impl FnOnce(&redb::WriteTransaction)) {
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
    let found = store.database(&name("calls")).unwrap().check().unwrap();
    assert!(
        found.iter().any(|line| line.contains(complaint)),
        "{found:?} lacks {complaint:?}"
    );
}

const BY_SEQ: Numbered = TableDefinition::new("by_seq");
const BODIES: Numbered = TableDefinition::new("bodies");
const DOCS: Named = TableDefinition::new("docs");
const META: Named = TableDefinition::new("meta");
const ATTACHMENTS: Named = TableDefinition::new("attachments");
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
