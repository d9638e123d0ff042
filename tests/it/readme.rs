//! Every command of the README, run as it stands there.
//!
//! Each ```` ```sh ```` block is run, in order, in one directory. A line that starts a server runs beside the others,
//! until the end. Ports are replaced by free ones. Where a ```` ```text ```` block follows, its lines must be printed,
//! in order; `…` in them stands for anything.

use crate::node::{BINARY, Node};
use std::path::Path;
use std::process::Command;

/// Lines that are not run here: they would build what is being tested, or run this very test.
const NOT_RUN: [&str; 2] = ["cargo install --path .", "cargo test --workspace"];

/// What starts a server, however it is called.
const SERVE: [&str; 2] = ["cargo run --release -- serve", "trunkline serve"];

#[test]
fn every_command_of_the_readme_works() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let temp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(repository.join("examples"), temp.path().join("examples")).unwrap();
    let mut tour = Tour {
        dir: temp.path(),
        servers: Vec::new(),
    };
    let blocks = blocks(&readme);
    let mut commands = 0;
    for (index, (language, text)) in blocks.iter().enumerate() {
        if language != "sh" {
            continue;
        }
        let printed = tour.run(text);
        commands += 1;
        if let Some((_, expected)) = blocks.get(index + 1).filter(|(language, _)| language == "text") {
            check(text, &printed, expected);
        }
    }
    assert!(commands >= 10, "only {commands} blocks were found");
    for server in tour.servers {
        server.node.stop();
    }
}

/// The fenced blocks: language and text.
pub(crate) fn blocks(markdown: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language.to_owned(), text.join("\n")));
        }
    }
    blocks
}

struct Server {
    port: String,
    node: Node,
}

struct Tour<'a> {
    dir: &'a Path,
    servers: Vec<Server>,
}

impl Tour<'_> {
    /// Runs a block; answers what it printed.
    fn run(&mut self, block: &str) -> String {
        let mut script = String::from("set -e\n");
        for line in block.lines() {
            if let Some(arguments) = SERVE.iter().find_map(|serve| line.strip_prefix(serve)) {
                self.serve(arguments);
            } else if !NOT_RUN.contains(&line) {
                script.push_str(line);
                script.push('\n');
            }
        }
        for server in &self.servers {
            script = script.replace(&format!("127.0.0.1:{}", server.port), server.node.address());
        }
        let bin = Path::new(BINARY).parent().unwrap().display();
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(self.dir)
            .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
        let mut printed = String::from_utf8(output.stdout).unwrap();
        for server in &self.servers {
            printed = printed.replace(server.node.address(), &format!("127.0.0.1:{}", server.port));
        }
        printed
    }

    /// Starts the server of `[DIR] [--listen 127.0.0.1:PORT]` on a free port.
    fn serve(&mut self, arguments: &str) {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let (dir, port) = match words.as_slice() {
            [] => ("./data", "5984"),
            [dir] => (*dir, "5984"),
            [dir, "--listen", address] => (*dir, address.rsplit(':').next().unwrap()),
            other => panic!("this test cannot start a server with {other:?}"),
        };
        self.servers.push(Server {
            port: port.to_owned(),
            node: Node::start(&self.dir.join(dir)),
        });
    }
}

pub(crate) fn check(block: &str, printed: &str, expected: &str) {
    let mut lines = printed.lines();
    for expected in expected.lines() {
        assert!(
            lines.any(|line| matches(line, expected)),
            "{block}\nshould print\n{expected}\nbut printed\n{printed}"
        );
    }
}

/// Whether a line is as expected, `…` standing for anything.
fn matches(line: &str, expected: &str) -> bool {
    let parts: Vec<&str> = expected.split('…').collect();
    let [first, between @ .., last] = parts.as_slice() else {
        return line == expected;
    };
    let Some(mut rest) = line.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    between.iter().all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn ellipsis_stands_for_anything() {
    assert!(matches("a-1-b", "a-…-b") && matches("ab", "a…b") && matches("a1b2c", "a…b…c"));
    assert!(!matches("a-1-c", "a-…-b") && !matches("a", "a…a") && !matches("a1c", "a…b…c"));
}
