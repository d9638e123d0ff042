//! Edits while a pass runs.

use crate::edits::name;
use crate::shown::rows;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_query::Indexes;
use trunkline_query::design::Design;
use trunkline_store::{Batch, Durability, Store};
use trunkline_wire::design_doc;

#[test]
fn what_is_edited_during_a_pass_is_not_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let db = store.create(&name()).unwrap();
    let put = |number: u64, parent| {
        let edit = InteractiveEdit {
            id: DocId::parse(&format!("doc-{number}")).unwrap(),
            parent,
            deleted: false,
            body: Body::from_stored(format!("{{\"n\":{number},\"filler\":\"{}\"}}", "x".repeat(500))),
            attachments: Vec::new(),
        };
        let batch = Batch {
            edits: vec![Edit::Interactive(edit)],
            durability: Durability::Relaxed,
            ..Batch::default()
        };
        db.update(batch).unwrap().remove(0).unwrap().rev
    };
    const DOCS: u64 = 3000;
    let mut revs: Vec<_> = (0..DOCS).map(|number| put(number, None)).collect();
    let indexes = Indexes::default();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The documents that a pass comes to last move away from it.
            for number in (0..DOCS).rev().cycle() {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let rev = &mut revs[number as usize];
                *rev = put(number, Some(rev.clone()));
            }
        });
        let mut seen = Vec::new();
        for salt in 0..5 {
            let map = format!("function (doc) {{ /* {salt} */ emit(doc._id); }}");
            let body = serde_json::json!({"views": {"all": {"map": map}}});
            let design = Design::new(&design_doc::parse(&body.to_string()).unwrap());
            let index = indexes.index(&db, design).unwrap();
            index.update().unwrap();
            seen.push(rows(&index, "all", false).len() as u64);
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(seen, [DOCS; 5]);
    });
}
