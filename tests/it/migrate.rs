//! `trunkline migrate`, from start to finish. Stands in for the CouchDB: another node, on which everything is done that
//! one can do to a CouchDB. `tests/clients` has the same with a PouchDB Server.

use crate::node::{Node, ask, bad_news, fails, ok, put, trunkline_with_input};
use crate::readme::{blocks, check};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

struct Move {
    couch: Node,
    ours: Node,
}

/// Waits until a document is there with this content.
async fn until(url: &str, member: &str, value: Value) {
    for _ in 0..1500 {
        if ask("GET", url, None).await.1[member] == value {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{url} stayed {:?}", ask("GET", url, None).await);
}

impl Move {
    /// Two servers; on the first, databases with documents of every kind.
    async fn new(dir: &Path) -> Move {
        let (couch, ours) = (Node::start(&dir.join("couch")), Node::start(&dir.join("ours")));
        for database in ["cdrs", "acct%2B1%2Fnov", "_users"] {
            assert_eq!(
                ask("PUT", &format!("{}/{database}", couch.url), None).await.0,
                201
            );
        }
        let cdrs = format!("{}/cdrs", couch.url);
        let security =
            json!({"admins": {"names": ["anna"], "roles": []}, "members": {"names": [], "roles": ["ops"]}});
        let torn = |rev: &str| json!({"_id": "torn", "_rev": rev, "by": rev});
        let docs = [
            torn("1-a"),
            torn("1-b"),
            json!({"_id": "gone", "_rev": "2-c", "_deleted": true}),
        ];
        let voice = json!({"voice.wav": {"content_type": "audio/wav", "data": "UklGRg=="}});
        for (method, path, body) in [
            ("PUT", "_security", security),
            ("PUT", "call-1", json!({"n": 1})),
            ("PUT", "_design/calls", json!({"views": {}})),
            ("POST", "_bulk_docs", json!({"new_edits": false, "docs": docs})),
            ("PUT", "message", json!({"_attachments": voice})),
        ] {
            let (status, answer) = ask(method, &format!("{cdrs}/{path}"), Some(body)).await;
            assert!(status < 300, "{path}: {answer}");
        }
        let nov = format!("{}/acct%2B1%2Fnov/call-9", couch.url);
        assert_eq!(ask("PUT", &nov, Some(json!({"n": 9}))).await.0, 201);
        Move { couch, ours }
    }

    fn args<'a>(&'a self, step: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut args = vec!["migrate", step, &self.couch.url, &self.ours.url];
        args.extend(more);
        args
    }

    fn ok(&self, step: &str, more: &[&str]) -> String {
        ok(&self.args(step, more))
    }

    fn refuses(&self, step: &str, more: &[&str]) -> String {
        bad_news(&self.args(step, more))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_and_a_cut_over_ends_the_move() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Move::new(dir.path()).await;
    let Move { couch, ours } = &servers;
    assert!(servers.refuses("status", &[]).contains("cdrs: not being moved"));
    assert!(fails(&servers.args("cut-over", &[])).contains("not being moved"));

    let told = servers.ok("start", &[]);
    assert!(
        told.starts_with("3 databases: 3 begun, 0 under way already\n"),
        "{told}"
    );
    assert!(servers.ok("verify", &[]).ends_with("3 databases the same\n"));
    for path in [
        "cdrs/_security",
        "cdrs/torn?conflicts=true",
        "cdrs/_changes?style=all_docs",
        "cdrs/_design/calls",
        "cdrs/message?attachments=true",
        "acct%2B1%2Fnov/call-9",
    ] {
        let (there, here) = (format!("{}/{path}", couch.url), format!("{}/{path}", ours.url));
        let (there, here) = (ask("GET", &there, None).await, ask("GET", &here, None).await);
        if path.contains("_changes") {
            assert_eq!(there.1["results"].as_array().unwrap().len(), 5);
        } else {
            assert_eq!(there, here);
        }
        assert_eq!(here.0, 200, "{path}");
    }

    // It goes on, also where it was started before; the other way is not asked for.
    put(couch, "cdrs/call-2", json!({"n": 2})).await;
    until(&format!("{}/cdrs/call-2", ours.url), "n", json!(2)).await;
    let told = servers.ok("start", &["--no-wait"]);
    assert!(told.contains("0 begun, 3 under way already"), "{told}");
    assert!(servers.ok("status", &[]).contains("cdrs: running, "));
    put(ours, "cdrs/ours", json!({"n": 3})).await;
    let missing = format!("{}/cdrs/ours", couch.url);
    assert_eq!(ask("GET", &missing, None).await.0, 404);

    // The CouchDB lacks what was written here: nobody should go back there unknowing.
    let told = servers.refuses("cut-over", &[]);
    assert!(told.contains("\nours, only at the target: 1-"), "{told}");
    assert!(
        told.contains("\ncdrs: 7 documents compared, 1 document differs\n"),
        "{told}"
    );
    assert!(
        told.ends_with("nothing was ended: the copies follow on\n"),
        "{told}"
    );
    assert_eq!(
        servers.refuses("verify", &[]).lines().last(),
        Some("1 database not the same")
    );
    let told = servers.ok("cut-over", &["--database", "_users"]);
    assert!(told.contains("cut over: 1 database served by http://"), "{told}");

    assert_eq!(
        ask(
            "DELETE",
            &format!(
                "{}/cdrs/ours?rev={}",
                ours.url,
                rev(&format!("{}/cdrs/ours", ours.url)).await
            ),
            None
        )
        .await
        .0,
        200
    );
    let told = servers.refuses("cut-over", &["--database", "cdrs"]);
    assert!(told.contains("ours, only at the target: 2-"), "{told}");
    ok(&[
        "replicate",
        &format!("{}/cdrs", ours.url),
        &format!("{}/cdrs", couch.url),
    ]);
    servers.ok("cut-over", &["--database", "cdrs", "--database", "acct+1/nov"]);
    put(couch, "cdrs/too-late", json!({})).await;
    let jobs = ask("GET", &format!("{}/_scheduler/docs", ours.url), None).await.1;
    assert_eq!(jobs["docs"], json!([]));
    assert_eq!(servers.ok("finish", &[]), "0 replications ended\n");
}

async fn rev(url: &str) -> String {
    ask("GET", url, None).await.1["_rev"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_keep_the_couchdb_up_to_date_until_the_finish() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Move::new(dir.path()).await;
    let Move { couch, ours } = &servers;
    let told = servers.ok("start", &["--both-ways"]);
    assert!(
        told.ends_with("3 databases caught up; the copies follow on\n"),
        "{told}"
    );
    put(ours, "cdrs/ours", json!({"n": 3})).await;
    until(&format!("{}/cdrs/ours", couch.url), "n", json!(3)).await;
    put(couch, "cdrs/theirs", json!({"n": 4})).await;
    until(&format!("{}/cdrs/theirs", ours.url), "n", json!(4)).await;

    let told = servers.ok("cut-over", &[]);
    assert!(
        told.ends_with(
            "3 databases still replicated back to the CouchDB; `trunkline migrate finish` ends that\n"
        ),
        "{told}"
    );
    assert!(
        servers
            .ok("status", &[])
            .contains("cdrs: cut over, and replicated back")
    );
    // Again is as good as once.
    servers.ok("cut-over", &[]);
    put(ours, "cdrs/after", json!({"n": 5})).await;
    until(&format!("{}/cdrs/after", couch.url), "n", json!(5)).await;
    put(couch, "cdrs/too-late", json!({})).await;
    assert_eq!(servers.ok("finish", &[]), "3 replications ended\n");
    let late = format!("{}/cdrs/too-late", ours.url);
    assert_eq!(ask("GET", &late, None).await.0, 404);
    assert!(servers.refuses("status", &[]).contains("cdrs: not being moved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_outlives_either_server_and_says_what_it_waits_for() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Move::new(dir.path()).await;
    servers.ok("start", &["--no-wait"]);
    let Move { couch, ours } = servers;
    let (couch_at, ours_at) = (couch.address().to_owned(), ours.address().to_owned());
    let (couch_dir, ours_dir) = (couch.dir.clone(), ours.dir.clone());
    ours.kill();
    put(&couch, "cdrs/meanwhile", json!({"n": 6})).await;
    let ours = Node::start_on(&ours_dir, &ours_at);
    until(&format!("{}/cdrs/meanwhile", ours.url), "n", json!(6)).await;
    couch.kill();
    let jobs = format!("{}/_scheduler/docs/_replicator/migrate-cdrs", ours.url);
    until(&jobs, "state", json!("crashing")).await;
    let told = fails(&["migrate", "status", &format!("http://{couch_at}"), &ours.url]);
    assert!(told.contains(&couch_at), "{told}");
    let couch = Node::start_on(&couch_dir, &couch_at);
    let servers = Move { couch, ours };
    until(&jobs, "state", json!("running")).await;
    servers.ok("cut-over", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_the_manual_works() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Move::new(dir.path()).await;
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrating.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let blocks = blocks(&manual);
    let mut steps = 0;
    for (at, (language, text)) in blocks.iter().enumerate() {
        let mut printed = String::new();
        let commands = text.lines().filter(|line| line.starts_with("trunkline migrate "));
        for command in commands.filter(|_| language == "sh") {
            let command = command.replace("http://couch:5984", &servers.couch.url);
            let command = command.replace("http://127.0.0.1:5984", &servers.ours.url);
            let command: Vec<_> = command.split(' ').skip(1).collect();
            let done = trunkline_with_input(&command, b"secret\n");
            assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
            printed += &String::from_utf8(done.stdout).unwrap();
            steps += 1;
        }
        let printed = printed.replace(&servers.ours.url, "http://127.0.0.1:5984");
        if let Some((_, expected)) = blocks.get(at + 1).filter(|(language, _)| language == "text") {
            check(text, &printed, expected);
        }
    }
    assert_eq!(steps, 6);
}

/// A server that has one database, and no `_security`: what PouchDB Server is without that plugin.
fn server_without_security() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut asked = String::new();
            let mut lines = BufReader::new(&connection);
            lines.read_line(&mut asked).unwrap();
            let mut rest = String::new();
            while lines.read_line(&mut rest).unwrap() > 2 {}
            let (status, body) = match asked.split(' ').nth(1) {
                Some("/_all_dbs") => ("200 OK", r#"["calls"]"#),
                _ => ("404 Not Found", r#"{"error":"not_found","reason":"missing"}"#),
            };
            let length = body.len();
            // It may be gone by now.
            let _ = write!(
                connection,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_security_is_moved_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let ours = Node::start(&dir.path().join("ours"));
    let couch = server_without_security();
    let told = ok(&["migrate", "start", &couch, &ours.url, "--no-wait"]);
    assert_eq!(
        told,
        "calls: `_security` was not copied: the CouchDB has none\n1 database: 1 begun, 0 under way already\n"
    );
    let document = format!("{}/_replicator/migrate-calls", ours.url);
    assert_eq!(
        ask("GET", &document, None).await.1["source"]["url"],
        format!("{couch}/calls")
    );
}
