//! Bodies of requests about many documents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::rev::Rev;
use trunkline_wire::{all_docs, bulk_docs, bulk_get, revs_diff};

fuzz_target!(|bytes: &[u8]| {
    let _ = bulk_docs::parse(bytes).map(|request| request.docs.len());
    let _ = (
        bulk_get::parse(bytes),
        all_docs::parse(bytes),
        all_docs::parse_queries(bytes),
    );
    if let Ok(rows) = revs_diff::parse(bytes) {
        let mut text = Vec::new();
        revs_diff::write_request(
            &mut text,
            rows.iter().map(|(id, revs)| (id.as_str(), revs.as_slice())),
        );
        // Generation 0 belongs to local documents, and does not always read as it prints.
        let generations = rows
            .iter()
            .flat_map(|(_, revs)| revs)
            .map(|rev: &Rev| rev.generation);
        let local = generations.min() == Some(0);
        assert!(local || revs_diff::parse(&text) == Ok(rows));
    }
});
