//! Selectors: a line of selector, then a document. What is taken matches the same after normalisation, and a document
//! that matches has the fields, and in the ranges, that indexes are chosen by.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::collate;
use trunkline_core::json::{self, JsonError};
use trunkline_core::rev::Rev;
use trunkline_core::selector::{FieldPath, Selector};

fuzz_target!(|text: &str| {
    let (selector, document) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(selector) = Selector::parse(selector) else {
        return;
    };
    let canonical = selector.canonical();
    let again = Selector::parse(&canonical).expect("a canonical selector is one");
    assert_eq!(again.canonical(), canonical);

    let Ok(body) = json::split_object::<JsonError>(document, |_, _| Ok(())) else {
        return;
    };
    let rev = Rev {
        generation: 1,
        digest: [7; 16].into(),
    };
    let judge = |selector: &Selector| selector.matches("an-id", &rev, false, &body, || document.to_owned());
    assert_eq!(judge(&again), judge(&selector));
    if !judge(&selector) {
        return;
    }
    let own = |field: &&str| !field.starts_with('_');
    let find = |field: &str| FieldPath::parse(field).ok()?.find(document);
    for (field, range) in selector.ranges().into_iter().filter(|(field, _)| own(field)) {
        let value = find(field).expect("a field with a range is there");
        let within = |limit: trunkline_core::selector::Limit<'_>, low: bool| {
            let order = collate::compare(limit.value, value);
            order.is_eq() && limit.inclusive || (if low { order.is_lt() } else { order.is_gt() })
        };
        assert!(range.low.is_none_or(|limit| within(limit, true)), "{field}");
        assert!(range.high.is_none_or(|limit| within(limit, false)), "{field}");
    }
    for field in selector.fields().into_iter().filter(own) {
        assert!(!selector.requires(field) || find(field).is_some(), "{field}");
    }
});
