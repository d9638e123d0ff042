//! Documents: what is taken apart and written again reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::local_doc;

fuzz_target!(|bytes: &[u8]| {
    let _ = local_doc::parse(bytes);
    let Ok(doc) = document::parse(bytes) else { return };
    let Ok(path) = doc.path() else { return };
    let (Some(id), Some(rev)) = (&doc.id, path.rev()) else {
        return;
    };
    let pieces = Pieces {
        id,
        rev: &rev,
        deleted: doc.deleted,
        body: doc.body.as_str(),
        attachments: &[],
    };
    let mut text = Vec::new();
    document::write_replicated(&mut text, pieces, &path, &[]);
    let again = document::parse(&text).expect("what is written is a document");
    assert_eq!(again.path(), Ok(path));
    assert_eq!(
        (again.id, again.deleted, again.body),
        (doc.id, doc.deleted, doc.body)
    );
});
