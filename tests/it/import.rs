//! `trunkline import`: every shape of file, twice without effect, to a directory and to a server alike.

use crate::node::{Node, fails, ok, trunkline, trunkline_with_input};
use serde_json::Value;
use std::path::Path;

/// Imports with `--json`; answers (imported, unchanged, refused).
fn import(database: &str, file: &str, input: &str) -> (u64, u64, u64) {
    let output = trunkline_with_input(&["import", database, file, "--json"], input.as_bytes());
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{output:?}"));
    let count = |member: &str| told[member].as_u64().unwrap();
    assert_eq!(output.status.success(), count("refused") == 0);
    assert_eq!(
        count("read"),
        count("imported") + count("unchanged") + count("refused")
    );
    (count("imported"), count("unchanged"), count("refused"))
}

/// The same on a directory and on a server; `check` gets the database and a way to write a file.
fn check(test: impl Fn(&str, &Path)) {
    let temp = tempfile::tempdir().unwrap();
    test(&format!("{}/local/db", temp.path().display()), temp.path());
    let node = Node::start(&temp.path().join("node"));
    test(&format!("{}/db", node.url), temp.path());
    let dir = node.dir.clone();
    node.stop();
    for dir in [temp.path().join("local"), dir] {
        ok(&["check", dir.to_str().unwrap()]);
    }
}

#[test]
fn the_same_file_twice_changes_nothing() {
    check(|database, _| {
        let records = [
            ("examples/data/sip-cdrs.ndjson", 200),
            ("examples/data/call-legs.ndjson", 50),
            ("examples/data/voicemail.ndjson", 2),
        ];
        for (file, count) in records {
            assert_eq!(import(database, file, ""), (count, 0, 0), "{file}");
        }
        let before = ok(&["export", database, "--revs", "--attachments"]);
        for (file, count) in records {
            assert_eq!(import(database, file, ""), (0, count, 0), "{file}");
        }
        assert!(ok(&["import", database, "examples/data/sip-cdrs.ndjson"]).contains("nothing changed"));
        assert_eq!(ok(&["export", database, "--revs", "--attachments"]), before);
    });
}

#[test]
fn every_shape_of_json_is_taken() {
    check(|database, _| {
        assert_eq!(import(database, "-", "{\"_id\":\"one\",\"n\":1}"), (1, 0, 0));
        assert_eq!(
            import(database, "-", "[{\"_id\":\"two\"},\n{\"_id\":\"three\"}]"),
            (2, 0, 0)
        );
        assert_eq!(
            import(database, "-", "{\"_id\":\"four\"}\n\n{\"_id\":\"five\"}\n"),
            (2, 0, 0)
        );
        assert_eq!(import(database, "-", "{\"docs\":[{\"_id\":\"six\"}]}"), (1, 0, 0));
        let rows = "{\"total_rows\":1,\"offset\":0,\"rows\":[\n{\"id\":\"seven\",\"key\":\"seven\",\"value\":{},\
                    \"doc\":{\"_id\":\"seven\",\"_rev\":\"1-967a00dff5e02add41819138abb3284d\"}}\n]}";
        assert_eq!(import(database, "-", rows), (1, 0, 0));
        assert_eq!(import(database, "-", ""), (0, 0, 0));
        assert_eq!(ok(&["export", database]).lines().count(), 7);
    });
}

#[test]
fn documents_without_id_get_one_that_stays() {
    check(|database, _| {
        let calls = "{\"call_id\":\"c-1\",\"n\":1.0}\n{\"call_id\":\"c-2\",\"n\":12345678901234567890}\n";
        assert_eq!(import(database, "-", calls), (2, 0, 0));
        assert_eq!(import(database, "-", calls), (0, 2, 0));
        let field = ["import", database, "-", "--id-field", "call_id"];
        assert!(trunkline_with_input(&field, calls.as_bytes()).status.success());
        let exported = ok(&["export", database]);
        assert_eq!(exported.lines().count(), 4, "{exported}");
        assert!(exported.contains("{\"_id\":\"c-2\",\"_rev\":\"1-"), "{exported}");
        assert!(
            exported.contains("\"n\":1.0}") && exported.contains("\"n\":12345678901234567890}"),
            "{exported}"
        );
    });
}

#[test]
fn other_content_under_an_id_is_refused_and_listed() {
    check(|database, _| {
        assert_eq!(import(database, "-", "{\"_id\":\"a\",\"n\":1}"), (1, 0, 0));
        let more = "{\"_id\":\"a\",\"n\":2}\n{\"_id\":\"b\"}\n{\"_id\":\"_bad\"}\n{\"_id\":\"b\"}\n7\n";
        let output = trunkline_with_input(&["import", database, "-"], more.as_bytes());
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(
            told.starts_with("5 documents read: 1 imported, 1 unchanged, 3 refused"),
            "{told}"
        );
        let told = String::from_utf8(output.stderr).unwrap();
        for part in [
            "line 1 a: a document of this id with other content",
            "line 3 _bad: ",
            "line 5: ",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    });
}

#[test]
fn broken_files_say_where_and_keep_what_came_before() {
    let temp = tempfile::tempdir().unwrap();
    let database = format!("{}/db", temp.path().display());
    let output = trunkline_with_input(&["import", &database, "-"], b"{\"_id\":\"a\"}\n{\"_id\":");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("line 2") && told.contains("1 document imported before"),
        "{told}"
    );
    assert!(fails(&["import", &database, "no-such-file"]).contains("no-such-file"));
    assert_eq!(ok(&["export", &database]).lines().count(), 1);
}

#[test]
fn what_was_edited_or_deleted_since_stays_so() {
    check(|database, _| {
        let first = "{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":1}\n";
        assert_eq!(import(database, "-", first), (2, 0, 0));
        let exported = ok(&["export", database, "--revs"]);
        let successors: String = exported
            .lines()
            .map(|line| {
                let mut doc: Value = serde_json::from_str(line).unwrap();
                let old = doc["_revisions"]["ids"][0].clone();
                doc["_revisions"] = serde_json::json!({"start": 2, "ids": ["c0ffee", old]});
                doc["_rev"] = "2-c0ffee".into();
                if doc["_id"] == "b" {
                    doc["_deleted"] = true.into();
                }
                format!("{doc}\n")
            })
            .collect();
        assert_eq!(import(database, "-", &successors), (2, 0, 0));
        assert_eq!(import(database, "-", first), (0, 2, 0));
        let exported = ok(&["export", database]);
        assert!(
            exported.lines().count() == 1 && exported.contains("2-c0ffee"),
            "{exported}"
        );
    });
}

#[test]
fn import_reads_several_files_and_arrays_in_small_batches() {
    let temp = tempfile::tempdir().unwrap();
    let database = format!("{}/db", temp.path().display());
    let docs: Vec<String> = (0..2500)
        .map(|n| format!("{{\"_id\":\"{n:05}\",\"n\":{n}}}"))
        .collect();
    let array = temp.path().join("array.json");
    std::fs::write(&array, format!("[{}]", docs.join(",\n"))).unwrap();
    let array = array.to_str().unwrap();
    let output = trunkline(&["import", &database, array, array, "--batch", "7", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["imported"], &told["unchanged"]),
        (&2500.into(), &2500.into())
    );
}
