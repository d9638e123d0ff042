//! The real binary: run to its end, or as a server that can be stopped and killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

/// What Cargo built.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_trunkline");

/// Runs the command to its end.
pub(crate) fn trunkline(args: &[&str]) -> Output {
    trunkline_with_input(args, b"")
}

/// Runs the command to its end, giving it `input`.
pub(crate) fn trunkline_with_input(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(BINARY)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The command may end without reading it all.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// Runs the command, which must succeed; answers what it printed.
pub(crate) fn ok(args: &[&str]) -> String {
    let output = trunkline(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the command, which must fail with one line; answers that.
pub(crate) fn fails(args: &[&str]) -> String {
    let output = trunkline(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.trim_end().lines().count(), 1, "{args:?}: {told}");
    told.trim_end().to_owned()
}

/// Runs the command, which must have bad news, and nothing else: exit code 1. Answers what it printed.
pub(crate) fn bad_news(args: &[&str]) -> String {
    let output = trunkline(args);
    assert_eq!(
        (output.status.code(), output.stderr.len()),
        (Some(1), 0),
        "{args:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A running `trunkline serve`. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    /// Where it listens: `http://127.0.0.1:port`.
    pub(crate) url: String,
    /// The port where it speaks TLS, if it does.
    pub(crate) tls_port: Option<u16>,
    /// Its store's directory.
    pub(crate) dir: PathBuf,
    log: Option<JoinHandle<String>>,
}

impl Node {
    /// Starts a server on a free port, and waits until it listens.
    pub(crate) fn start(dir: &Path) -> Node {
        Node::start_on(dir, "127.0.0.1:0")
    }

    /// Starts a server on a given address, and waits until it listens.
    pub(crate) fn start_on(dir: &Path, listen: &str) -> Node {
        Node::start_with(dir, &["--listen", listen], &[])
    }

    /// Starts a server with these options and variables, and waits until it listens.
    pub(crate) fn start_with(dir: &Path, options: &[&str], variables: &[(&str, &str)]) -> Node {
        Node::listening(dir, Node::spawn(dir, options, variables))
    }

    /// The process of a server that starts.
    pub(crate) fn spawn(dir: &Path, options: &[&str], variables: &[(&str, &str)]) -> Child {
        Command::new(BINARY)
            .args(["serve", dir.to_str().unwrap()])
            .args(options)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until it listens.
    pub(crate) fn listening(dir: &Path, mut child: Child) -> Node {
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            let _ = std::io::Read::read_to_string(&mut stderr, &mut log);
            log
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        // Read on for ever, so that the server never meets a closed pipe.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://")) else {
            let _ = child.wait();
            panic!("the server did not start: {line:?} {}", log.join().unwrap());
        };
        let secured = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("https://"));
        let tls_port = secured.map(|address| address.rsplit(':').next().unwrap().parse().unwrap());
        Node {
            url: url.to_owned(),
            tls_port,
            child,
            dir: dir.to_owned(),
            log: Some(log),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM); it must do so in order. Answers its log.
    pub(crate) fn stop(mut self) -> String {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        let log = self.log.take().unwrap().join().unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// Sends it a signal, `-STOP` for example.
    pub(crate) fn signal(&self, signal: &str) {
        send(&self.child, signal);
    }
}

/// Sends a process a signal.
pub(crate) fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success());
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP client.
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Asks with a JSON body; answers status and JSON.
pub(crate) async fn ask(
    method: &str,
    url: &str,
    body: Option<serde_json::Value>,
) -> (u16, serde_json::Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client().request(method, url);
    if let Some(body) = body {
        request = request
            .header("Content-Type", "application/json")
            .body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// Makes a document, which was not there.
pub(crate) async fn put(node: &Node, path: &str, body: serde_json::Value) {
    let (status, answer) = ask("PUT", &format!("{}/{path}", node.url), Some(body)).await;
    assert_eq!(status, 201, "{path}: {answer}");
}
