//! Each operator, with the corners that CouchDB's source decides.

use super::*;
use proptest::prelude::*;

const ATTACHED: &str =
    r#"{"_attachments":{"a.b":{"content_type":"audio/wav","length":7,"stub":true}},"_conflicts":["2-b"]}"#;

const DOC: &str = r#"{"name":"Ada","age":36,"big":9007199254740993,"tags":["a","b",1],"addr":{"city":"Köln","geo":[50,6.9]},
    "nil":null,"yes":true,"empty":[],"obj":{},"legs":[{"to":"+49","sec":10},{"to":"+44","sec":99}],"a.b":1,
    "e":"e\u0301","x":{"y":{"z":0}},"neg":-7}"#;

fn matches(selector: &str, body: &str) -> bool {
    let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
    let rev = Rev::parse("3-967a00dff5e02add41819138abb3284d").unwrap();
    selector.matches("doc:7", &rev, false, &Body::parse(body).unwrap(), || {
        ATTACHED.into()
    })
}

/// Each selector matches DOC.
#[track_caller]
fn check_match(selectors: &[&str]) {
    for selector in selectors {
        assert!(matches(selector, DOC), "{selector} should match");
    }
}

#[track_caller]
fn check_no_match(selectors: &[&str]) {
    for selector in selectors {
        assert!(!matches(selector, DOC), "{selector} should not match");
    }
}

#[test]
fn equality_is_implied_and_collated() {
    check_match(&[
        r#"{}"#,
        r#"{"name":"Ada"}"#,
        r#"{"name":{"$eq":"\u0041da"}}"#,
        r#"{"age":36.0}"#,
        r#"{"big":9007199254740993}"#,
        r#"{"nil":null}"#,
        r#"{"obj":{}}"#,
        r#"{"tags":["a","b",1]}"#,
        r#"{"addr":{"$eq":{"city":"Köln","geo":[50,6.9]}}}"#,
        r#"{"e":"é"}"#,
        r#"{"name":{"$ne":"ada"}}"#,
    ]);
    check_no_match(&[
        r#"{"name":"ada"}"#,
        r#"{"big":9007199254740992}"#,
        r#"{"age":"36"}"#,
        r#"{"tags":"a"}"#,
        r#"{"addr":{"$eq":{"geo":[50,6.9],"city":"Köln"}}}"#,
        r#"{"name":{}}"#,
        r#"{"age":{"$ne":3.6e1}}"#,
    ]);
}

#[test]
fn order_goes_by_kind_then_value() {
    check_match(&[
        r#"{"age":{"$gt":35,"$lt":37}}"#,
        r#"{"age":{"$gte":36,"$lte":36}}"#,
        r#"{"age":{"$gt":null}}"#,
        r#"{"age":{"$lt":"0"}}"#,
        r#"{"name":{"$gt":"ad","$lt":"adb"}}"#,
        r#"{"obj":{"$gt":[]}}"#,
        r#"{"yes":{"$gt":false,"$lt":0}}"#,
        r#"{"big":{"$gt":9007199254740992}}"#,
    ]);
    check_no_match(&[
        r#"{"age":{"$gt":36}}"#,
        r#"{"age":{"$gt":"0"}}"#,
        r#"{"nil":{"$gt":null}}"#,
    ]);
}

#[test]
fn missing_fields_fail_every_test_but_exists_false() {
    check_match(&[
        r#"{"none":{"$exists":false}}"#,
        r#"{"addr.zip":{"$exists":false}}"#,
        r#"{"$not":{"none":{"$exists":true}}}"#,
        r#"{"name":{"$exists":true}}"#,
        r#"{"nil":{"$exists":true}}"#,
    ]);
    check_no_match(&[
        r#"{"none":{"$ne":1}}"#,
        r#"{"none":{"$nin":[1]}}"#,
        r#"{"none":{"$not":{"$eq":1}}}"#,
        r#"{"none":{"$not":{"$type":"string"}}}"#,
        r#"{"$not":{"none":1}}"#,
        r#"{"none":null}"#,
        r#"{"none":{"$exists":true}}"#,
        r#"{"name":{"$exists":false}}"#,
        // A value that can have no fields is no missing field.
        r#"{"name.first":{"$exists":false}}"#,
        r#"{"tags.9":{"$exists":false}}"#,
    ]);
}

