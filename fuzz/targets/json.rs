//! JSON text: what is accepted is JSON, what JSON is refused is refused for a stated reason, and compacting changes
//! nothing but white space.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use trunkline_core::json::{self, JsonError};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = json::validate(bytes) else {
        let is_json =
            std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        assert!(!is_json || may_be_refused(bytes), "JSON is refused");
        return;
    };
    // Checks the syntax alone: neither depth nor the range of numbers.
    assert!(
        serde_json::from_str::<IgnoredAny>(text).is_ok(),
        "what is no JSON is accepted"
    );

    let mut compact = String::new();
    json::compact(text, &mut compact);
    let mut again = String::new();
    json::compact(&compact, &mut again);
    assert_eq!(compact, again);
    assert!(compact.len() <= text.len());

    let mut members = Vec::new();
    let object = json::members::<JsonError>(&compact, |key, value| {
        members.push((key.into_owned(), value.to_owned()));
        Ok(())
    });
    let mut elements = 0;
    let array = json::elements::<JsonError>(&compact, |_| {
        elements += 1;
        Ok(())
    });
    assert_eq!(object.is_ok(), compact.starts_with('{'));
    assert_eq!(array.is_ok(), compact.starts_with('['));

    let mut special = Vec::new();
    let body = json::split_object::<JsonError>(text, |key, value| {
        special.push((key.into_owned(), value.to_owned()));
        Ok(())
    });
    if let Ok(body) = body {
        assert!(json::validate(body.as_str().as_bytes()).is_ok());
        let mut seen = std::collections::HashSet::new();
        let checked = json::members::<JsonError>(body.as_str(), |key, _| {
            assert!(!key.starts_with('_') && seen.insert(key.into_owned()));
            Ok(())
        });
        assert_eq!(checked, Ok(()));
        let kept = members.iter().filter(|(key, _)| !key.starts_with('_'));
        assert!(kept.into_iter().all(|(key, _)| seen.contains(key)));
        assert!(special.iter().all(|(key, _)| key.starts_with('_')));
    }
});

// Halves of surrogate pairs, numbers no double or integer holds, and deep nesting are JSON that is not taken.
fn may_be_refused(bytes: &[u8]) -> bool {
    let depth = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let escapes = bytes.windows(2).any(|pair| pair == b"\\u");
    let exponents = bytes.iter().any(|byte| matches!(byte, b'e' | b'E'));
    depth > trunkline_core::limits::JSON_DEPTH_MAX || digits > 300 || escapes || exponents
}
