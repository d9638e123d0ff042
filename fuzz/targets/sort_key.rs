//! Sort keys: of two lines, the keys compare as the values do, and each tells where it ends. Any bytes may be asked for
//! the length of a key. Keys of one group begin alike as far as the length of the group says, and no others do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_core::collate::{Collation, sort_key_group_length, sort_key_length};
use trunkline_core::json::{self, JsonError};

fuzz_target!(|bytes: &[u8]| {
    assert!(sort_key_length(bytes).is_none_or(|length| 0 < length && length <= bytes.len()));
    let Some((a, b)) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.split_once('\n'))
    else {
        return;
    };
    if json::validate(a.as_bytes()).is_err() || json::validate(b.as_bytes()).is_err() {
        return;
    }
    for collation in [Collation::Unicode, Collation::Raw] {
        let key = |value| {
            let mut key = Vec::new();
            collation.sort_key(value, &mut key).expect("a value has a key");
            key
        };
        let (mut key_a, key_b) = (key(a), key(b));
        let order = collation.compare(a, b);
        assert_eq!(key_a.cmp(&key_b), order, "{collation:?}");
        assert!(order.is_eq() || !key_b.starts_with(&key_a), "{collation:?}");
        for level in 1..3 {
            let group = |key: &[u8]| {
                let length = sort_key_group_length(key, level).expect("a whole key");
                key[..length].to_vec()
            };
            let same = collation.compare(&first(a, level), &first(b, level)).is_eq();
            assert_eq!(group(&key_a) == group(&key_b), same, "{collation:?} {level}");
        }
        let length = key_a.len();
        key_a.push(0);
        assert_eq!(sort_key_length(&key_a), Some(length), "{collation:?}");
    }
});

/// What a key is grouped by: all of it, or the first elements of an array.
fn first(key: &str, level: usize) -> String {
    if !key.trim_start().starts_with('[') {
        return key.to_owned();
    }
    let mut elements = Vec::new();
    json::elements(key, |element| {
        elements.push(element.to_owned());
        Ok::<_, JsonError>(())
    })
    .expect("an array");
    elements.truncate(level);
    format!("[{}]", elements.join(","))
}
