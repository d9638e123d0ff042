//! `trunkline export`, and that import restores what it wrote.

use crate::node::{Node, ask, ok, trunkline_with_input};
use serde_json::{Value, json};

/// Conflicts, tombstones, attachments (one on a losing branch), unicode, odd ids.
fn history() -> Vec<Value> {
    vec![
        json!({"_id": "plain", "_rev": "1-aa", "name": "Zoë ☎"}),
        json!({"_id": "box", "_revisions": {"start": 2, "ids": ["bb", "aa"]}, "heard": 1}),
        json!({"_id": "box", "_revisions": {"start": 3, "ids": ["dd", "cc", "aa"]}, "heard": 2,
               "_attachments": {"m.wav": {"content_type": "audio/wav", "revpos": 3, "data": "UklGRg=="}}}),
        json!({"_id": "box", "_revisions": {"start": 2, "ids": ["ee", "aa"]}, "_deleted": true, "why": "moved"}),
        json!({"_id": "gone", "_revisions": {"start": 2, "ids": ["ff", "aa"]}, "_deleted": true}),
        json!({"_id": "a/b+c d%41", "_rev": "1-967a00dff5e02add41819138abb3284d"}),
        json!({"_id": "_design/calls", "_rev": "1-aa", "views": {}}),
        json!({"_id": "large", "_rev": "1-aa", "text": "x".repeat(20_000),
               "_attachments": {"big": {"content_type": "text/plain", "revpos": 1, "data": "QUJD".repeat(20_000)},
                                "empty": {"content_type": "text/plain", "revpos": 1, "data": ""}}}),
    ]
}

fn write_history(database: &str) {
    let lines: String = history().iter().map(|doc| format!("{doc}\n")).collect();
    let output = trunkline_with_input(&["import", database, "-"], lines.as_bytes());
    assert!(output.status.success(), "{output:?}");
}

/// Lines in an order of their own: a document's place in the feed depends on when it was written last.
fn sorted(lines: &str) -> Vec<Value> {
    let mut docs: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    docs.sort_by_key(|doc| (doc["_id"].to_string(), doc["_rev"].to_string()));
    docs
}

#[test]
fn import_restores_what_export_wrote() {
    let temp = tempfile::tempdir().unwrap();
    let at = |dir: &str| format!("{}/{dir}/db", temp.path().display());
    write_history(&at("one"));
    let all = ok(&["export", &at("one"), "--revs", "--attachments"]);
    assert_eq!(all.lines().count(), history().len(), "{all}");
    let output = trunkline_with_input(&["import", &at("two"), "-"], all.as_bytes());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        sorted(&ok(&["export", &at("two"), "--revs", "--attachments"])),
        sorted(&all)
    );

    // A replication brings nothing that is not there: no document gets a new place in the changes.
    let update_seq = || -> Value {
        let told: Value = serde_json::from_str(&ok(&["info", "--json", &at("two")])).unwrap();
        told["info"]["update_seq"].clone()
    };
    let before = update_seq();
    ok(&["replicate", &at("one"), &at("two")]);
    assert_eq!(update_seq(), before);
}

#[tokio::test]
async fn a_server_exports_the_same_as_its_directory() {
    let temp = tempfile::tempdir().unwrap();
    let node = Node::start(temp.path());
    let url = format!("{}/db", node.url);
    write_history(&url);
    let (_, box_) = ask("GET", &format!("{url}/box?conflicts=true"), None).await;
    assert_eq!(
        (&box_["_rev"], &box_["_conflicts"]),
        (&json!("3-dd"), &json!(["2-bb"]))
    );
    let options: [&[&str]; 4] = [&[], &["--revs"], &["--attachments"], &["--revs", "--attachments"]];
    let export =
        |database: &str| options.map(|options| sorted(&ok(&[&["export", database], options].concat())));
    let by_server = export(&url);
    node.stop();
    let by_directory = export(&format!("{}/db", temp.path().display()));
    assert_eq!(by_server, by_directory);
    assert_eq!(by_directory.map(|docs| docs.len()), [5, 8, 5, 8]);
}

#[test]
fn export_goes_to_a_file_and_ends_with_its_reader() {
    let temp = tempfile::tempdir().unwrap();
    let database = format!("{}/db", temp.path().display());
    ok(&["import", &database, "examples/data/sip-cdrs.ndjson"]);
    let file = temp.path().join("out.ndjson");
    assert_eq!(ok(&["export", &database, "-o", file.to_str().unwrap()]), "");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        ok(&["export", &database])
    );

    let script = format!(
        "{} export {database} | head -1; exit ${{PIPESTATUS[0]}}",
        crate::node::BINARY
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}

#[test]
fn an_export_that_fails_leaves_an_older_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = format!("{}/data/calls", dir.path().display());
    let made = trunkline_with_input(&["import", &database, "-"], b"{}");
    assert!(made.status.success(), "{made:?}");
    let file = dir.path().join("calls.ndjson");
    std::fs::write(&file, "older").unwrap();
    let file_text = file.to_str().unwrap();
    let nowhere = format!("{}/data/none", dir.path().display());
    for missing in [nowhere.as_str(), "http://127.0.0.1:1/none"] {
        let output = trunkline_with_input(&["export", missing, "-o", file_text], b"");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr).lines().count(),
            1,
            "{output:?}"
        );
        assert_eq!(std::fs::read(&file).unwrap(), b"older");
    }
    let output = trunkline_with_input(&["export", &database, "-o", file_text], b"");
    assert!(output.status.success(), "{output:?}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("{\"_id\":"));
}
