//! A server has as many file descriptors as it may, and connections do not take those that databases need.

use crate::node::{BINARY, Node, client};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[tokio::test]
async fn connections_leave_descriptors_to_databases() {
    let temp = tempfile::tempdir().unwrap();
    let limited = "ulimit -Sn 100 && ulimit -Hn 400 && exec \"$0\" serve \"$1\" --listen 127.0.0.1:0";
    let child = Command::new("sh")
        .args(["-c", limited, BINARY, temp.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let node = Node::listening(temp.path(), child);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let files: Vec<_> = files.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(files, ["400", "400"]);
    let client = client();
    assert_eq!(client.get(&node.url).send().await.unwrap().status(), 200);
    // More than there are descriptors; the first one stays.
    let _silent: Vec<_> = (0..500)
        .map(|_| TcpStream::connect(node.address()).unwrap())
        .collect();
    for name in ["a", "b", "c"] {
        let url = format!("{}/{name}", node.url);
        assert_eq!(client.put(&url).send().await.unwrap().status(), 201);
        let put = client.put(format!("{url}/doc")).body("{}").send().await;
        assert_eq!(put.unwrap().status(), 201);
    }
    drop(client);
    let log = node.stop();
    assert_eq!(log.matches("but 100 are let in at once").count(), 1, "{log}");
}