#[test]
fn combinations_follow_de_morgan() {
    check_match(&[
        r#"{"$and":[{"age":36},{"name":"Ada"}]}"#,
        r#"{"age":36,"name":"Ada","yes":true}"#,
        r#"{"$or":[{"age":1},{"name":"Ada"}]}"#,
        r#"{"$not":{"age":1}}"#,
        r#"{"$not":{"age":36,"name":"Bob"}}"#,
        r#"{"$nor":[{"age":1},{"name":"Bob"}]}"#,
        r#"{"$not":{"$nor":[{"age":36}]}}"#,
        r#"{"$not":{"$not":{"age":36}}}"#,
        r#"{"$not":{"$or":[{"age":{"$gt":40}},{"age":{"$lt":30}}]}}"#,
        r#"{"age":{"$or":[{"$lt":10},{"$gt":30}]}}"#,
        r#"{"age":{"$not":{"$in":[1,2]}}}"#,
        r#"{"$and":[]}"#,
        r#"{"$or":[]}"#,
        r#"{"$nor":[]}"#,
    ]);
    check_no_match(&[
        r#"{"$and":[{"age":36},{"name":"Bob"}]}"#,
        r#"{"$or":[{"age":1},{"name":"Bob"}]}"#,
        r#"{"$nor":[{"age":36},{"name":"Bob"}]}"#,
        r#"{"$not":{"age":36}}"#,
        r#"{"$and":[{}]}"#,
    ]);
}

