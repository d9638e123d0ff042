//! The commands that are quickly told: help, completions, info, check, compact, serve, and how failures look.

use crate::node::{Node, ask, fails, ok, trunkline};
use serde_json::json;

#[test]
fn help_shows_each_command_with_examples() {
    let help = ok(&["--help"]);
    for command in [
        "serve",
        "init",
        "config",
        "replicate",
        "import",
        "export",
        "info",
        "check",
        "compact",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        assert!(ok(&[command, "--help"]).contains("Usage: trunkline"), "{command}");
    }
    for command in ["serve", "replicate", "import", "export"] {
        assert!(ok(&[command, "--help"]).contains("Examples:"), "{command}");
    }
    assert!(help.contains("trunkline replicate http://"), "{help}");
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ok(&["completions", shell]);
        assert!(
            script.contains("trunkline") && script.contains("create-target"),
            "{shell}"
        );
    }
}

#[test]
fn failures_are_one_line_and_say_what_to_do() {
    let temp = tempfile::tempdir().unwrap();
    let nowhere = temp.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    assert!(fails(&["info", &format!("{nowhere}/cdrs")]).contains("holds no store"));
    assert!(fails(&["check", &format!("{nowhere}/cdrs")]).contains("holds no store"));
    // The directory that was named, not the one above it.
    assert!(fails(&["info", nowhere]).contains(&format!("{nowhere} holds no store")));
    assert!(fails(&["check", nowhere]).contains(&format!("{nowhere} holds no store")));
    let sub = temp.path().join("Not-A-Name");
    assert!(fails(&["info", sub.to_str().unwrap()]).contains("holds no store"));
    let told = fails(&["import", "ftp://host/cdrs", "examples/data/sip-cdrs.ndjson"]);
    assert!(
        told.contains("ftp://host/cdrs") && told.contains("http://"),
        "{told}"
    );
    assert!(!std::path::Path::new("ftp:").exists());
    assert!(fails(&["info", "http://"]).starts_with("trunkline: http:"));
    let told = fails(&["serve", "/dev/null/data", "--listen", "127.0.0.1:0"]);
    assert!(told.contains("/dev/null/data"), "{told}");
    assert!(fails(&["export", "cdrs"]).contains("./data/cdrs"));
    assert!(fails(&["export", &format!("{nowhere}/CDRS")]).contains("lower-case"));
    // Port 9 is closed on any machine this runs on.
    assert!(fails(&["export", "http://127.0.0.1:9/cdrs"]).contains("127.0.0.1:9"));
    assert!(
        fails(&[
            "replicate",
            "./a/cdrs",
            "./b/cdrs",
            "--selector",
            "{\"a\":{\"$no\":1}}"
        ])
        .contains("--selector")
    );
    let missing = ["import", &format!("{nowhere}/cdrs"), "no-such-file.ndjson"];
    assert!(fails(&missing).contains("no-such-file.ndjson"));
}

