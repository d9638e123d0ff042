//! Revision ids that CouchDB and Erlang gave, and terms spelled out.

use super::*;
use proptest::prelude::*;

fn body(text: &str) -> Body {
    Body::parse(text).unwrap()
}

fn md5(text: &str) -> [u8; 16] {
    Md5::digest(text.as_bytes()).into()
}

/// Bytes of the term of a new document's body, without what is around it.
fn body_term(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    term::edit(false, None, &body(text), &[], &mut out);
    let head = [
        131, 108, 0, 0, 0, 5, 100, 0, 5, b'f', b'a', b'l', b's', b'e', 97, 0, 97, 0,
    ];
    let inner = out
        .strip_prefix(&head[..])
        .unwrap()
        .strip_suffix(&[106, 106])
        .unwrap();
    inner.to_vec()
}

/// Bytes of the term of one value.
fn value_term(text: &str) -> Vec<u8> {
    let term = body_term(&format!("{{\"\":{text}}}"));
    let head = [104, 1, 108, 0, 0, 0, 1, 104, 2, 109, 0, 0, 0, 0];
    term.strip_prefix(&head[..])
        .unwrap()
        .strip_suffix(&[106])
        .unwrap()
        .to_vec()
}

#[test]
fn first_revisions_are_those_that_couchdb_gives() {
    for (text, rev) in [
        ("{}", "1-967a00dff5e02add41819138abb3284d"),
        (r#"{"hello":"world"}"#, "1-15f65339921e497348be384867bb940f"),
        (r#"{"value":0}"#, "1-7e97409c987eac3a99385a17ad4cbabe"),
        (r#"{"joan":"is great"}"#, "1-9b0890fa11b66dc9f0cc4917e11553d1"),
        (
            r#"{"user":{"firstname":"Walter","lastname":"Carlos"}}"#,
            "1-0f958fa6ab68dffc4ac5b76efb229e39",
        ),
        (
            r#"{"a":[1,2,3],"n":300,"f":1.5,"b":true,"z":null,"big":1234567890123}"#,
            "1-5aef72e3e8dc984f46a02944cbd06dc0",
        ),
        (
            r#"{"m":[1,300,"x",[]],"neg":-5,"e":{}}"#,
            "1-cff849e251b60990b076e051dca2478f",
        ),
    ] {
        assert_eq!(revision(false, None, &body(text), &[]).to_string(), rev, "{text}");
    }
}

#[test]
fn later_revisions_hash_their_parent() {
    let first = revision(false, None, &Body::empty(), &[]);
    let second = revision(false, Some(&first), &Body::empty(), &[]);
    assert_eq!(second.to_string(), "2-7051cbe5c8faecd085a3fa619e6e6337");
    let deleted = revision(true, Some(&first), &Body::empty(), &[]);
    assert_eq!(deleted.to_string(), "2-eec205a9d413992850a6e32678485900");

    let walter = Rev::parse("1-0f958fa6ab68dffc4ac5b76efb229e39").unwrap();
    let wendy = body(r#"{"user":{"firstname":"Wendy","lastname":"Carlos"},"profession":"Musician"}"#);
    let second = revision(false, Some(&walter), &wendy, &[]);
    assert_eq!(second.to_string(), "2-900ae13b0644ed3a92be1a79f54d59d6");
}

#[test]
fn attachments_are_hashed_in_reverse() {
    let parent = Rev {
        generation: 1,
        digest: md5("p").into(),
    };
    let attachments = [
        ("a.txt", "text/x", md5("hello")),
        ("b.wav", "audio/wav", md5("wav")),
    ];
    let rev = revision(false, Some(&parent), &Body::empty(), &attachments);
    assert_eq!(rev.to_string(), "2-a063c31602a8598be1e1a708512762b1");
    let [a, b] = attachments;
    assert_ne!(revision(false, Some(&parent), &Body::empty(), &[b, a]), rev);
}

#[test]
fn parents_of_other_nodes_are_hashed_as_text() {
    let parent = Rev::parse("300-by-hand").unwrap();
    let mut out = Vec::new();
    term::edit(true, Some(&parent), &Body::empty(), &[], &mut out);
    let expected = b"\x83l\0\0\0\x05d\0\x04trueb\0\0\x01\x2cm\0\0\0\x07by-handh\x01jjj";
    assert_eq!(out, expected);
}

#[test]
fn numbers_are_encoded_as_erlang_does() {
    for (text, term) in [
        ("0", &b"a\0"[..]),
        ("-0", b"a\0"),
        ("255", b"a\xff"),
        ("256", b"b\0\0\x01\0"),
        ("-1", b"b\xff\xff\xff\xff"),
        ("2147483647", b"b\x7f\xff\xff\xff"),
        ("2147483648", b"n\x04\0\0\0\0\x80"),
        ("-2147483648", b"b\x80\0\0\0"),
        ("-2147483649", b"n\x04\x01\x01\0\0\x80"),
        ("4294967296", b"n\x05\0\0\0\0\0\x01"),
        ("18446744073709551616", b"n\x09\0\0\0\0\0\0\0\0\0\x01"),
        ("1.0", b"F\x3f\xf0\0\0\0\0\0\0"),
        ("1e0", b"F\x3f\xf0\0\0\0\0\0\0"),
        ("-0.0", b"F\x80\0\0\0\0\0\0\0"),
        ("-2.5E0", b"F\xc0\x04\0\0\0\0\0\0"),
    ] {
        assert_eq!(value_term(text), term, "{text}");
    }
    // These need more than 128 bits, the latter more than 255 bytes.
    let ten_to_40 = [
        0, 0, 0, 0, 0, 97, 245, 185, 171, 191, 164, 92, 195, 241, 41, 99, 29,
    ];
    let term = value_term(&format!("-1{}", "0".repeat(40)));
    assert_eq!(term, [&[110, 17, 1], &ten_to_40[..]].concat());
    let long = value_term(&"9".repeat(700));
    assert_eq!(&long[..6], &[111, 0, 0, 1, 35, 0]);
    assert_eq!(long.len(), 6 + 291);
}

#[test]
fn strings_are_unescaped_and_arrays_of_bytes_are_strings() {
    assert_eq!(
        value_term(r#""a\n\u00e9\ud83d\ude00""#),
        "m\0\0\0\u{8}a\né\u{1f600}".as_bytes()
    );
    assert_eq!(value_term("[]"), b"j");
    assert_eq!(value_term("[0,255,-0]"), b"k\0\x03\0\xff\0");
    assert_eq!(value_term("[1,256]"), b"l\0\0\0\x02a\x01b\0\0\x01\0j");
    assert_eq!(value_term("[1,1.0]"), b"l\0\0\0\x02a\x01F\x3f\xf0\0\0\0\0\0\0j");
    assert_eq!(value_term("[[1],[]]"), b"l\0\0\0\x02k\0\x01\x01jj");
    assert_eq!(value_term("{}"), b"h\x01j");
    assert_eq!(value_term("true"), b"d\0\x04true");
    let bytes = |count: usize| value_term(&format!("[{}]", vec!["7"; count].join(",")));
    assert_eq!(bytes(65535), [&b"k\xff\xff"[..], &[7; 65535]].concat());
    let list = bytes(65536);
    assert_eq!(&list[..7], b"l\0\x01\0\0a\x07");
    assert_eq!(list.len(), 5 + 2 * 65536 + 1);
}

proptest! {
    #[test]
    fn long_integers_are_encoded_to_their_value(magnitude in any::<u128>(), negative: bool) {
        let sign = if negative { "-" } else { "" };
        let term = value_term(&format!("{sign}{magnitude}"));
        if term[0] == 110 {
            let mut bytes = [0; 16];
            bytes[..usize::from(term[1])].copy_from_slice(&term[3..]);
            prop_assert_eq!((u128::from_le_bytes(bytes), term[2] == 1), (magnitude, negative));
        }
    }
}
