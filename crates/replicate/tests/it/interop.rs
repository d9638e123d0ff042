//! What a CouchDB may have that another maker's replicator stumbles over.

use crate::couch::{Stored, start};
use crate::couchdb::add;
use crate::scripted::{answer, serve};
use crate::world::{World, leaves, replicate};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use trunkline_replicate::{HttpOptions, HttpPeer, Spec};

#[tokio::test]
async fn numbers_keep_their_spelling_both_ways() {
    let world = World::new();
    let (source, source_peer) = start().await;
    let (target, target_peer) = start().await;
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let text = format!(
        r#"{{"_id":"n","_rev":"1-a","big":9007199254740993,"e":1e+308,"z":-0.0,"f":1.0,"i":1,"long":0.1000000000000000055511151231257827,"deep":{deep}}}"#
    );
    add(&source, serde_json::from_str(&text).unwrap(), &[]);
    replicate(source_peer, world.peer("target"), Spec::default())
        .await
        .unwrap();
    let stored = leaves(&world.database("target"))["n"]["1-a"].1.clone();
    let body = text.replace(r#""_id":"n","_rev":"1-a","#, "");
    assert_eq!(stored, body);
    replicate(world.peer("target"), target_peer, Spec::default())
        .await
        .unwrap();
    let arrived = target.lock().docs["n"].leaves["1-a"].json.to_string();
    for number in [
        "9007199254740993",
        "1e+308",
        "-0.0",
        "1.0",
        "0.1000000000000000055511151231257827",
    ] {
        assert!(arrived.contains(&format!(":{number},")), "{number}: {arrived}");
    }
    assert!(arrived.contains(&deep), "{arrived}");
}

#[tokio::test]
async fn a_name_that_stands_twice_comes_once_with_its_last_value() {
    let world = World::new();
    let twice = r#"{"_id":"a","_rev":"1-a","n":1,"m":2,"n":3}"#;
    let source = serve(move |method, path, _| match (method, path.split('?').next().unwrap()) {
        ("GET", "/") => answer("200 OK", r#"{"couchdb":"Welcome","uuid":"u"}"#),
        ("GET", "/db") => answer("200 OK", r#"{"update_seq":"1-x","instance_start_time":"0"}"#),
        ("GET", "/db/_changes") => answer(
            "200 OK",
            r#"{"results":[{"seq":"1-x","id":"a","changes":[{"rev":"1-a"}]}],"last_seq":"1-x","pending":0}"#,
        ),
        ("POST", "/db/_bulk_get") => answer(
            "200 OK",
            format!(r#"{{"results":[{{"id":"a","docs":[{{"ok":{twice}}}]}}]}}"#),
        ),
        ("GET", _) => answer("404 No", r#"{"error":"not_found","reason":"missing"}"#),
        ("PUT", _) => answer("201 Yes", r#"{"ok":true,"id":"_local/x","rev":"0-1"}"#),
        _ => answer("201 Yes", r#"{"ok":true,"instance_start_time":"0"}"#),
    })
    .await;
    let source = Arc::new(HttpPeer::new(&source, HttpOptions::default()).unwrap());
    let report = replicate(source, world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    let stored = leaves(&world.database("target"))["a"]["1-a"].1.clone();
    let read: serde_json::Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, json!({"n": 3, "m": 2}));
}

/// Ids of revisions sort by their bytes, and those of 32 lower-case digits by the sixteen bytes that they spell.
#[tokio::test]
async fn revisions_of_any_spelling_pass_and_have_the_winner_that_couchdb_picks() {
    let world = World::new();
    let (source, source_peer) = start().await;
    let (target, target_peer) = start().await;
    let hex = |digit: &str| digit.repeat(32);
    let (low, high) = (hex("0"), hex("f"));
    let contests: [(&str, &[&str], &str); 4] = [
        ("words", &["foo", "bar"], "foo"),
        // Sixteen bytes of 0xff stand above any text.
        ("word-or-hex", &["foo", &high], &high),
        ("word-or-low-hex", &["foo", &low], "foo"),
        ("upper", &["AB", "ab"], "ab"),
    ];
    for (id, digests, _) in &contests {
        for digest in *digests {
            add(&source, json!({"_id": id, "_rev": format!("1-{digest}")}), &[]);
        }
    }
    let report = replicate(source_peer, world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    for (id, digests, winner) in &contests {
        let revs = crate::world::rows(&world.database("target"));
        let (_, revs) = revs.iter().find(|(of, _)| of == id).unwrap();
        assert_eq!(revs.len(), digests.len(), "{id}");
        assert_eq!(revs[0].to_string(), format!("1-{winner}"), "{id}");
    }
    replicate(world.peer("target"), target_peer, Spec::default())
        .await
        .unwrap();
    for (id, digests, _) in &contests {
        let couch = target.lock();
        let leaves: Vec<&String> = couch.docs[*id].leaves.keys().collect();
        assert_eq!(leaves.len(), digests.len(), "{id}");
        assert!(
            digests
                .iter()
                .all(|digest| leaves.contains(&&format!("1-{digest}"))),
            "{id}: {leaves:?}"
        );
    }
}

/// Between the feed and the question for it, a revision got two successors: both come.
#[tokio::test]
async fn a_revision_that_two_leaves_superseded_brings_both() {
    let world = World::new();
    let source = serve(|method, path, body| match (method, path.split('?').next().unwrap()) {
        ("GET", "/") => answer("200 OK", r#"{"couchdb":"Welcome","uuid":"u"}"#),
        ("GET", "/db") => answer("200 OK", r#"{"update_seq":"2-x","instance_start_time":"0"}"#),
        ("GET", "/db/_changes") => answer(
            "200 OK",
            r#"{"results":[{"seq":"1-x","id":"torn","changes":[{"rev":"1-a"}]},
                {"seq":"2-x","id":"next","changes":[{"rev":"1-n"}]}],"last_seq":"2-x","pending":0}"#,
        ),
        ("POST", "/db/_bulk_get") => {
            assert!(path.contains("latest=true") && body.contains("1-a"), "{path} {body}");
            let leaf = |digest| {
                format!(r#"{{"ok":{{"_id":"torn","_rev":"2-{digest}","_revisions":{{"start":2,"ids":["{digest}","a"]}}}}}}"#)
            };
            let next = r#"{"id":"next","docs":[{"ok":{"_id":"next","_rev":"1-n"}}]}"#;
            let torn = format!(r#"{{"id":"torn","docs":[{},{}]}}"#, leaf("b"), leaf("c"));
            answer("200 OK", format!(r#"{{"results":[{torn},{next}]}}"#))
        }
        ("GET", _) => answer("404 No", r#"{"error":"not_found","reason":"missing"}"#),
        ("PUT", _) => answer("201 Yes", r#"{"ok":true,"id":"_local/x","rev":"0-1"}"#),
        _ => answer("201 Yes", r#"{"ok":true,"instance_start_time":"0"}"#),
    })
    .await;
    let source = Arc::new(HttpPeer::new(&source, HttpOptions::default()).unwrap());
    let report = replicate(source, world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    let target = leaves(&world.database("target"));
    let revs: Vec<&str> = target["torn"].keys().map(String::as_str).collect();
    assert_eq!(revs, ["2-b", "2-c"]);
    assert!(target["next"].contains_key("1-n"));
}

#[tokio::test]
async fn attachments_of_every_kind_pass_through() {
    let world = World::new();
    let (source, source_peer) = start().await;
    let (target, target_peer) = start().await;
    let names = ["voice.wav", "grüße.txt", "a+b/c d.txt", "☎"];
    for (id, text) in [
        ("empty", Vec::new()),
        ("byte", vec![7]),
        ("long", vec![b'x'; 300_000]),
    ] {
        let stored: Vec<(&str, Stored)> = names.iter().map(|name| (*name, Stored::gzip(&text, 1))).collect();
        add(&source, json!({"_id": id, "_rev": "1-a"}), &stored);
    }
    let many: Vec<String> = (0..12).map(|at| format!("part-{at:02}")).collect();
    let stored = |at: usize| Stored::gzip(format!("part {at}").repeat(100 * at).as_bytes(), 1);
    let many: Vec<_> = many
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), stored(at)))
        .collect();
    add(&source, json!({"_id": "twelve", "_rev": "1-a"}), &many);
    let pulled = replicate(source_peer, world.peer("target"), Spec::default())
        .await
        .unwrap();
    assert!(pulled.refused.is_empty(), "{:?}", pulled.refused);
    let pushed = replicate(world.peer("target"), target_peer, Spec::default())
        .await
        .unwrap();
    assert!(pushed.refused.is_empty(), "{:?}", pushed.refused);
    let bytes = |couch: &crate::couch::Shared| -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
        let of_doc = |doc: &crate::couch::Doc| {
            let attachments = doc.leaves.values().flat_map(|leaf| &leaf.attachments);
            attachments
                .map(|(name, stored)| (name.clone(), stored.bytes.clone()))
                .collect()
        };
        couch
            .lock()
            .docs
            .iter()
            .map(|(id, doc)| (id.clone(), of_doc(doc)))
            .collect()
    };
    assert!(bytes(&source) == bytes(&target));
    assert_eq!(bytes(&target)["twelve"].len(), 12);
}