#[test]
fn unknown_options_are_explained_by_clap() {
    let output = trunkline(&["serve", "--no-such-option"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--help"));
}

#[tokio::test]
async fn a_directory_in_use_is_told_and_freed_by_a_stop() {
    let temp = tempfile::tempdir().unwrap();
    let node = Node::start(temp.path());
    let database = format!("{}/cdrs", temp.path().display());
    assert_eq!(ask("PUT", &format!("{}/cdrs", node.url), None).await.0, 201);

    let told = fails(&["info", &database]);
    assert!(told.contains("in use") && told.contains("http://"), "{told}");
    let told = fails(&["serve", temp.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert!(told.contains("in use"), "{told}");

    node.stop();
    assert!(ok(&["info", &database]).contains("doc_count: 0"));
}

#[tokio::test]
async fn info_check_and_compact_look_at_what_a_server_left() {
    let temp = tempfile::tempdir().unwrap();
    let node = Node::start(temp.path());
    let database = format!("{}/account%2Fab%2F202611", node.url);
    assert_eq!(ask("PUT", &database, None).await.0, 201);
    for number in 0..20 {
        let doc = json!({"_id": format!("call-{number}"), "seconds": number});
        assert_eq!(ask("POST", &database, Some(doc)).await.0, 201);
    }
    let told = ok(&["info", &database]);
    assert!(told.contains("doc_count: 20"), "{told}");
    assert!(ok(&["compact", &database]).contains("compacts"));
    node.stop();

    let dir = temp.path().to_str().unwrap();
    let told = ok(&["info", dir]);
    assert!(
        told.contains("account/ab/202611") && told.contains("20 documents"),
        "{told}"
    );
    let told = ok(&["info", "--json", &format!("{dir}/account/ab/202611")]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["info"]["doc_count"], 20);
    assert_eq!(ok(&["check", dir]), "1 database checked, nothing wrong\n");
    assert!(ok(&["compact", &format!("{dir}/account/ab/202611")]).contains("bytes before"));
    assert_eq!(ok(&["check", dir]), "1 database checked, nothing wrong\n");
}

#[test]
fn check_lists_what_is_wrong() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().to_str().unwrap();
    let import = ["import", &format!("{dir}/cdrs"), "examples/data/sip-cdrs.ndjson"];
    ok(&import);
    let file = temp.path().join("databases/cdrs/documents.redb");
    let bytes = std::fs::metadata(&file).unwrap().len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(bytes / 2)
        .unwrap();
    let output = trunkline(&["check", dir]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("cdrs: ") && told.contains("1 database checked"),
        "{told}"
    );
}

#[test]
fn a_damaged_database_does_not_hide_the_others() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().to_str().unwrap();
    for name in ["bad", "good"] {
        let database = format!("{dir}/{name}");
        ok(&["import", &database, "examples/data/sip-cdrs.ndjson"]);
    }
    // One byte of each page of documents: the file opens, and its checksums are wrong.
    let file = temp.path().join("databases/bad/documents.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    let mark = b"\"duration\"";
    let places: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(mark))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 1] ^= 1;
    }
    std::fs::write(&file, bytes).unwrap();
    let output = trunkline(&["check", dir]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.starts_with("bad: ") && told.contains("\n2 databases checked, "),
        "{told}"
    );

    std::fs::write(&file, "no redb").unwrap();
    let output = trunkline(&["info", dir]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("\n  good "), "{told}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("bad: "), "{told}");
}

#[tokio::test]
async fn replicate_moves_documents_between_a_server_and_a_directory() {
    let temp = tempfile::tempdir().unwrap();
    let node = Node::start(&temp.path().join("node"));
    let source = format!("{}/cdrs", node.url);
    ok(&["import", &source, "examples/data/sip-cdrs.ndjson"]);

    let target = format!("{}/cdrs", temp.path().join("reports").display());
    let told = fails(&["replicate", &source, &target]);
    assert!(told.contains("holds no store"), "{told}");
    let told = ok(&["replicate", &source, &target, "--create-target", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["ok"], &told["docs_written"]), (&json!(true), &json!(200)));
    let told = ok(&["replicate", &source, &target]);
    assert!(
        told.contains("0 documents written") && told.contains("nothing was to do"),
        "{told}"
    );

    let told = ok(&["replicate", &source, &target, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(told["source_last_seq"].is_string(), "{told}");
    let both = trunkline(&["replicate", &source, &target, "--doc-id", "a", "--selector", "{}"]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");

    let some = format!("{}/some", temp.path().join("reports").display());
    let answered = [
        "--create-target",
        "--selector",
        "{\"node\":\"sipnode1\",\"duration\":\"0\"}",
    ];
    ok(&[&["replicate", &source, &some][..], &answered].concat());
    let exported = ok(&["export", &some]);
    assert!(!exported.is_empty());
    assert!(
        exported.lines().all(|line| line.contains("\"duration\":\"0\"")),
        "{exported}"
    );
}

#[tokio::test]
async fn a_stop_ends_feeds_and_keeps_what_was_written() {
    let temp = tempfile::tempdir().unwrap();
    let node = Node::start(temp.path());
    let database = format!("{}/cdrs", node.url);
    assert_eq!(ask("PUT", &database, None).await.0, 201);
    assert_eq!(ask("PUT", &format!("{database}/a"), Some(json!({}))).await.0, 201);
    let feed = crate::node::client()
        .get(format!("{database}/_changes?feed=continuous&heartbeat=1000"))
        .send()
        .await
        .unwrap();
    let feed = tokio::spawn(feed.text());
    tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
    let text = feed.await.unwrap().unwrap();
    assert!(
        text.trim_end().ends_with('}') && text.contains("\"last_seq\""),
        "{text}"
    );
    let exported = ok(&["export", &format!("{}/cdrs", temp.path().display())]);
    assert!(exported.starts_with("{\"_id\":\"a\""), "{exported}");
}

#[test]
fn a_server_that_is_no_database_is_told_as_such() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:secret@{}/cdrs", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    for args in [
        &["info", &url][..],
        &["export", &url],
        &["import", &url, "examples/data/sip-cdrs.ndjson"],
    ] {
        let told = String::from_utf8(trunkline(args).stderr).unwrap();
        let (warned, told) = told.trim_end().split_once('\n').unwrap();
        assert!(
            warned.contains("process lists") && warned.contains("--user"),
            "{warned}"
        );
        assert!(told.contains("/cdrs") && told.contains("no database"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let temp = tempfile::tempdir().unwrap();
    let log = Node::start(temp.path()).stop();
    assert!(log.contains("stopping") && !log.contains('\u{1b}'), "{log:?}");
}

#[test]
fn nobody_need_read_what_is_told_on_standard_error() {
    let temp = tempfile::tempdir().unwrap();
    let database = format!("{}/cdrs", temp.path().display());
    let file = temp.path().join("some.ndjson");
    std::fs::write(&file, "7\n{\"_id\":\"a\"}\n8\n{\"_id\":\"b\"}\n").unwrap();
    let file = file.to_str().unwrap();
    for (args, code) in [
        (&["import", &database, file, "--batch", "1"][..], 1),
        (&["export", &database], 0),
        (&["info", "./no/such"], 1),
    ] {
        let mut child = std::process::Command::new(crate::node::BINARY)
            .args(args)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stderr.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    }
    assert_eq!(ok(&["export", &database]).lines().count(), 2);
}
