//! Settings of a server: from files, variables and flags, over HTTP, and read again.

use crate::node::{Node, ask, fails, ok, send};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

#[test]
fn the_example_is_right_and_sets_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("trunkline.toml");
    let dir = temp.path().to_str().unwrap();
    let bare = ok(&["config", "show", dir]);
    let example = ok(&["config", "--example"]);
    assert!(example.contains("from where the server is started"), "{example}");
    std::fs::write(&file, example).unwrap();
    assert_eq!(
        ok(&["config", "check", file.to_str().unwrap()]),
        format!("{}: ok\n", file.display())
    );
    assert_eq!(ok(&["config", "show", dir]), bare);
    assert!(
        bare.contains("server/listen = 127.0.0.1:5984  (default)\n"),
        "{bare}"
    );
}

#[test]
fn what_is_wrong_is_told_by_line() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("trunkline.toml");
    std::fs::write(&file, "[authentication]\nrequire_valid_usr = true\n").unwrap();
    let (dir, file) = (temp.path().to_str().unwrap(), file.to_str().unwrap());
    for told in [
        fails(&["config", "check", file]),
        fails(&["config", "show", dir]),
        fails(&["serve", dir, "--listen", "127.0.0.1:0"]),
        fails(&["serve", "--config", file, dir]),
    ] {
        let all = "trunkline.toml, line 2: unknown key `require_valid_usr` in [authentication]; did you mean `require_valid_user`?";
        assert!(told.ends_with(all), "{told}");
    }
    std::fs::write(file, "[log]\nfilter = \"loud=very\"\n").unwrap();
    assert!(fails(&["config", "check", file]).contains("`filter` in [log]"));
    assert!(fails(&["serve", dir, "--listen", "127.0.0.1:0"]).contains("`filter` in [log]"));
    assert!(fails(&["serve", dir, "--config", "no-such-file.toml"]).contains("no such file"));
    assert!(fails(&["config", "check", "no-such-file.toml"]).contains("no such file"));
}

#[tokio::test]
async fn what_is_set_over_http_outlives_the_server() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("trunkline.toml"), "[lockout]\nseconds = 11\n").unwrap();
    let variables = [("TRUNKLINE_CORS_MAX_AGE", "60")];
    let node = Node::start_with(temp.path(), &["--listen", "127.0.0.1:0"], &variables);
    let at = |node: &Node, path: &str| format!("{}/_node/_local/_config/{path}", node.url);
    assert_eq!(
        ask("GET", &at(&node, "lockout/seconds"), None).await,
        (200, json!("11"))
    );
    assert_eq!(
        ask("PUT", &at(&node, "lockout/seconds"), Some(json!("20"))).await,
        (200, json!("11"))
    );
    assert_eq!(ask("GET", &at(&node, "lockout"), None).await.1["seconds"], "20");
    let (status, refused) = ask("PUT", &at(&node, "cors/max_age"), Some(json!(1))).await;
    assert_eq!(status, 400, "{refused}");
    let (status, refused) = ask("PUT", &at(&node, "server/cache_mb"), Some(json!(1))).await;
    assert!(
        status == 400
            && refused["reason"]
                .as_str()
                .unwrap()
                .contains("when the server starts"),
        "{refused}"
    );
    let secret = ask("GET", &at(&node, "sessions/secret"), None).await;
    assert_eq!(secret, (200, json!("…")));
    node.stop();
    let node = Node::start(temp.path());
    assert_eq!(
        ask("GET", &at(&node, "lockout/seconds"), None).await,
        (200, json!("20"))
    );
    assert_eq!(
        ask("DELETE", &at(&node, "lockout/seconds"), None).await,
        (200, json!("20"))
    );
    assert_eq!(
        ask("GET", &at(&node, "lockout/seconds"), None).await,
        (200, json!("11"))
    );
    node.stop();
}

#[tokio::test]
async fn the_file_is_read_again_when_asked_or_signalled() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("trunkline.toml");
    let node = Node::start(temp.path());
    let seconds = format!("{}/_node/_local/_config/lockout/seconds", node.url);
    let reload = format!("{}/_node/nonode@nohost/_config/_reload", node.url);
    std::fs::write(&file, "[lockout]\nseconds = 11\n[log]\njson = true\n").unwrap();
    let answer = ask("POST", &reload, Some(json!({}))).await;
    assert_eq!(
        answer,
        (200, json!({ "ok": true, "after_restart": ["log/json"] }))
    );
    assert_eq!(ask("GET", &seconds, None).await, (200, json!("11")));
    std::fs::write(&file, "[lockout]\nsecond = 12\n").unwrap();
    let (status, wrong) = ask("POST", &reload, Some(json!({}))).await;
    assert!(
        status == 400 && wrong["reason"].as_str().unwrap().contains("line 2"),
        "{wrong}"
    );
    assert_eq!(ask("GET", &seconds, None).await, (200, json!("11")));
    std::fs::write(&file, "[lockout]\nseconds = 13\n").unwrap();
    node.signal("-HUP");
    while ask("GET", &seconds, None).await.1 != "13" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.stop();
}

#[tokio::test]
async fn a_signal_during_the_start_is_heeded_once_it_runs() {
    let temp = tempfile::tempdir().unwrap();
    // A file that is read when the test says so.
    let pipe = temp.path().join("settings.pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let options = ["--listen", "127.0.0.1:0", "--config", pipe.to_str().unwrap()];
    let child = Node::spawn(temp.path(), &options, &[]);
    // Opened once the other end is: the server starts, and waits for its settings.
    let mut settings = std::fs::File::options().write(true).open(&pipe).unwrap();
    send(&child, "-HUP");
    settings.write_all(b"[lockout]\nseconds = 11\n").unwrap();
    drop(settings);
    let node = Node::listening(temp.path(), child);
    // Opened once it reads them again. Meanwhile it tells nobody what is set.
    let mut settings = std::fs::File::options().write(true).open(&pipe).unwrap();
    settings.write_all(b"[lockout]\nseconds = 13\n").unwrap();
    drop(settings);
    let seconds = format!("{}/_node/_local/_config/lockout/seconds", node.url);
    while ask("GET", &seconds, None).await.1 != "13" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.stop();
}
