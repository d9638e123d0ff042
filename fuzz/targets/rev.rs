//! Names from outside: revisions print as they read, and a good name stays good.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::db_name::DbName;
use trunkline_core::doc_id::{DocId, LocalId};
use trunkline_core::rev::Rev;

fuzz_target!(|text: &str| {
    if let Ok(rev) = Rev::parse(text) {
        let printed = rev.to_string();
        // Generation 0 belongs to local documents; its digests are not hexadecimal even when they look so.
        assert!(rev.generation == 0 || Rev::parse(&printed) == Ok(rev));
        assert!(
            printed
                .bytes()
                .all(|byte| matches!(byte, b'!'..=b'~') && byte != b'"' && byte != b'\\')
        );
    }
    let _ = DocId::parse(text).map(|id| assert_eq!(id.as_str(), text));
    let _ = LocalId::parse(text).map(|id| assert_eq!(id.as_str(), text));
    let _ = DbName::parse(text).map(|name| assert!(!name.as_str().contains('.')));
});
