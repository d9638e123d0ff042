//! The order by examples, by property, and sort keys against it.

use super::*;
use proptest::prelude::*;

/// CouchDB's documented order, and what its source adds.
const ASCENDING: &[&str] = &[
    "null",
    "false",
    "true",
    "-1e300",
    "-9007199254740993",
    "-9007199254740992",
    "-2",
    "-1.5",
    "0",
    "1e-300",
    "1",
    "1.5",
    "2",
    "10",
    "9007199254740992.0",
    "9007199254740993",
    "123456789012345678901234567890",
    "1e300",
    "\"\"",
    "\" \"",
    "\"_\"",
    "\"-\"",
    "\"@\"",
    "\"0\"",
    "\"10\"",
    "\"2\"",
    "\"a\"",
    "\"A\"",
    "\"\\u00e4\"",
    "\"aa\"",
    "\"b\"",
    "\"B\"",
    "\"ba\"",
    "\"bb\"",
    "\"z\"",
    "\"\u{3b1}\"",
    "[]",
    "[null]",
    "[\"a\"]",
    "[\"b\"]",
    "[\"b\",\"c\"]",
    "[\"b\",\"c\",\"a\"]",
    "[\"b\",\"d\"]",
    "[\"b\",\"d\",\"e\"]",
    "[[]]",
    "{}",
    "{\"a\":1}",
    "{\"a\":2}",
    "{\"b\":1}",
    "{\"b\":2}",
    "{\"b\":2,\"a\":1}",
    "{\"b\":2,\"c\":2}",
    "{\"b\":{}}",
];

fn check_ascending(collation: Collation, values: &[&str]) {
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(collation.compare(a, b), i.cmp(&j), "{a} {b}");
        }
    }
}

#[test]
fn values_are_in_couchdbs_order() {
    check_ascending(Collation::Unicode, ASCENDING);
}

#[test]
fn equal_values_may_be_spelled_differently() {
    for (a, b) in [
        ("1", "1.0"),
        ("100", "1e2"),
        ("0", "-0"),
        ("-0.0", "0"),
        ("\"a\"", "\"\\u0061\""),
        ("\"\u{e9}\"", "\"e\u{301}\""),
        ("[1,{\"a\":2}]", "[1.0,{\"\\u0061\":2e0}]"),
        ("1000000000000000000000", "1e21"),
    ] {
        assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
    }
}

#[test]
fn deep_values_are_compared() {
    let nested = |inner: &str| "[".repeat(512) + inner + &"]".repeat(512);
    assert_eq!(compare(&nested("1"), &nested("2")), Ordering::Less);
    assert_eq!(compare(&nested("1.0"), &nested("1")), Ordering::Equal);
}

/// Erlang's order of terms, by CouchDB's own example and what the types add.
const ASCENDING_RAW: &[&str] = &[
    "-123456789012345678901234567890",
    "-1",
    "0",
    "1",
    "2.5",
    "123456789012345678901234567890",
    "false",
    "null",
    "true",
    "{}",
    "{\"B\":1}",
    "{\"a\":1}",
    "{\"a\":2}",
    "{\"a\":{}}",
    "{\"a\":[]}",
    "{\"a\":\"\"}",
    "{\"b\":1}",
    "{\"b\":2}",
    "{\"b\":2,\"a\":1}",
    "{\"b\":2,\"c\":2}",
    "[]",
    "[1]",
    "[null]",
    "[{}]",
    "[[]]",
    "[\"a\"]",
    "[\"b\"]",
    "[\"b\",\"c\"]",
    "[\"b\",\"c\",\"a\"]",
    "[\"b\",\"d\"]",
    "[\"b\",\"d\",\"e\"]",
    "\"\"",
    "\"\\u0000\"",
    "\"\\u0000\\u0000\"",
    "\"\\u0001\"",
    "\"\\u0002\"",
    "\"A\"",
    "\"B\"",
    "\"a\"",
    "\"aa\"",
    "\"b\"",
    "\"ba\"",
    "\"bb\"",
    "\"\u{e9}\"",
];

fn key(collation: Collation, value: &str) -> Vec<u8> {
    let mut key = Vec::new();
    assert_eq!(collation.sort_key(value, &mut key), Ok(()), "{value}");
    key
}

/// The keys of two values compare as the values do.
fn check(a: &str, b: &str) {
    for collation in [Collation::Unicode, Collation::Raw] {
        let (key_a, key_b) = (key(collation, a), key(collation, b));
        let order = collation.compare(a, b);
        assert_eq!(
            key_a.cmp(&key_b),
            order,
            "{collation:?} {a} {b} {key_a:x?} {key_b:x?}"
        );
        assert!(
            order.is_eq() || !key_b.starts_with(&key_a),
            "{collation:?} {a} {b}"
        );
    }
}