#[test]
fn fields_nest_by_dots_and_objects() {
    check_match(&[
        r#"{"addr.city":"Köln"}"#,
        r#"{"addr":{"city":"Köln"}}"#,
        r#"{"addr":{"city":{"$gt":"K"},"geo.0":50}}"#,
        r#"{"x":{"y":{"z":{"$lte":0}}}}"#,
        r#"{"legs.1.sec":99}"#,
        r#"{"a\\.b":1}"#,
    ]);
    check_no_match(&[r#"{"a.b":1}"#, r#"{"legs.2.sec":99}"#, r#"{"legs.sec":99}"#]);
}

#[test]
fn lists_of_values() {
    check_match(&[
        r#"{"age":{"$in":[1,36.0]}}"#,
        r#"{"tags":{"$in":["z","b"]}}"#,
        r#"{"age":{"$nin":[1,2]}}"#,
        r#"{"tags":{"$nin":["z"]}}"#,
        r#"{"empty":{"$nin":["z"]}}"#,
        r#"{"age":{"$nin":[]}}"#,
        r#"{"tags":{"$all":["a",1]}}"#,
        r#"{"tags":{"$all":[["a","b",1]]}}"#,
        r#"{"legs":{"$all":[{"to":"+49","sec":10}]}}"#,
        r#"{"tags":{"$size":3}}"#,
        r#"{"empty":{"$size":0}}"#,
    ]);
    check_no_match(&[
        r#"{"age":{"$in":[]}}"#,
        r#"{"tags":{"$in":[["a","b",1]]}}"#,
        r#"{"empty":{"$in":[null]}}"#,
        r#"{"tags":{"$nin":["a"]}}"#,
        r#"{"tags":{"$all":["a","z"]}}"#,
        r#"{"tags":{"$all":[1.0]}}"#,
        r#"{"tags":{"$all":[]}}"#,
        r#"{"legs":{"$all":[{"sec":10,"to":"+49"}]}}"#,
        r#"{"name":{"$all":["Ada"]}}"#,
        r#"{"tags":{"$size":2}}"#,
        r#"{"name":{"$size":3}}"#,
        r#"{"obj":{"$size":0}}"#,
    ]);
}

#[test]
fn elements_and_keys() {
    check_match(&[
        r#"{"legs":{"$elemMatch":{"to":"+49","sec":{"$lt":50}}}}"#,
        r#"{"tags":{"$elemMatch":{"$eq":"b"}}}"#,
        r#"{"tags":{"$elemMatch":{"$gte":0,"$lt":2}}}"#,
        r#"{"legs":{"$elemMatch":{"$not":{"none":1}}}}"#,
        r#"{"legs":{"$elemMatch":{"$nor":[{"sec":99}]}}}"#,
        r#"{"legs":{"$allMatch":{"sec":{"$gte":10}}}}"#,
        r#"{"addr":{"$keyMapMatch":{"$eq":"city"}}}"#,
        r#"{"addr":{"$keyMapMatch":{"$beginsWith":"ge"}}}"#,
        r#"{"empty":{"$not":{"$elemMatch":{"$exists":true}}}}"#,
    ]);
    check_no_match(&[
        r#"{"legs":{"$elemMatch":{"to":"+49","sec":99}}}"#,
        r#"{"legs":{"$elemMatch":{"none":{"$ne":1}}}}"#,
        r#"{"legs":{"$allMatch":{"sec":10}}}"#,
        r#"{"empty":{"$allMatch":{"sec":10}}}"#,
        r#"{"name":{"$elemMatch":{"$eq":"Ada"}}}"#,
        r#"{"addr":{"$keyMapMatch":{"$eq":"zip"}}}"#,
        r#"{"obj":{"$keyMapMatch":{"$exists":true}}}"#,
        r#"{"tags":{"$keyMapMatch":{"$exists":true}}}"#,
    ]);
}

#[test]
fn kinds_numbers_and_patterns() {
    check_match(&[
        r#"{"nil":{"$type":"null"},"yes":{"$type":"boolean"},"age":{"$type":"number"},"name":{"$type":"string"},
            "tags":{"$type":"array"},"obj":{"$type":"object"}}"#,
        r#"{"age":{"$mod":[5,1]}}"#,
        r#"{"neg":{"$mod":[4,-3]}}"#,
        r#"{"big":{"$mod":[10,3]}}"#,
        r#"{"name":{"$regex":"^A.a$"}}"#,
        r#"{"name":{"$regex":"d"}}"#,
        r#"{"name":{"$beginsWith":"Ad"}}"#,
        r#"{"age":{"$not":{"$regex":"3"}}}"#,
    ]);
    check_no_match(&[
        r#"{"age":{"$type":"integer"}}"#,
        r#"{"addr.geo.1":{"$mod":[1,0]}}"#,
        r#"{"age":{"$mod":[5,2]}}"#,
        r#"{"age":{"$regex":"36"}}"#,
        r#"{"name":{"$regex":"^d"}}"#,
        r#"{"name":{"$beginsWith":"ad"}}"#,
        r#"{"age":{"$beginsWith":""}}"#,
    ]);
}

#[test]
fn special_members_are_fields() {
    check_match(&[
        r#"{"_id":"doc:7"}"#,
        r#"{"_id":{"$gt":null}}"#,
        r#"{"_id":{"$gt":"Doc","$lt":"docz"}}"#,
        r#"{"_id":{"$gt":"Z"}}"#,
        r#"{"_rev":{"$beginsWith":"3-967a"}}"#,
        r#"{"_deleted":{"$exists":false}}"#,
        r#"{"_id":{"$regex":"^doc:"}}"#,
    ]);
    check_no_match(&[r#"{"_deleted":true}"#, r#"{"_id":{"$lt":"Z"}}"#]);
    // What a replicator writes into its documents is part of their bodies.
    let selector = Selector::parse(r#"{"_replication_state":"completed"}"#).unwrap();
    let body = Body::from_stored(r#"{"_replication_state":"completed"}"#);
    let rev = Rev::parse("1-a").unwrap();
    assert!(selector.matches("x", &rev, false, &body, || unreachable!()));
    let deleted = Selector::parse(r#"{"_deleted":true}"#).unwrap();
    assert!(deleted.matches("x", &rev, true, &Body::empty(), || unreachable!()));
}

#[test]
fn attachments_and_conflicts_are_fields() {
    check_match(&[
        r#"{"_attachments":{"$exists":true}}"#,
        r#"{"_attachments":{"a\\.b":{"content_type":"audio/wav"}}}"#,
        r#"{"_attachments.a\\.b.length":{"$gt":6}}"#,
        r#"{"_attachments":{"$keyMapMatch":{"$eq":"a.b"}}}"#,
        r#"{"_attachments.c":{"$exists":false}}"#,
        r#"{"_conflicts":["2-b"]}"#,
        r#"{"$or":[{"name":"Bob"},{"$not":{"_conflicts":{"$size":2}}}]}"#,
    ]);
    check_no_match(&[
        r#"{"_attachments":{"$exists":false}}"#,
        r#"{"_attachments.a\\.b.stub":false}"#,
        r#"{"_attachments.a.b":{"$exists":true}}"#,
        r#"{"legs":{"$elemMatch":{"_attachments":{"$exists":true}}}}"#,
    ]);
    let rev = Rev::parse("1-a").unwrap();
    let none =
        Selector::parse(r#"{"_attachments":{"$exists":false},"_conflicts":{"$exists":false}}"#).unwrap();
    assert!(none.matches("x", &rev, false, &Body::empty(), || "{}".into()));
    // Fields of elements are not the document's.
    let inner = Selector::parse(r#"{"legs":{"$elemMatch":{"_attachments":1}}}"#).unwrap();
    let legs = Body::from_stored(r#"{"legs":[{"_attachments":1}]}"#);
    assert!(inner.matches("x", &rev, false, &legs, || unreachable!()));
}

#[test]
fn invalid_selectors_are_refused_with_couchdbs_reasons() {
    for (selector, reason) in [
        (r#"{"a":{"$foo":1}}"#, "Invalid operator: $foo"),
        (r#"{"$text":"x"}"#, "Unsupported operator: $text"),
        (r#"{"a":{"$where":1}}"#, "Unsupported operator: $where"),
        (r#"{"$and":1}"#, "Bad argument for operator $and: 1"),
        (r#"{"$or":{}}"#, "Bad argument for operator $or: {}"),
        (r#"{"$nor":null}"#, "Bad argument for operator $nor: null"),
        (r#"{"$not":[]}"#, "Bad argument for operator $not: []"),
        (r#"{"a":{"$in":1}}"#, "Bad argument for operator $in: 1"),
        (r#"{"a":{"$nin":{}}}"#, "Bad argument for operator $nin: {}"),
        (r#"{"a":{"$all":"x"}}"#, "Bad argument for operator $all: \"x\""),
        (r#"{"a":{"$exists":1}}"#, "Bad argument for operator $exists: 1"),
        (r#"{"a":{"$type":1}}"#, "Bad argument for operator $type: 1"),
        (r#"{"a":{"$mod":[1]}}"#, "Bad argument for operator $mod: [1]"),
        (r#"{"a":{"$mod":[0,0]}}"#, "Bad argument for operator $mod: [0,0]"),
        (
            r#"{"a":{"$mod":[1.5,0]}}"#,
            "Bad argument for operator $mod: [1.5,0]",
        ),
        (r#"{"a":{"$size":-1}}"#, "Bad argument for operator $size: -1"),
        (
            r#"{"a":{"$regex":"("}}"#,
            "Bad argument for operator $regex: \"(\"",
        ),
        (
            r#"{"a":{"$beginsWith":1}}"#,
            "Bad argument for operator $beginsWith: 1",
        ),
        (
            r#"{"a":{"$elemMatch":1}}"#,
            "Bad argument for operator $elemMatch: 1",
        ),
        (
            r#"{"a":{"$allMatch":[]}}"#,
            "Bad argument for operator $allMatch: []",
        ),
        (
            r#"{"a":{"$keyMapMatch":""}}"#,
            "Bad argument for operator $keyMapMatch: \"\"",
        ),
        (r#"{"$gt":1}"#, "One or more conditions is missing a field name."),
        (r#"{"a..b":1}"#, "Invalid field name: a..b"),
        ("[1]", "Selector must be a JSON object, not: [1]"),
        ("{", "Selector must be a JSON object, not: not JSON at byte 1"),
    ] {
        assert_eq!(
            Selector::parse(selector).unwrap_err().to_string(),
            reason,
            "{selector}"
        );
    }
    let deep = format!("{}1{}", "{\"$not\":{\"a\":".repeat(100), "}}".repeat(100));
    assert_eq!(Selector::parse(&deep).unwrap_err(), InvalidSelector::TooDeep);
}

#[test]
fn what_would_take_much_more_memory_than_its_text_is_refused() {
    let check = |selector: &str| {
        let refused = Selector::parse(selector).unwrap_err();
        assert_eq!(refused, InvalidSelector::TooLarge, "{:.60}", selector);
    };
    // Each test carries the whole path of its field.
    let fields: Vec<String> = (0..10_000).map(|n| format!("\"{n}\":1")).collect();
    check(&format!(
        "{{\"{}\":{{{}}}}}",
        "x".repeat(100_000),
        fields.join(",")
    ));
    let tests = vec!["{\"a\":1}"; 100_000].join(",");
    check(&format!("{{\"$or\":[{tests}]}}"));
    // A pattern of a few bytes may be compiled to millions.
    assert!(Selector::parse(r#"{"a":{"$regex":"\\w{500}"}}"#).is_err());
    let patterns = vec![r#"{"a":{"$regex":"x"}}"#; 101].join(",");
    check(&format!("{{\"$or\":[{patterns}]}}"));
    let items = vec!["1"; crate::limits::REQUEST_ITEMS_MAX + 1].join(",");
    for operator in ["$in", "$nin", "$all"] {
        check(&format!("{{\"a\":{{\"{operator}\":[{items}]}}}}"));
    }
    // What people write is far below.
    let prefixes: Vec<String> = (0..100)
        .map(|n| format!("{{\"to\":{{\"$regex\":\"^\\\\+{n}[0-9]{{3,12}}(;ext=.*)?$\"}}}}"))
        .collect();
    assert!(Selector::parse(&format!("{{\"$or\":[{}]}}", prefixes.join(","))).is_ok());
    let ids: Vec<String> = (0..10_000).map(|n| format!("{{\"_id\":\"call-{n}\"}}")).collect();
    assert!(Selector::parse(&format!("{{\"$or\":[{}]}}", ids.join(","))).is_ok());
}

#[test]
fn the_normal_form_is_couchdbs() {
    for (selector, canonical) in [
        (r#"{}"#, r#"{"$and":[]}"#),
        (r#"{"$or":[{"$nor":[]}]}"#, r#"{"$or":[{"$and":[]}]}"#),
        (r#"{ "a" : 1 }"#, r#"{"a":{"$eq":1}}"#),
        (
            r#"{"b":2,"a":1}"#,
            r#"{"$and":[{"a":{"$eq":1}},{"b":{"$eq":2}}]}"#,
        ),
        (
            r#"{"foo":{"$and":[{"$gt":5},{"$lt":10}]}}"#,
            r#"{"$and":[{"foo":{"$gt":5}},{"foo":{"$lt":10}}]}"#,
        ),
        (r#"{"foo":{"bar":{"$gt":10}}}"#, r#"{"foo.bar":{"$gt":10}}"#),
        (r#"{"$not":{"foo":{"$gt":10}}}"#, r#"{"foo":{"$lte":10}}"#),
        (
            r#"{"$not":{"$and":[{"foo":{"$gt":10}},{"foo":{"$lt":5}}]}}"#,
            r#"{"$or":[{"foo":{"$gte":5}},{"foo":{"$lte":10}}]}"#,
        ),
        (
            r#"{"$not":{"a":{"$type":"string"}}}"#,
            r#"{"a":{"$not":{"$type":"string"}}}"#,
        ),
        (
            r#"{"a":{"$elemMatch":{"$lt":85,"$gte":80}}}"#,
            r#"{"a":{"$elemMatch":{"$and":[{"$gte":80},{"$lt":85}]}}}"#,
        ),
    ] {
        assert_eq!(
            Selector::parse(selector).unwrap().canonical(),
            canonical,
            "{selector}"
        );
    }
}

/// A selector as a list of members, so that their order can be changed.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(String),
    Node(Vec<(String, Tree)>),
}

/// An operator with its argument.
fn test() -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["$gt", "$lte", "$eq", "$ne"]);
    let argument = prop::sample::select(vec!["1", "\"x\"", "null", "[1,\"x\"]", "2.50"]);
    (operator, argument).prop_map(|(operator, argument)| format!("{{\"{operator}\":{argument}}}"))
}

fn tree() -> impl Strategy<Value = Tree> {
    let field = prop::sample::select(vec!["a", "b", "c", "d.e", "f"]);
    test()
        .prop_map(Tree::Leaf)
        .prop_recursive(4, 30, 4, move |inner| {
            let members = prop::collection::btree_map(field.clone(), inner, 1..4);
            members.prop_map(|members| {
                Tree::Node(
                    members
                        .into_iter()
                        .map(|(key, tree)| (key.to_owned(), tree))
                        .collect(),
                )
            })
        })
        .prop_filter("an object with fields", |tree| matches!(tree, Tree::Node(_)))
}

fn text(tree: &Tree, reversed: bool, negated: bool) -> String {
    match tree {
        Tree::Leaf(text) => text.clone(),
        Tree::Node(members) => {
            let mut members: Vec<String> = members
                .iter()
                .map(|(key, tree)| format!("\"{key}\":{}", text(tree, reversed, false)))
                .collect();
            if reversed {
                members.reverse();
            }
            let object = format!("{{{}}}", members.join(if reversed { " , " } else { "," }));
            if negated {
                format!("{{\"$not\":{object}}}")
            } else {
                object
            }
        }
    }
}

proptest! {
    #[test]
    fn canonical_does_not_depend_on_the_order_of_members(tree in tree(), negated: bool) {
        let one = Selector::parse(&text(&tree, false, negated)).unwrap().canonical();
        let other = Selector::parse(&text(&tree, true, negated)).unwrap().canonical();
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(Selector::parse(&one).unwrap().canonical(), one);
    }

    #[test]
    fn a_negation_of_a_present_field_is_the_opposite(value in "[0-9]|\"[a-z]{0,3}\"|null|true", test in test()) {
        let body = format!("{{\"a\":{value}}}");
        let is_match = matches(&format!("{{\"a\":{test}}}"), &body);
        prop_assert_eq!(matches(&format!("{{\"$not\":{{\"a\":{test}}}}}"), &body), !is_match);
        prop_assert_eq!(matches(&format!("{{\"a\":{{\"$not\":{test}}}}}"), &body), !is_match);
    }

    #[test]
    fn a_list_holds_what_equals_one_of_its_items(
        value in "-?[0-9](\\.[05])?|\"[a-cA-C\u{e9}]{0,2}\"|null|true|\\[\\]|\\{\\}",
        items in prop::collection::vec("-?[0-9](\\.[05])?|\"[a-cA-C\u{e9}]{0,2}\"|null|true|\\[\\]|\\{\\}", 0..12),
    ) {
        let body = format!("{{\"a\":{value},\"e\":[{{\"_id\":{value}}}]}}");
        for (start, end) in [("{\"a\":", "}"), ("{\"e\":{\"$elemMatch\":{\"_id\":", "}}}")] {
            let one = |item: &String| matches(&format!("{start}{{\"$eq\":{item}}}{end}"), &body);
            // Of an array its elements are looked up, of which this one has none.
            let expected = value != "[]" && items.iter().any(one);
            let list = items.join(",");
            prop_assert_eq!(matches(&format!("{start}{{\"$in\":[{list}]}}{end}"), &body), expected);
            prop_assert_eq!(matches(&format!("{start}{{\"$nin\":[{list}]}}{end}"), &body), !expected);
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "[{}\\[\\]:,\"$a-e01.\\\\ ]{0,40}") {
        let _ = Selector::parse(&text);
    }
}
