//! Reducers by CouchDB's rules, and by property: rows may be split into blocks anywhere.

use super::*;
use proptest::prelude::*;

/// A block of rows whose keys are their numbers.
fn reduce<T: AsRef<str>>(reducer: Reducer, values: &[T]) -> Reduction {
    let mut reduction = Reduction::new(reducer);
    for (key, value) in values.iter().enumerate() {
        reduction.add(&key.to_string(), value.as_ref());
    }
    reduction
}

fn check(name: &str, values: &[&str], expected: &str) {
    let reducer = Reducer::parse(name).unwrap();
    assert_eq!(
        reduce(reducer, values).result().as_deref(),
        Ok(expected),
        "{name} {values:?}"
    );
}

fn reason(name: &str, values: &[&str]) -> String {
    let reducer = Reducer::parse(name).unwrap();
    reduce(reducer, values).result().unwrap_err().reason
}

#[test]
fn names_are_couchdbs() {
    assert_eq!(Reducer::parse("_top_1"), Some(Reducer::Top(1)));
    assert_eq!(Reducer::parse("_bottom_100"), Some(Reducer::Bottom(100)));
    for name in [
        "sum",
        "_summe",
        "_top_0",
        "_top_101",
        "_top_",
        "_top_+1",
        "_bottom_x",
        "_bottom",
        "function(){}",
    ] {
        assert_eq!(Reducer::parse(name), None, "{name}");
    }
}

#[test]
fn numbers_are_summed_up() {
    check("_sum", &[], "0");
    check("_sum", &["1", "2", "-4"], "-1");
    check("_sum", &["1.5", "1.5"], "3.0");
    check("_sum", &["1", "2.0"], "3.0");
    check(
        "_sum",
        &["9007199254740993", "9007199254740993"],
        "18014398509481986",
    );
    check(
        "_sum",
        &["99999999999999999999999999999999999999999", "1"],
        "100000000000000000000000000000000000000000",
    );
    check("_sum", &["1e300", "1"], "1e300");
}

#[test]
fn arrays_are_summed_up_place_by_place() {
    check("_sum", &["[1,2]", "[10,20,30]", "[100]"], "[111,22,30]");
    check("_sum", &["5", "[1,2]", "4"], "[10,2]");
    check("_sum", &["[]"], "[0]");
    check("_sum", &["[]", "3"], "[3]");
}