/// A value's key ends where it says, whatever is behind.
fn check_length(value: &str) {
    for collation in [Collation::Unicode, Collation::Raw] {
        let mut key = key(collation, value);
        let length = key.len();
        for end in 0..length {
            assert_eq!(sort_key_length(&key[..end]), None, "{collation:?} {value} {end}");
        }
        key.extend([0, 1, 0xff]);
        assert_eq!(sort_key_length(&key), Some(length), "{collation:?} {value}");
    }
}

#[test]
fn raw_values_are_in_erlangs_order() {
    check_ascending(Collation::Raw, ASCENDING_RAW);
}

#[test]
fn raw_strings_are_equal_only_byte_for_byte() {
    assert_ne!(
        Collation::Raw.compare("\"\u{e9}\"", "\"e\u{301}\""),
        Ordering::Equal
    );
    assert_eq!(Collation::Raw.compare("\"a\"", "\"\\u0061\""), Ordering::Equal);
    assert_eq!(Collation::Raw.compare("[1.0,-0]", "[1,0]"), Ordering::Equal);
}

/// Every array and object of up to two of these, and those in arrays again.
#[test]
fn keys_of_small_values_sort_as_the_values() {
    let mut values: Vec<String> = ASCENDING
        .iter()
        .chain(ASCENDING_RAW)
        .map(|value| value.to_string())
        .collect();
    let parts = [
        "null",
        "true",
        "-1",
        "0",
        "1",
        "\"\"",
        "\"a\"",
        "\"\\u0000\"",
        "[]",
        "[0]",
        "{}",
        "{\"\":0}",
    ];
    for a in parts {
        values.extend([
            format!("[{a}]"),
            format!("[[{a}]]"),
            format!("{{\"\":{a}}}"),
            format!("{{\"a\":{a}}}"),
        ]);
        for b in parts {
            values.extend([
                format!("[{a},{b}]"),
                format!("[[{a}],{b}]"),
                format!("{{\"a\":{a},\"b\":{b}}}"),
            ]);
        }
    }
    for a in &values {
        check_length(a);
        values.iter().for_each(|b| check(a, b));
    }
}

/// All pairs of numbers near the places where their spelling in bytes changes.
#[test]
fn keys_of_numbers_sort_by_value() {
    let mut numbers = vec![
        "0".to_owned(),
        "-0".to_owned(),
        "0e9".to_owned(),
        "5e-324".to_owned(),
        "1.7976931348623157e308".to_owned(),
    ];
    for power in [0, 1, 6, 7, 8, 14, 31, 52, 53, 54, 63, 64, 69, 70, 71, 77] {
        let edge = 1_i128 << power;
        numbers.extend(
            (edge - 2..=edge + 2)
                .flat_map(|near| [near.to_string(), format!("{near}.0"), format!("{near}.5")]),
        );
        numbers.extend([-1_i32, 1].map(|sign| format!("{:e}", f64::powi(2.0, sign * power * 13))));
    }
    for digits in [36, 37, 38, 39, 40, 300, 308, 400, 1000] {
        numbers.extend([
            format!("1{}", "0".repeat(digits - 1)),
            "9".repeat(digits),
            format!("1{}1", "0".repeat(digits - 2)),
        ]);
    }
    for exact in [
        f64::powi(2.0, 121),
        f64::powi(2.0, 122),
        f64::powi(2.0, 123),
        f64::powi(2.0, 700),
        1e300,
    ] {
        numbers.extend([format!("{exact:.0}"), format!("{exact:e}")]);
    }
    numbers.extend(
        numbers
            .clone()
            .iter()
            .map(|number| format!("-{}", number.trim_start_matches('-'))),
    );
    let keys: Vec<_> = numbers
        .iter()
        .map(|number| key(Collation::Unicode, number))
        .collect();
    for (a, key_a) in numbers.iter().zip(&keys) {
        assert_eq!(sort_key_length(key_a), Some(key_a.len()), "{a}");
        for (b, key_b) in numbers.iter().zip(&keys) {
            assert_eq!(
                key_a.cmp(key_b),
                compare_numbers(a, b),
                "{a} {b} {key_a:x?} {key_b:x?}"
            );
        }
    }
}

#[test]
fn usual_numbers_have_short_keys() {
    let length = |number| key(Collation::Unicode, number).len();
    assert_eq!(
        ["0", "1", "-1", "127", "128", "1000"].map(length),
        [1, 2, 2, 2, 2, 3]
    );
    assert_eq!(
        ["1732190400", "1732190400123", "0.1", "19.99"].map(length),
        [6, 7, 9, 9]
    );
}

