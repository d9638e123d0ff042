//! A client that means harm, or is broken: requests drawn at random for every route there is, against the real binary. No
//! failure of the server, no panic, no growth. `HOSTILE_SECONDS=300 cargo test --test it hostile` goes on for longer.

mod draw;

use crate::node::{Node, ask, ok};
use draw::Draw;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: u64 = 4;
/// What no kind of request may make the server keep.
const GROWTH_MIB_MAX: u64 = 96;
/// Statuses that say that the server means it: not implemented, and come back later.
const MEANT: [u16; 2] = [501, 503];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_brings_it_down() {
    let seconds = std::env::var("HOSTILE_SECONDS").map_or(10, |text| text.parse().unwrap());
    let seed = std::env::var("TRUNKLINE_SEED")
        .map_or_else(|_| rand::random::<u32>().into(), |text| text.parse().unwrap());
    eprintln!("seed {seed}: replay it with TRUNKLINE_SEED={seed}");
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path());
    begin(&node).await;
    let (address, pid) = (node.address().to_owned(), node.pid());
    let (asked, failures) = tokio::task::spawn_blocking(move || {
        let warm = run(&address, seed, seconds / 3 + 1);
        let before = memory_mib(pid);
        let hot = run(&address, seed + CLIENTS, seconds);
        let after = memory_mib(pid);
        assert!(
            after < before + GROWTH_MIB_MAX,
            "seed {seed}: {before} MiB became {after} MiB"
        );
        (warm.0 + hot.0, [warm.1, hot.1].concat())
    })
    .await
    .unwrap();
    assert!(failures.is_empty(), "seed {seed}: {failures:#?}");
    // It goes on as if nothing had been.
    assert_eq!(ask("GET", &format!("{}/_up", node.url), None).await.0, 200);
    let log = node.stop();
    assert!(!log.contains("panicked"), "seed {seed}: {log}");
    assert!(asked > 100, "seed {seed}: {asked} requests only");
    ok(&["check", dir.path().to_str().unwrap()]);
}

/// A database as those have that are meant.
async fn begin(node: &Node) {
    assert_eq!(ask("PUT", &format!("{}/db", node.url), None).await.0, 201);
    let docs = serde_json::from_str(draw::DOCS).unwrap();
    let (status, answer) = ask("POST", &format!("{}/db/_bulk_docs", node.url), Some(docs)).await;
    assert_eq!(status, 201, "{answer}");
}

/// How many requests were answered, and those that the server failed on.
fn run(address: &str, seed: u64, seconds: u64) -> (u64, Vec<String>) {
    let until = Instant::now() + Duration::from_secs(seconds);
    let asked = AtomicU64::new(0);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let asked = &asked;
                scope.spawn(move || {
                    let mut draw = Draw::new(StdRng::seed_from_u64(seed + client));
                    let mut failures = Vec::new();
                    while Instant::now() < until && failures.len() < 5 {
                        let request = draw.request();
                        asked.fetch_add(1, Ordering::Relaxed);
                        match send(address, &request) {
                            Ok(Some((status, answer))) if status >= 500 && !MEANT.contains(&status) => {
                                failures.push(format!("{}\n-> {answer}", String::from_utf8_lossy(&request)));
                            }
                            // Cut off, or not an answer yet: its right.
                            Ok(_) => {}
                            Err(error) => failures.push(format!("no connection: {error}")),
                        }
                    }
                    failures
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    (asked.into_inner(), failures)
}

/// Status and beginning of an answer, if one comes.
fn send(address: &str, request: &[u8]) -> std::io::Result<Option<(u16, String)>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let _ = stream.write_all(request);
    let mut answer = vec![0; 1024];
    let Ok(read) = stream.read(&mut answer) else {
        return Ok(None);
    };
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    Ok(status.map(|status| (status, answer)))
}

fn memory_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
