//! What can be asked, how rows are written, and what is refused.

use super::*;
use std::sync::Arc;
use trunkline_core::aggregate::Fold;

#[test]
fn all_that_can_be_asked() {
    let request = parse_aggregate(
        br#"{"selector":{"a":1},"limit":3,"skip":2,"use_index":"x","allow_fallback":false,"update":false,
        "execution_stats":true,"sort":[{"n":"desc"},"day","account.id"],
        "group":["account.id",{"field":"t","bucket":"day","unit":"gregorian","offset_minutes":-300,"as":"day"},
            {"field":"b","as":"c"},{"field":"t","bucket":900,"as":"quarter"}],
        "values":{"n":{"count":true},"with":{"count":"x"},"s":{"sum":"x"},"v":{"avg":"x"},"lo":{"min":"x"},
            "hi":{"max":"x"},"p95":{"percentile":"x","p":95},"d":{"count_distinct":"x"},
            "top":{"top":"x","n":2,"fields":["_id","y.z"]},"last":{"bottom":"x"}}}"#,
    )
    .unwrap();
    assert_eq!(
        (request.limit, request.skip, request.selector.as_str()),
        (3, 2, r#"{"a":1}"#)
    );
    assert!(!request.allow_fallback && !request.update && request.execution_stats);
    assert_eq!(request.use_index, ["x"]);
    let columns: Vec<_> = request.aggregate.columns().collect();
    let expected = [
        "account.id",
        "day",
        "c",
        "quarter",
        "n",
        "with",
        "s",
        "v",
        "lo",
        "hi",
        "p95",
        "d",
        "top",
        "last",
    ];
    assert_eq!(columns, expected);
    let mut fields: Vec<_> = request
        .aggregate
        .fields()
        .iter()
        .map(|field| field.name())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["_id", "account.id", "b", "t", "x", "y.z"]);
    let plain = parse_aggregate(br#"{"group":["a"]}"#).unwrap();
    assert_eq!((plain.selector.as_str(), plain.limit), ("{}", u64::MAX));
}

#[test]
fn rows_are_flat_objects() {
    let request = parse_aggregate(
        br#"{"group":["a",{"field":"t","bucket":"hour","as":"\"h\""}],"values":{"top":{"top":"x"}}}"#,
    );
    let aggregate = Arc::new(request.unwrap().aggregate);
    let mut fold = Fold::new(aggregate.clone());
    let fields: Vec<_> = aggregate.fields().iter().map(|field| field.name()).collect();
    assert_eq!(fields, ["a", "t", "x", "_id"]);
    fold.add_found("d", &[Some("\"x\""), Some("7200"), Some("5"), Some("\"d\"")]);
    let mut out = Vec::new();
    let row = fold.finish(0, 1).next().unwrap();
    write_row(aggregate.columns(), &row, &mut out);
    let expected = r#"{"a":"x","\"h\"":"1970-01-01T02:00:00Z","top":[{"_id":"d","x":5}]}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn what_is_refused_and_in_which_words() {
    for (text, word) in [
        ("{}", "missing_required_key"),
        ("[]", "bad_request"),
        (r#"{"groups":[]}"#, "invalid_key"),
        (r#"{"group":"a"}"#, "invalid_array"),
        (r#"{"group":[1]}"#, "invalid_group"),
        (r#"{"group":[{"as":"x"}]}"#, "invalid_group"),
        (
            r#"{"group":[{"field":"a","bucket":"fortnight"}]}"#,
            "invalid_group",
        ),
        (r#"{"group":[{"field":"a","bucket":0}]}"#, "invalid_group"),
        (r#"{"group":[{"field":"a","unit":"ms"}]}"#, "invalid_group"),
        (
            r#"{"group":[{"field":"a","bucket":"day","offset_minutes":5000}]}"#,
            "invalid_group",
        ),
        (
            r#"{"group":[{"field":"a","bucket":"day","offset_minutes":-2147483648}]}"#,
            "invalid_group",
        ),
        (r#"{"group":[{"field":"a","x":1}]}"#, "invalid_key"),
        (r#"{"group":["a..b"]}"#, "invalid_field_name"),
        (r#"{"group":["_attachments"]}"#, "invalid_field_name"),
        (r#"{"group":["a","a"]}"#, "invalid_aggregate"),
        (r#"{"values":[]}"#, "invalid_values"),
        (r#"{"values":{"x":1}}"#, "invalid_value"),
        (r#"{"values":{"x":{}}}"#, "invalid_value"),
        (r#"{"values":{"x":{"sum":true}}}"#, "invalid_value"),
        (r#"{"values":{"x":{"sum":"a","avg":"a"}}}"#, "invalid_value"),
        (r#"{"values":{"x":{"median":"a"}}}"#, "invalid_key"),
        (r#"{"values":{"x":{"percentile":"a"}}}"#, "invalid_value"),
        (
            r#"{"values":{"x":{"percentile":"a","p":101}}}"#,
            "invalid_aggregate",
        ),
        (r#"{"values":{"x":{"sum":"a","n":3}}}"#, "invalid_value"),
        (r#"{"values":{"x":{"top":"a","n":1000}}}"#, "invalid_aggregate"),
        (r#"{"group":["a"],"sort":["b"]}"#, "invalid_sort_field"),
        (r#"{"group":["a"],"sort":[{"a":"up"}]}"#, "invalid_sort_field"),
        (
            r#"{"group":["a"],"sort":[{"a":"asc","b":"asc"}]}"#,
            "invalid_sort_field",
        ),
        (r#"{"group":["a"],"limit":-1}"#, "invalid_non_neg_integer"),
    ] {
        let refusal = parse_aggregate(text.as_bytes()).unwrap_err();
        assert_eq!(refusal.word, word, "{text}: {}", refusal.reason);
    }
}
