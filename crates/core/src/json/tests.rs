//! The scanner against serde_json, and the corners serde_json does not decide.

use super::*;
use crate::limits::{INTEGER_DIGITS_MAX, JSON_DEPTH_MAX};
use proptest::prelude::*;
use serde_json::Value;

/// (special members, body)
fn split(text: &str) -> Result<(Vec<(String, String)>, String), JsonError> {
    let mut specials = Vec::new();
    let body = split_object(text, |key, value| {
        specials.push((key.into_owned(), value.to_owned()));
        Ok::<_, JsonError>(())
    })?;
    Ok((specials, body.as_str().to_owned()))
}

#[track_caller]
fn check_body(text: &str, body: &str) {
    assert_eq!(split(text).map(|(_, body)| body).as_deref(), Ok(body), "{text}");
}

#[test]
fn compact_documents_are_copied_as_they_are() {
    for text in [
        r#"{}"#,
        r#"{"a":1}"#,
        r#"{"a":{"_b":[1,-2.50e+3,"x\u00e9\n",null,true,false,[],{}]},"":""}"#,
    ] {
        check_body(text, text);
    }
}

#[test]
fn white_space_is_left_out_but_not_in_strings() {
    check_body(" {\n} ", "{}");
    check_body(
        "{ \"a b\" : [ 1 , { } , [ ] ] ,\t\"c\"\r\n: \" d \" }\n",
        r#"{"a b":[1,{},[]],"c":" d "}"#,
    );
}