#[test]
fn what_is_no_value_has_no_key() {
    for text in ["", "nul", "[1", "[1}", "1 2", "{\"a\"}", "\"\\ud800\"", "1e999"] {
        let mut key = vec![7];
        assert!(Collation::Unicode.sort_key(text, &mut key).is_err(), "{text}");
        assert_eq!(key, [7], "{text}");
    }
    for bytes in [&[0][..], &[1], &[0xff, 0], &[0x70], &[0x30 - 14, 0], &[0x31, 0]] {
        assert_eq!(sort_key_length(bytes), None, "{bytes:?}");
    }
}

/// Stored keys are of no use with other tables: whoever updates the collator raises [`SORT_KEY_VERSION`] as well.
#[test]
fn sort_keys_are_those_of_their_version() {
    let lock = include_str!("../../../../Cargo.lock");
    let tables = "name = \"icu_collator_data\"\nversion = \"2.4.0\"";
    assert!(lock.contains(tables) && SORT_KEY_VERSION == 1);
    let expected =
        "70 602b2f2f47534551050e1420010e010e00 370d73f98380 60fa322c33014488010700 71602b010501dc0010 00 00";
    let mut bytes = key(
        Collation::Unicode,
        "[\"account-17\",1732190400,\"\u{65e5}\u{e9}\",{\"A\":null}]",
    );
    let hex: String = bytes.drain(..).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected.replace(' ', ""));
}

fn numbers() -> impl Strategy<Value = String> {
    let near = (52_u32..56, -3_i64..4, any::<bool>());
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (-300_i64..300).prop_map(|number| number.to_string()),
        near.prop_map(|(power, off, whole)| format!(
            "{}{}",
            (1_i64 << power) + off,
            if whole { "" } else { ".0" }
        )),
        "-?[1-9][0-9]{0,60}",
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        any::<f64>()
            .prop_filter("a number", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
    ]
}

fn strings() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        'a',
        'A',
        'b',
        'e',
        '\u{e9}',
        '\u{301}',
        '\u{327}',
        '\u{345}',
        '\u{df}',
        '\u{0}',
        '\u{1}',
        '\u{1f}',
        '\u{7f}',
        '\u{ad}',
        '\u{3b1}',
        '\u{65e5}',
        '\u{672c}',
        '\u{20000}',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        '\u{ac00}',
        '\u{e40}',
        '\u{e01}',
        '\u{6c}',
        '\u{b7}',
        '\u{1f600}',
        '\u{fffe}',
        '\u{ffff}',
        '\u{10ffff}',
        '\u{fdd0}',
        '\u{e000}',
        '\u{30ab}',
        '\u{3099}',
        '\u{30fc}',
    ]);
    let text = prop_oneof![
        "[a-c]{0,4}",
        "[ -~]{0,12}",
        prop::collection::vec(odd, 0..5).prop_map(String::from_iter),
        prop::collection::vec(any::<char>(), 0..4).prop_map(String::from_iter),
    ];
    (text, any::<bool>()).prop_map(|(text, escaped)| {
        if escaped {
            let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            return format!("\"{units}\"");
        }
        serde_json::to_string(&text).unwrap()
    })
}

fn values() -> impl Strategy<Value = String> {
    let literals = prop::sample::select(vec!["null", "false", "true"]).prop_map(str::to_owned);
    let scalars = prop_oneof![literals, numbers(), strings()];
    scalars.prop_recursive(4, 24, 4, |inner| {
        let members = prop::collection::vec((strings(), inner.clone()), 0..3);
        let arrays =
            prop::collection::vec(inner, 0..4).prop_map(|elements| format!("[{}]", elements.join(",")));
        let objects = members.prop_map(|members| {
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| format!("{key} : {value}"))
                .collect();
            format!("{{{}}}", members.join(", "))
        });
        prop_oneof![arrays, objects]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn keys_sort_as_values(a in values(), b in values()) {
        check_length(&a);
        check(&a, &b);
        check(&format!("[{a},{b}]"), &format!("[{b},{a}]"));
        check(&format!("[{a},1]"), &format!("[{a},{b}]"));
    }

    #[test]
    fn keys_of_strings_sort_as_strings(a in strings(), b in strings()) {
        check(&a, &b);
        check(&format!("{}{}", &a[..a.len() - 1], &b[1..]), &a);
    }

    #[test]
    fn keys_of_numbers_sort_as_numbers(a in numbers(), b in numbers()) {
        check_length(&a);
        check(&a, &b);
    }

    #[test]
    fn integers_and_doubles_are_compared_by_value(a: i64, b: i64, c in -1e18..1e18_f64) {
        prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
        let whole = c.trunc();
        prop_assert_eq!(compare(&a.to_string(), &format!("{whole:e}")), a.cmp(&(whole as i64)));
        prop_assert_eq!(compare(&format!("{c:e}"), &format!("{whole:.1}")), c.partial_cmp(&whole).unwrap());
        prop_assert_eq!(compare(&format!("{a}000000000000"), &format!("{b}000000000000")), a.cmp(&b));
    }
}
