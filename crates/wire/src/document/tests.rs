//! Documents taken apart, refused in words, and spliced together.

use super::*;
use crate::attachments::IncomingData;
use proptest::prelude::*;
use trunkline_core::attachment::{Content, Encoding};
use trunkline_core::doc::RevPath;
use trunkline_core::revtree::LeafState;

fn refused(text: &str) -> (&'static str, String) {
    let invalid = parse(text.as_bytes()).unwrap_err();
    (invalid.kind().word(), invalid.to_string())
}

#[test]
fn members_are_taken_apart() {
    let doc = parse(
        br#" { "_id" : "a", "n": 1.0, "_rev":"2-b", "_deleted":false, "_conflicts":["1-x"], "_local_seq":7,
            "_revs_info":[], "_deleted_conflicts":[], "s" : "\u00e9" , "_revisions":{"start":3,"ids":["c","b"]},
            "_attachments":{"v":{"stub":true}} } "#,
    )
    .unwrap();
    assert_eq!(doc.id.as_deref(), Some("a"));
    assert_eq!(doc.rev.clone().unwrap().to_string(), "3-c");
    let path = doc.path().unwrap();
    let revs: Vec<_> = path.revs().map(|rev| rev.to_string()).collect();
    assert_eq!(revs, ["3-c", "2-b"]);
    assert!(!doc.deleted);
    assert_eq!(doc.body.as_str(), r#"{"n":1.0,"s":"\u00e9"}"#);
    assert_eq!(doc.attachments[0].data, IncomingData::Stub);
}

