//! Ranges of a view: a line of options, three of ids, three of keys (start, end, a row's). A row is in a range when the
//! order of keys and ids says so, and behind a group when it is neither in it nor before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cmp::Ordering;
use trunkline_core::collate::{Collation, sort_key_group_length};
use trunkline_core::json;
use trunkline_query::index::{Grouping, Rows};
use trunkline_query::view::Keys;

const VIEW: u16 = 3;

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (options, [start_id, end_id, id]) = (next(), [next(), next(), next()]);
    let [start, end, key] = [next(), next(), next()];
    if [start, end, key].iter().any(|key| json::validate(key.as_bytes()).is_err()) {
        return;
    }
    let is_set = |option: char| options.contains(option);
    let given = |option: char, text: &str| is_set(option).then(|| text.to_owned());
    let order = if is_set('r') { Collation::Raw } else { Collation::Unicode };
    let keys = Keys {
        start: given('s', start),
        start_id: given('i', start_id),
        end: given('e', end),
        end_id: given('j', end_id),
        exclusive_end: is_set('x'),
        descending: is_set('d'),
        ..Keys::default()
    };
    let sort_key = |key: &str| {
        let mut sort_key = Vec::new();
        order.sort_key(key, &mut sort_key).expect("a value has a key");
        sort_key
    };
    let mut rows = Rows::default();
    rows.push(VIEW, &sort_key(key), id, 7, key.as_bytes(), b"null");
    let row = rows.get(0).expect("it was pushed");
    assert_eq!(row.id(), id);

    // How the row lies to an end, in the direction of reading.
    let to = |end: &str, end_id: &Option<String>| {
        let by_id = end_id.as_ref().map_or(Ordering::Equal, |end_id| id.cmp(end_id));
        let order = order.compare(key, end).then(by_id);
        if keys.descending { order.reverse() } else { order }
    };
    let starts = !is_set('s') || to(start, &keys.start_id).is_ge();
    let to_end = to(end, &keys.end_id);
    let ends = !is_set('e') || to_end.is_lt() || to_end.is_eq() && !keys.exclusive_end;
    let mut places = keys.places(VIEW, order).expect("these are values");
    assert_eq!(places.range.contains(&row.place.to_vec()), starts && ends);

    let level = options.len() % 4 + 1;
    for grouping in [Grouping::Elements(level), Grouping::Keys] {
        let group = |key: &str| {
            let sort_key = sort_key(key);
            let length = match grouping {
                Grouping::Elements(level) => sort_key_group_length(&sort_key, level).expect("a whole key"),
                _ => sort_key.len(),
            };
            sort_key[..length].to_vec()
        };
        places.range = trunkline_query::index::whole(VIEW);
        places.go_on_behind_group(start, grouping, order).expect("a value has a key");
        let (of_row, passed) = (group(key), group(start));
        let behind = if keys.descending { of_row < passed } else { of_row > passed };
        assert_eq!(places.range.contains(&row.place.to_vec()), behind && of_row != passed, "{grouping:?}");
    }
});
