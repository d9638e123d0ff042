//! Selectors: a line of selector, then a document. What is taken matches the same after normalisation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::json::{self, JsonError};
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;

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
});