#[test]
fn objects_are_summed_up_member_by_member() {
    check("_sum", &[r#"{"b": 1, "a": "x"}"#], r#"{"b":1,"a":"x"}"#);
    check(
        "_sum",
        &[
            r#"{"a":1,"b":[1,2],"c":{"d":3},"g":1}"#,
            r#"{"g":1,"f":1,"c":{"e":5},"b":3,"a":2}"#,
        ],
        r#"{"a":3,"b":[4,2],"c":{"d":3,"e":5},"f":1,"g":2}"#,
    );
    check("_sum", &[r#"{"é\n":1}"#, r#"{"\u00e9\n":1}"#], r#"{"é\n":2}"#);
}

#[test]
fn what_does_not_add_up_is_an_error() {
    for values in [
        &["\"1\""][..],
        &["null"],
        &["1", "true"],
        &["[\"a\"]"],
        &["[1,2]", "[1,\"a\"]"],
        &["[1,[2]]", "[1,[2]]"],
        &["{\"a\":1}", "1"],
        &["{\"a\":\"x\"}", "{\"a\":\"x\"}"],
        &["{\"a\":{}}", "{\"a\":1}"],
        &["no json"],
    ] {
        assert!(
            reason("_sum", values).starts_with("The _sum function requires"),
            "{values:?}"
        );
    }
    let error = reduce(Reducer::Sum, &["1", "\"one\"", "null"])
        .result()
        .unwrap_err();
    assert_eq!(error.caused_by.as_deref(), Some("\"one\""));
    assert!(reason("_sum", &["1e308", "1e308"]).contains("too large"));
    let long = "9".repeat(crate::limits::INTEGER_DIGITS_MAX);
    assert!(reason("_sum", &[&long, &long]).contains("too large"));
    let huge = format!("{{\"{}\":1}}", "k".repeat(crate::limits::REDUCTION_BYTES_MAX));
    let error = reduce(Reducer::Sum, &[&huge]).result().unwrap_err();
    assert!(error.reason.starts_with("Reduce output must shrink more rapidly"));
    assert_eq!(error.caused_by, None);
}

#[test]
fn statistics_are_of_numbers_and_of_places() {
    check("_stats", &[], r#"{"sum":0,"count":0,"min":0,"max":0,"sumsqr":0}"#);
    check(
        "_stats",
        &["2", "3", "-4"],
        r#"{"sum":1,"count":3,"min":-4,"max":3,"sumsqr":29}"#,
    );
    check(
        "_stats",
        &["0.5", "2"],
        r#"{"sum":2.5,"count":2,"min":0.5,"max":2,"sumsqr":4.25}"#,
    );
    check(
        "_stats",
        &["[2,3]", "[7,-1]"],
        r#"[{"sum":9,"count":2,"min":2,"max":7,"sumsqr":53},{"sum":2,"count":2,"min":-1,"max":3,"sumsqr":10}]"#,
    );
    let counted = r#"{"x":null,"count":4,"sum":10,"min":1,"max":4,"sumsqr":30}"#;
    check(
        "_stats",
        &["5", counted],
        r#"{"sum":15,"count":5,"min":1,"max":5,"sumsqr":55}"#,
    );
    check(
        "_stats",
        &["10000000000000"],
        r#"{"sum":10000000000000,"count":1,"min":10000000000000,"max":10000000000000,"sumsqr":100000000000000000000000000}"#,
    );
}

#[test]
fn what_has_no_statistics_is_an_error() {
    let numbers = "The _stats function requires that map values be numbers or arrays of numbers, not ";
    for (values, expected) in [
        (&["\"a\""][..], format!("{numbers}'\"a\"'")),
        (&["[1]", "[1,2]"], format!("{numbers}'[1,2]'")),
        (&["1", "[1]"], format!("{numbers}'[1]'")),
        (
            &["{\"sum\":1}"],
            "user _stats input missing required field count ({\"sum\":1})".to_owned(),
        ),
        (
            &[r#"{"sum":1,"count":1,"min":"x","max":1,"sumsqr":1}"#],
            "non-numeric _stats input received for min: \"x\"".to_owned(),
        ),
    ] {
        assert_eq!(reason("_stats", values), expected, "{values:?}");
    }
}

#[test]
fn the_greatest_and_least_are_different_values_in_order() {
    check("_top_2", &["1", "3", "\"a\"", "3.0", "2"], "[\"a\",3]");
    check("_bottom_3", &["1", "3", "null", "1", "2"], "[null,1,2]");
    check("_top_3", &[], "[]");
}

#[test]
fn edges_are_values_of_rows() {
    check("_first", &["[1]", "2"], "[1]");
    check("_last", &["[1]", "2"], "2");
    check("_last", &[], "null");
    check("_count", &["\"a\"", "null"], "2");
}

#[test]
fn different_keys_are_counted_about_right() {
    for count in [0_u32, 1, 2, 10, 100, 1000, 3000, 10_000, 50_000] {
        let mut reduction = Reduction::new(Reducer::ApproxCountDistinct);
        for key in 0..count {
            reduction.add(&format!("[\"account\",{key}]"), "1");
            reduction.add(&format!("[\"account\", {key}.0]"), "1");
        }
        let estimate: f64 = reduction.result().unwrap().parse().unwrap();
        let off = (estimate - f64::from(count)).abs();
        assert!(off <= f64::from(count) * 0.05, "{estimate} of {count}");
    }
}

#[test]
fn other_bytes_are_no_state() {
    for reducer in [
        Reducer::Sum,
        Reducer::Count,
        Reducer::Stats,
        Reducer::ApproxCountDistinct,
        Reducer::Top(2),
        Reducer::Last,
    ] {
        for bytes in [
            &[][..],
            &[2],
            &[1],
            b"\x01[1]",
            b"\x00\xff",
            b"\x00[[",
            b"\x00\x03\x00\x00\xff\xff\x01",
        ] {
            assert_eq!(Reduction::decode(reducer, bytes), None, "{reducer:?} {bytes:?}");
        }
    }
}

/// Reduces blocks of rows that end where `cuts` tell, stores each, and merges them from the left or from the right.
fn in_blocks(reducer: Reducer, values: &[String], cuts: &[usize], from_left: bool) -> Reduction {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (values.len() + 1)).collect();
    ends.push(values.len());
    ends.sort_unstable();
    let mut from = 0;
    let mut blocks = Vec::new();
    for end in ends {
        let mut block = Reduction::new(reducer);
        for (key, value) in values.iter().enumerate().take(end).skip(from) {
            block.add(&key.to_string(), value);
        }
        let mut bytes = Vec::new();
        block.encode(&mut bytes);
        let stored = Reduction::decode(reducer, &bytes).unwrap();
        assert_eq!(stored, block);
        blocks.push(stored);
        from = end;
    }
    let merge = |mut a: Reduction, b: Reduction| {
        a.merge(&b);
        a
    };
    let empty = Reduction::new(reducer);
    if from_left {
        blocks.into_iter().fold(empty, merge)
    } else {
        blocks
            .into_iter()
            .rev()
            .fold(empty, |behind, block| merge(block, behind))
    }
}

fn same_in_blocks(values: &[String], cuts: &[usize], from_left: bool) {
    for name in [
        "_sum",
        "_count",
        "_stats",
        "_approx_count_distinct",
        "_top_3",
        "_bottom_2",
        "_first",
        "_last",
    ] {
        let reducer = Reducer::parse(name).unwrap();
        let blocks = in_blocks(reducer, values, cuts, from_left).result();
        let whole = reduce(reducer, values).result();
        if whole.is_ok() {
            assert_eq!(blocks, whole, "{name} {values:?} {cuts:?}");
        } else {
            assert!(blocks.is_err(), "{name} {values:?} {cuts:?}");
        }
    }
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..5)
}

fn integers() -> impl Strategy<Value = String> {
    prop_oneof!["-?[1-9][0-9]{0,3}", "-?[1-9][0-9]{0,60}", Just("0".to_owned())]
}

fn summable() -> impl Strategy<Value = String> {
    let arrays = |inner| {
        prop::collection::vec(inner, 0..4)
            .prop_map(|elements: Vec<String>| format!("[{}]", elements.join(",")))
    };
    let terms = prop_oneof![integers(), arrays(integers().boxed())].prop_recursive(3, 12, 3, |inner| {
        prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|members| {
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        })
    });
    prop_oneof![terms, arrays(integers().boxed())]
}

proptest! {
    #[test]
    fn integers_may_be_split_anywhere(values in prop::collection::vec(integers(), 0..20), cuts in cuts(), from_left: bool) {
        same_in_blocks(&values, &cuts, from_left);
    }

    #[test]
    fn arrays_may_be_split_anywhere(values in prop::collection::vec(prop::collection::vec(integers(), 2), 0..8), cuts in cuts(), from_left: bool) {
        let values: Vec<_> = values.iter().map(|places| format!("[{}]", places.join(","))).collect();
        same_in_blocks(&values, &cuts, from_left);
    }

    #[test]
    fn what_may_not_add_up_may_be_split_anywhere(values in prop::collection::vec(summable(), 0..4), cuts in cuts(), from_left: bool) {
        same_in_blocks(&values, &cuts, from_left);
    }

    #[test]
    fn objects_may_be_split_anywhere(
        values in prop::collection::vec(prop::collection::btree_map("[a-d]", integers(), 1..4), 0..6), cuts in cuts(), from_left: bool
    ) {
        let object = |members: &std::collections::BTreeMap<String, String>| {
            let members: Vec<_> = members.iter().rev().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let values: Vec<_> = values.iter().map(object).collect();
        same_in_blocks(&values, &cuts, from_left);
    }

    #[test]
    fn doubles_may_be_split_anywhere_but_for_rounding(numbers in prop::collection::vec(0.001..1e6_f64, 1..20), cuts in cuts(), from_left: bool) {
        let values: Vec<_> = numbers.iter().map(|number| format!("{number:?}")).collect();
        let sum: f64 = in_blocks(Reducer::Sum, &values, &cuts, from_left).result().unwrap().parse().unwrap();
        let exact: f64 = numbers.iter().sum();
        prop_assert!((sum - exact).abs() <= exact * 1e-12, "{} {}", sum, exact);
        let stats: serde_json::Value = serde_json::from_str(&in_blocks(Reducer::Stats, &values, &cuts, from_left).result().unwrap()).unwrap();
        let squares: f64 = numbers.iter().map(|number| number * number).sum();
        prop_assert!((stats["sumsqr"].as_f64().unwrap() - squares).abs() <= squares * 1e-12);
        prop_assert_eq!(stats["min"].as_f64(), numbers.iter().copied().reduce(f64::min));
        prop_assert_eq!(stats["count"].as_u64(), Some(numbers.len() as u64));
    }

    #[test]
    fn any_bytes_may_be_decoded(bytes: Vec<u8>) {
        for reducer in [Reducer::Sum, Reducer::Count, Reducer::Stats, Reducer::ApproxCountDistinct, Reducer::Top(3), Reducer::First] {
            let mut bytes = bytes.clone();
            if let Some(first) = bytes.first_mut() {
                *first &= 1;
            }
            if let Some(reduction) = Reduction::decode(reducer, &bytes) {
                let mut again = Vec::new();
                reduction.encode(&mut again);
                prop_assert_eq!(Reduction::decode(reducer, &again), Some(reduction));
            }
        }
    }
}