#[test]
fn special_members_are_taken_out_wherever_they_stand() {
    for (text, specials, body) in [
        (r#"{"_id":"x"}"#, vec![("_id", "\"x\"")], "{}"),
        (
            r#"{"_id":"x","_rev":"1-a","b":2}"#,
            vec![("_id", "\"x\""), ("_rev", "\"1-a\"")],
            r#"{"b":2}"#,
        ),
        (
            r#"{"a":1,"_id":"x","b":2}"#,
            vec![("_id", "\"x\"")],
            r#"{"a":1,"b":2}"#,
        ),
        (r#"{"a":1,"_id":"x"}"#, vec![("_id", "\"x\"")], r#"{"a":1}"#),
        (
            r#"{ "a" : 1 , "_id" : { "c" : 1 } , "_x":2 } "#,
            vec![("_id", "{ \"c\" : 1 }"), ("_x", "2")],
            r#"{"a":1}"#,
        ),
        (
            r#"{"\u005fid":1,"\u0061":2}"#,
            vec![("_id", "1")],
            r#"{"\u0061":2}"#,
        ),
        (r#"{"_a":1,"_a":2}"#, vec![("_a", "1"), ("_a", "2")], "{}"),
        (r#"{"a":{"_id":1}}"#, vec![], r#"{"a":{"_id":1}}"#),
    ] {
        let specials = specials
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        assert_eq!(split(text), Ok((specials, body.to_owned())), "{text}");
    }
}

#[test]
fn the_last_of_equal_keys_stays_where_it_stands() {
    check_body(r#"{"a":1,"b":2,"a":3}"#, r#"{"b":2,"a":3}"#);
    check_body(r#"{"a":1,"b":2,"\u0061":3,"b":4}"#, r#"{"\u0061":3,"b":4}"#);
    check_body(
        r#"{"x":[{"a":1,"a":{"b":1,"b":2}}],"_id":1}"#,
        r#"{"x":[{"a":{"b":2}}]}"#,
    );
    check_body(r#"{ "a" : 1, "_x" : 0, "a" : [ ] }"#, r#"{"a":[]}"#);
    let many: Vec<String> = (0..1000).map(|key| format!("\"k{key}\":0")).collect();
    let distinct = format!("{{{}}}", many.join(","));
    check_body(&distinct, &distinct);
    check_body(&format!("{{\"k500\":1,{}}}", many.join(",")), &distinct);
}

#[test]
fn depth_is_limited_even_with_repeated_keys() {
    let nested = |depth: usize| {
        format!(
            "{}{}",
            "{\"a\":0,\"a\":".repeat(depth - 1) + "{",
            "}".repeat(depth)
        )
    };
    let body = format!(
        "{}{}",
        "{\"a\":".repeat(JSON_DEPTH_MAX - 1) + "{",
        "}".repeat(JSON_DEPTH_MAX)
    );
    check_body(&nested(JSON_DEPTH_MAX), &body);
    assert_eq!(split(&nested(JSON_DEPTH_MAX + 1)), Err(JsonError::TooDeep));
    let arrays = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(validate(arrays(JSON_DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(
        validate(arrays(JSON_DEPTH_MAX + 1).as_bytes()),
        Err(JsonError::TooDeep)
    );
    assert_eq!(
        validate("[".repeat(1_000_000).as_bytes()),
        Err(JsonError::TooDeep)
    );
    let wide = format!("[{}]", vec!["[[]],{\"a\":{}}"; JSON_DEPTH_MAX].join(","));
    assert!(validate(wide.as_bytes()).is_ok());
}

#[test]
fn another_kind_of_value_is_told_from_bad_json() {
    assert_eq!(split("[1]"), Err(JsonError::Expected("object")));
    assert_eq!(split("x"), Err(JsonError::Syntax(0)));
    assert_eq!(
        elements("{}", |_| Ok::<_, JsonError>(())),
        Err(JsonError::Expected("array"))
    );
    assert_eq!(
        members("{} x", |_, _| Ok::<_, JsonError>(())),
        Err(JsonError::Syntax(3))
    );
}

#[test]
fn readers_pass_over_values_that_nobody_takes() {
    let mut seen = Vec::new();
    let mut reader = Reader::new(r#"{"skip":{"a":[1]},"docs": [ {"_id":"x","a": 1} , 2,{}],"more":[]}"#);
    let result: Result<(), JsonError> = reader.members(|key, reader| {
        if key == "docs" {
            return reader.elements(|reader| {
                if reader.peek() == Some(b'{') {
                    seen.push(reader.body(|_, _| Ok::<_, JsonError>(()))?.as_str().to_owned());
                }
                Ok(())
            });
        }
        Ok(())
    });
    assert_eq!((result, reader.end()), (Ok(()), Ok(())));
    assert_eq!(seen, [r#"{"a":1}"#, "{}"]);
}

#[test]
fn corner_cases_are_decided_as_rfc_8259_and_couchdb_do() {
    for text in [
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+5",
        "1e-400",
        "123456789012345678901234567890",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\u{7f}\u{ffff}\"",
        "\"\\/\\\"\\\\\\b\\f\\n\\r\\t\"",
        " true ",
        "[null]",
        "1.7e308",
    ] {
        assert_eq!(validate(text.as_bytes()), Ok(text), "{text}");
    }
    for text in [
        "",
        " ",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "True",
        "'a'",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\t\"",
        "\"\n\"",
        "\"\0\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800\\n\"",
        "\"\\ude00\\ud83d\"",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "{",
        "}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "1 1",
        "[]]",
        "{}{}",
        "//\n1",
        "\u{feff}1",
        "\u{a0}1",
    ] {
        assert!(
            matches!(validate(text.as_bytes()), Err(JsonError::Syntax(_))),
            "{text:?}"
        );
        assert!(
            split(&format!("{{\"a\":{text}}}")).is_err() || text == "//\n1",
            "{text:?}"
        );
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xed\xa0\x80\"",
        b"\"\xc0\x80\"",
        b"\"\xe2\x82\"",
        b"\xef\xbb\xbf1",
    ] {
        assert!(matches!(validate(bytes), Err(JsonError::Syntax(_))), "{bytes:?}");
    }
    assert!(validate(format!("{}.5", "9".repeat(400)).as_bytes()).is_err());
    let integer = |digits| validate(format!("-{}", "9".repeat(digits)).as_bytes()).is_ok();
    assert!(integer(INTEGER_DIGITS_MAX) && !integer(INTEGER_DIGITS_MAX + 1));
}

#[test]
fn every_prefix_of_a_document_is_refused() {
    let text = r#"{"a":[1.5e3,"\ud83d\ude00",{"b":null}],"_id":"x","c":true}"#;
    for end in 0..text.len() {
        assert!(split(&text[..end]).is_err(), "{}", &text[..end]);
    }
}

/// Values as serde_json sees them, but with duplicate keys, white space and odd spellings.
fn json_text() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", "", "", " ", "\n", "\t ", "\r\n"]);
    let string = prop::collection::vec(
        prop_oneof![
            4 => "[ -~&&[^\"\\\\]]{0,12}".prop_map(String::from),
            1 => prop::sample::select(vec!["\\n", "\\u0041", "\\ud83d\\ude00", "é", "\u{1f600}", "\\\"", "\\\\", "_"])
                .prop_map(String::from),
        ],
        0..4,
    )
    .prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    let key = prop_oneof![
        3 => prop::sample::select(vec!["\"a\"", "\"b\"", "\"\\u0061\"", "\"_id\"", "\"\""]).prop_map(String::from),
        1 => string.clone(),
    ];
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?",
    ];
    let literal = prop::sample::select(vec!["null", "true", "false"]).prop_map(String::from);
    let leaf = prop_oneof![literal, number, string];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        let spaced = (space.clone(), inner, space.clone()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let member = (space.clone(), key.clone(), space.clone(), spaced.clone())
            .prop_map(|(a, key, b, value)| format!("{a}{key}{b}:{value}"));
        prop_oneof![
            prop::collection::vec(spaced, 1..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 1..8).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Whether no object repeats a key, and no white space is left outside strings.
fn is_compact_and_unique(text: &str) -> bool {
    let value: Value = serde_json::from_str(text).unwrap();
    let structure = outside_strings(text);
    !structure.contains([' ', '\t', '\r', '\n']) && count_members(&value) == structure.matches(':').count()
}

fn count_members(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(count_members).sum(),
        Value::Object(members) => members.len() + members.values().map(count_members).sum::<usize>(),
        _ => 0,
    }
}

fn outside_strings(text: &str) -> String {
    let mut inside = false;
    let mut escaped = false;
    text.chars()
        .filter(|character| {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => inside = !inside,
                _ => {}
            }
            !inside
        })
        .collect()
}

proptest! {
    #[test]
    fn documents_keep_the_value_serde_json_gives_them(text in json_text()) {
        let text = format!("{{\"doc\":{text},\"_x\":1}}");
        let mut expected: Value = serde_json::from_str(&text).unwrap();
        expected.as_object_mut().unwrap().shift_remove("_x");
        let (_, body) = split(&text).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), &expected);
        prop_assert!(is_compact_and_unique(&body), "{}", body);
        prop_assert_eq!(split(&body).unwrap().1, body);
    }

    #[test]
    fn broken_texts_are_refused_exactly_when_serde_json_does(
        text in json_text(), at in any::<prop::sample::Index>(), with in prop::sample::select(b"\"\\{}[],:0-eu \n\x01_".to_vec()),
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        let serde = serde_json::from_slice::<Value>(&bytes);
        match (validate(&bytes), serde) {
            (Ok(text), Ok(value)) => {
                let mut compacted = String::new();
                compact(text, &mut compacted);
                prop_assert_eq!(serde_json::from_str::<Value>(&compacted).unwrap(), value);
                prop_assert!(compacted.len() <= text.len());
            }
            (Err(_), Err(_)) => {}
            // serde_json keeps numbers as text here, so it does not see that a double overflows.
            (Err(JsonError::Syntax(at)), Ok(_)) => {
                let digits = bytes[at..].iter().take_while(|byte| b"0123456789.eE+-".contains(byte)).count();
                let number = std::str::from_utf8(&bytes[at..at + digits]).unwrap();
                prop_assert!(number.parse::<f64>().unwrap().is_infinite(), "{}", String::from_utf8_lossy(&bytes));
            }
            (ours, serde) => {
                prop_assert!(false, "{:?} {:?} {}", ours, serde.is_ok(), String::from_utf8_lossy(&bytes));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}:,\"\\\\0-9a-z_ ]{0,40}") {
        let _ = validate(&bytes);
        let _ = split(&text);
        compact(&text, &mut String::new());
    }
}
#[test]
fn equal_keys_inside_what_is_left_out_do_not_matter() {
    for (text, body) in [
        (r#"{"a":{"b":1,"b":2},"a":{"c":1,"c":2}}"#, r#"{"a":{"c":2}}"#),
        (
            r#"{"a":[{"b":1,"b":{"c":1,"c":2}}],"d":3,"a":[]}"#,
            r#"{"d":3,"a":[]}"#,
        ),
        (
            r#"{"\u0061":1,"x":{"a":{},"a":{"a":[],"a":7},"y":1},"a":2}"#,
            r#"{"x":{"a":{"a":7},"y":1},"a":2}"#,
        ),
    ] {
        assert_eq!(crate::doc::Body::parse(text).unwrap().as_str(), body, "{text}");
    }
    // As deep as can be, every key twice.
    let text = format!("{}1{}", "{\"x\":0,\"\\u0078\":".repeat(512), "}".repeat(512));
    let body = format!("{}1{}", "{\"\\u0078\":".repeat(512), "}".repeat(512));
    assert_eq!(crate::doc::Body::parse(&text).unwrap().as_str(), body);
}