#[test]
fn the_path_of_a_replicated_edit() {
    let path = |text: &str| parse(text.as_bytes()).unwrap().path();
    assert_eq!(path(r#"{"_rev":"2-b"}"#).unwrap().digests.len(), 1);
    assert_eq!(path("{}"), Err(InvalidDoc::MissingRev));
    assert_eq!(path(r#"{"_rev":"0-b"}"#), Err(InvalidDoc::BadRev));
    let empty = path(r#"{"_revisions":{"start":0,"ids":[]},"_rev":"4-d"}"#).unwrap();
    assert_eq!(empty.generation, 4);
}

#[test]
fn reserved_members_that_belong_to_the_body() {
    let body = |text: &str| parse(text.as_bytes()).unwrap().body.as_str().to_owned();
    assert_eq!(
        body(r#"{"_replication_state":"done", "a":1, "_access":[ 1 ]}"#),
        r#"{"a":1,"_replication_state":"done","_access":[1]}"#
    );
    assert_eq!(
        body(r#"{"_replication_id":"1","_replication_id":"2"}"#),
        r#"{"_replication_id":"2"}"#
    );
}

#[test]
fn refusals_in_couchdbs_words() {
    let check = |text: &str, word: &str, reason: &str| {
        assert_eq!(refused(text), (word, reason.to_owned()), "{text}");
    };
    check("", "bad_request", "invalid UTF-8 JSON");
    check("{", "bad_request", "invalid UTF-8 JSON");
    check("{} x", "bad_request", "invalid UTF-8 JSON");
    check("[]", "bad_request", "Document must be a JSON object");
    check("7", "bad_request", "Document must be a JSON object");
    check(r#"{"_id":7}"#, "illegal_docid", "Document id must be a string");
    check(r#"{"_x":7}"#, "doc_validation", "Bad special document member: _x");
    check(
        r#"{"\u005fx":7}"#,
        "doc_validation",
        "Bad special document member: _x",
    );
    check(
        r#"{"_deleted":1}"#,
        "doc_validation",
        "Bad special document member: _deleted",
    );
    check(
        r#"{"_attachments":[]}"#,
        "doc_validation",
        "Bad special document member: _attachments",
    );
    check(r#"{"_rev":"x"}"#, "bad_request", "Invalid rev format");
    check(r#"{"_rev":null}"#, "bad_request", "Invalid rev format");
    check(
        r#"{"_revisions":{"ids":[]}}"#,
        "doc_validation",
        "_revisions.start isn't an integer.",
    );
    check(
        r#"{"_revisions":{"start":1,"ids":{}}}"#,
        "doc_validation",
        "_revisions.ids isn't a array.",
    );
    check(
        r#"{"_revisions":{"start":1,"ids":[1]}}"#,
        "doc_validation",
        "RevId isn't a string",
    );
    check(
        r#"{"_revisions":{"start":1,"ids":["zz967a00dff5e02add41819138abb328"]}}"#,
        "doc_validation",
        "RevId isn't a valid hexadecimal",
    );
    let ids = "\"b\",".repeat(trunkline_core::limits::REQUEST_ITEMS_MAX);
    check(
        &format!("{{\"_revisions\":{{\"start\":1000000,\"ids\":[{ids}\"b\"]}}}}"),
        "doc_validation",
        "_revisions.ids lists more than 100000 revisions.",
    );
    let (word, _) = refused(r#"{"_revisions":{"start":1,"ids":["a","b"]}}"#);
    assert_eq!(word, "doc_validation");
    let long = format!(
        r#"{{"_id":"long","x":"{}"}}"#,
        "x".repeat(trunkline_core::limits::DOCUMENT_BYTES_MAX)
    );
    check(&long, "document_too_large", "long");
    assert_eq!(parse(b"{\"a\":\"\xff\"}").unwrap_err().kind(), Kind::BadRequest);
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(600), "]".repeat(600));
    assert!(matches!(
        parse(deep.as_bytes()),
        Err(InvalidDoc::Json(JsonError::TooDeep))
    ));
    let long = format!("{{\"a\":{}}}", "9".repeat(10_001));
    assert!(
        parse(long.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("10000 digits")
    );
}

fn tree() -> RevTree {
    let mut tree = RevTree::default();
    let mut merge = |generation, digests: &[&str], deleted| {
        let digests = digests
            .iter()
            .map(|digest| trunkline_core::rev::Digest::parse(digest, 1).unwrap())
            .collect();
        let path = RevPath::new(generation, digests).unwrap();
        tree.merge(&path, LeafState { deleted, body: 1 });
    };
    merge(3, &["c", "b", "a"], false);
    merge(2, &["y", "a"], false);
    merge(2, &["z", "a"], true);
    tree
}

fn written(deleted: bool, body: &str, shown: &Shown<'_>) -> String {
    let mut out = Vec::new();
    let rev = Rev::parse("3-c").unwrap();
    let doc = Pieces {
        id: "a\"b",
        rev: &rev,
        deleted,
        body,
        attachments: &[],
    };
    write(&mut out, doc, &[], shown);
    String::from_utf8(out).unwrap()
}

#[test]
fn members_are_spliced_before_the_body() {
    let none = Shown::default();
    assert_eq!(written(false, "{}", &none), r#"{"_id":"a\"b","_rev":"3-c"}"#);
    assert_eq!(
        written(true, r#"{"n":1.0}"#, &none),
        r#"{"_id":"a\"b","_rev":"3-c","_deleted":true,"n":1.0}"#
    );
}

#[test]
fn everything_shown() {
    let tree = tree();
    let shown = Shown {
        tree: Some(&tree),
        revs: true,
        revs_info: true,
        conflicts: true,
        deleted_conflicts: true,
        local_seq: Some(9),
        ..Shown::default()
    };
    assert_eq!(
        written(false, "{}", &shown),
        concat!(
            r#"{"_id":"a\"b","_rev":"3-c","_revisions":{"start":3,"ids":["c","b","a"]},"#,
            r#""_revs_info":[{"rev":"3-c","status":"available"},{"rev":"2-b","status":"missing"},"#,
            r#"{"rev":"1-a","status":"missing"}],"#,
            r#""_conflicts":["2-y"],"_deleted_conflicts":["2-z"],"_local_seq":9}"#
        )
    );
}

#[test]
fn conflicts_from_leaves_without_a_tree() {
    let leaf = |rev, deleted| (Rev::parse(rev).unwrap(), deleted);
    let leaves = [leaf("3-c", false), leaf("2-y", false), leaf("2-z", true)];
    let shown = Shown {
        leaves: &leaves,
        conflicts: true,
        ..Shown::default()
    };
    assert_eq!(
        written(false, "{}", &shown),
        r#"{"_id":"a\"b","_rev":"3-c","_conflicts":["2-y"]}"#
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        id in "\\PC{1,12}",
        digests in prop::collection::vec(prop::array::uniform16(any::<u8>()), 1..6),
        older in 0_u64..5,
        deleted: bool,
        value in "\\PC{0,12}",
        names in prop::collection::btree_set("[a-zé\"/+ ]{1,6}", 0..4),
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let path = RevPath::new(
            digests.len() as u64 + older,
            digests.into_iter().map(Into::into).collect(),
        ).unwrap();
        let rev = path.rev().unwrap();
        let mut body = b"{\"value\":".to_vec();
        trunkline_core::json::quote(&value, &mut body);
        body.push(b'}');
        let body = String::from_utf8(body).unwrap();
        let attachments: Vec<_> = names.iter().map(|name| Attachment {
            name: name.as_str().into(),
            content_type: "a/b".into(),
            revpos: 1,
            content: Content { hash: [0; 32], md5: [9; 16], length: 5, encoding: Encoding::Identity },
        }).collect();
        let mut out = Vec::new();
        let pieces = Pieces { id: &id, rev: &rev, deleted, body: &body, attachments: &attachments };
        let forms = [AttachmentForm::Data(data.clone()), AttachmentForm::Follows];
        write_replicated(&mut out, pieces, &path, &forms);
        let doc = parse(&out).unwrap();
        prop_assert_eq!(doc.id.as_deref(), Some(id.as_str()));
        prop_assert_eq!(doc.path().unwrap(), path);
        prop_assert_eq!(doc.rev, Some(rev));
        prop_assert_eq!(doc.deleted, deleted);
        prop_assert_eq!(doc.body.as_str(), body);
        prop_assert_eq!(doc.attachments.len(), names.len());
        for (index, (read, name)) in doc.attachments.iter().zip(&names).enumerate() {
            prop_assert_eq!(&read.name, name);
            prop_assert_eq!(read.md5, Some([9; 16]));
            let expected = match index {
                0 => IncomingData::Inline(data.clone()),
                1 => IncomingData::Follows { part_bytes: Some(5), gzip: false },
                _ => IncomingData::Stub,
            };
            prop_assert_eq!(&read.data, &expected);
        }
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[{}\\[\\]\":,_a1 ]{0,40}") {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
    }
}

#[test]
fn members_that_belong_to_the_body_are_kept_once_each_however_many() {
    let members: Vec<String> = (0..100_000)
        .map(|number| format!("\"_replication_st{}\":{number}", ["ate", "ats"][number % 2]))
        .collect();
    let text = format!("{{\"a\":1,{},\"_replication_id\":2}}", members.join(","));
    assert_eq!(
        parse(text.as_bytes()).unwrap().body.as_str(),
        r#"{"a":1,"_replication_state":99998,"_replication_stats":99999,"_replication_id":2}"#
    );
    // CouchDB knows five of them, and refuses others.
    let refused = parse(br#"{"_replication_x":1}"#).unwrap_err();
    assert_eq!(refused, InvalidDoc::BadMember("_replication_x".into()));
}
