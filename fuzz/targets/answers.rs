//! What a peer answers to a replication.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_wire::{bulk_docs, bulk_get, fault, info, open_revs, replication_log, revs_diff};

fuzz_target!(|bytes: &[u8]| {
    let _ = (info::parse_welcome(bytes), info::parse_db(bytes));
    let _ = (info::parse_full_commit(bytes), info::parse_written(bytes));
    let _ = (
        bulk_docs::parse_response(bytes),
        bulk_get::parse_response(bytes),
        revs_diff::parse_response(bytes),
    );
    let _ = (
        open_revs::parse_response(bytes),
        open_revs::parse_item(bytes),
        fault::parse(bytes),
    );
    if let Ok(stored) = replication_log::parse(bytes) {
        let mut text = Vec::new();
        let newest = replication_log::Entry {
            session_id: "next".into(),
            start_last_seq: "0".into(),
            end_last_seq: "1".into(),
            ..Default::default()
        };
        let older = stored.history.iter().map(String::as_str);
        replication_log::write(&mut text, &newest, stored.source_refused, older);
        let next = replication_log::parse(&text).expect("what is written is a log");
        assert_eq!(&*next.log.session_id, "next");
    }
});
