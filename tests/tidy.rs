//! The shape of the code, held by `cargo test`: which crate may use which, where documents are written, how long a
//! file gets, which words and paths stay out. Every violation is listed at once, with what to do about it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate uses only crates of lower rank; crates of one rank do not see each other.
const RANKS: [(&str, u8); 8] = [
    ("trunkline-core", 0),
    ("trunkline-wire", 1),
    ("trunkline-js", 1),
    ("trunkline-store", 2),
    ("trunkline-query", 3),
    ("trunkline-replicate", 3),
    ("trunkline-http", 4),
    ("trunkline", 5),
];
/// May use anything; nothing that users get may use them, save its tests.
const UNRANKED: [&str; 2] = ["trunkline-testkit", "trunkline-bench"];
/// Where redb may be used directly: the store, the index files, and what measures or torments them.
const REDB_USERS: [&str; 4] = [
    "trunkline-store",
    "trunkline-query",
    "trunkline-testkit",
    "trunkline-bench",
];

/// Only `write` changes documents. Others begin a write transaction to make a file that is not a database yet (`file`
/// a new one, `compact` a copy), or to commit nothing, durably (`flush`).
const WRITE_DOOR: &str = "crates/store/src/write/";
const CHANGE_NO_DOCUMENT: [&str; 3] = [
    "crates/store/src/file.rs",
    "crates/store/src/compact.rs",
    "crates/store/src/flush.rs",
];

const LINES_MEDIAN_MAX: usize = 150;
const LINES_NINTH_DECILE_MAX: usize = 450;
const LINES_MAX: usize = 800;
const BLOB_BYTES_MAX: u64 = 512 * 1024;

const VAGUE_MODULES: [&str; 8] = [
    "util", "utils", "common", "misc", "manager", "helper", "helpers", "shared",
];
const UNFINISHED: [&str; 5] = ["todo!(", "unimplemented!(", "#[ignore", "FIXME", "XXX"];
const MACHINE_PATHS: [&str; 3] = ["/work/", "/root/", "/home/"];
const NOT_SOURCE: [&str; 7] = [
    "target",
    ".git",
    "node_modules",
    "__pycache__",
    "corpus",
    "artifacts",
    "data",
];

struct Source {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Lines with their numbers, without those that are comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .map(|(at, line)| (at + 1, line.trim_start()))
            .filter(|(_, line)| !line.starts_with("//"))
    }

    fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

#[test]
fn the_code_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources(root);
    let rust: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.ends_with(".rs"))
        .collect();
    assert!(
        rust.len() > 50,
        "found only {} files of Rust under {}",
        rust.len(),
        root.display()
    );

    let mut found = Vec::new();
    check_ranks(root, &mut found);
    check_module_docs(&rust, &mut found);
    check_lengths(&rust, &mut found);
    check_module_names(&rust, &mut found);
    check_words(&rust, &mut found);
    check_write_door(&rust, &mut found);
    check_paths_in_prose(root, &sources, &mut found);
    check_machine_paths(&sources, &mut found);
    check_blobs(root, &mut found);
    assert!(
        found.is_empty(),
        "{} things to tidy:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Every text file of the project.
fn sources(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path: PathBuf = entry.expect("a folder entry").path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if NOT_SOURCE.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path
                    .strip_prefix(root)
                    .expect("under the root")
                    .to_string_lossy()
                    .replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn check_ranks(root: &Path, found: &mut Vec<String>) {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root)
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo describes the workspace");
    let rank = |name: &str| {
        RANKS
            .iter()
            .find(|(ranked, _)| *ranked == name)
            .map(|(_, rank)| *rank)
    };
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let own_rank = rank(name);
        if own_rank.is_none() && !UNRANKED.contains(&name) {
            found.push(format!("{name}: has no rank: give it one in tests/tidy.rs"));
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            let in_tests = dependency["kind"].as_str() == Some("dev");
            if used == "redb" && !in_tests && !REDB_USERS.contains(&name) {
                found.push(format!("{name}: uses redb: only the store does"));
            }
            let Some(own_rank) = own_rank else { continue };
            if UNRANKED.contains(&used) && !in_tests {
                found.push(format!("{name}: uses {used}, which is for tests"));
            }
            if rank(used).is_some_and(|used| used >= own_rank) {
                found.push(format!("{name}: uses {used}, which does not rank below it"));
            }
        }
    }
}

fn check_module_docs(rust: &[&Source], found: &mut Vec<String>) {
    for source in rust.iter().filter(|source| !source.text.starts_with("//!")) {
        found.push(format!(
            "{}: does not open with //!: say what the module is for",
            source.path
        ));
    }
}

fn check_lengths(rust: &[&Source], found: &mut Vec<String>) {
    let counted = rust
        .iter()
        .filter(|source| source.is_under(&["crates/", "examples/", "tests/"]));
    let mut lengths: Vec<(usize, &str)> = counted
        .map(|source| (source.text.lines().count(), source.path.as_str()))
        .collect();
    lengths.sort_unstable();
    for (lines, path) in lengths.iter().filter(|(lines, _)| *lines > LINES_MAX) {
        found.push(format!(
            "{path}: {lines} lines, over {LINES_MAX}: split it by concept"
        ));
    }
    let (median, _) = lengths[lengths.len() / 2];
    if median > LINES_MEDIAN_MAX {
        found.push(format!(
            "half of all files are over {median} lines, want {LINES_MEDIAN_MAX}"
        ));
    }
    let (ninth_decile, _) = lengths[lengths.len() * 9 / 10];
    if ninth_decile > LINES_NINTH_DECILE_MAX {
        found.push(format!(
            "a tenth of all files is over {ninth_decile} lines, want {LINES_NINTH_DECILE_MAX}"
        ));
    }
}

fn check_module_names(rust: &[&Source], found: &mut Vec<String>) {
    for source in rust {
        let mut names = source.path.trim_end_matches(".rs").split('/');
        if let Some(vague) = names.find(|name| VAGUE_MODULES.contains(name)) {
            found.push(format!(
                "{}: `{vague}` says nothing: name the concept",
                source.path
            ));
        }
        for (at, line) in source.code() {
            let declared = line.split_once("mod ").and_then(|(before, name)| {
                let is_declaration = before.is_empty() || before.starts_with("pub");
                is_declaration.then(|| name.trim_end_matches([' ', '{', ';', '}']))
            });
            if declared.is_some_and(|name| VAGUE_MODULES.contains(&name)) {
                found.push(format!(
                    "{}:{at}: a vague module name: name the concept",
                    source.path
                ));
            }
        }
    }
}

fn check_words(rust: &[&Source], found: &mut Vec<String>) {
    // This file has to name what it looks for.
    for source in rust.iter().filter(|source| source.path != "tests/tidy.rs") {
        for (at, line) in source.text.lines().enumerate() {
            if let Some(word) = UNFINISHED.iter().find(|word| line.contains(*word)) {
                found.push(format!("{}:{}: `{word}`: finish it", source.path, at + 1));
            }
        }
        if source.is_under(&["crates/core/src/", "crates/store/src/"]) {
            for (at, line) in source.code() {
                if line.contains("Serialize") || line.contains("Deserialize") {
                    let path = &source.path;
                    found.push(format!(
                        "{path}:{at}: serde on a domain type: what JSON looks like is wire's business"
                    ));
                }
            }
        }
    }
}

fn check_write_door(rust: &[&Source], found: &mut Vec<String>) {
    let store = rust
        .iter()
        .filter(|source| source.is_under(&["crates/store/src/"]));
    let elsewhere = store.filter(|source| !source.is_under(&[WRITE_DOOR]) && !source.path.contains("/tests"));
    let mut harmless = Vec::new();
    for source in elsewhere {
        for (at, _) in source.code().filter(|(_, line)| line.contains("begin_write(")) {
            if CHANGE_NO_DOCUMENT.contains(&source.path.as_str()) {
                harmless.push(source.path.as_str());
            } else {
                let path = &source.path;
                found.push(format!(
                    "{path}:{at}: a write transaction outside {WRITE_DOOR}, the one door for changes"
                ));
            }
        }
    }
    for idle in CHANGE_NO_DOCUMENT.iter().filter(|path| !harmless.contains(path)) {
        found.push(format!(
            "tests/tidy.rs: {idle} writes no longer: take it off the list"
        ));
    }
    if !rust
        .iter()
        .any(|source| source.is_under(&[WRITE_DOOR]) && source.text.contains("begin_write("))
    {
        found.push(format!(
            "tests/tidy.rs: nothing is written in {WRITE_DOOR}: where is the door?"
        ));
    }
}

/// In ARCHITECTURE.md everything in backticks that looks like a path; elsewhere what starts like one of ours.
fn check_paths_in_prose(root: &Path, sources: &[Source], found: &mut Vec<String>) {
    const OURS: [&str; 6] = ["crates/", "docs/", "examples/", "fuzz/", "tests/", ".ci/"];
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for (at, line) in source.text.lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let ours = OURS.iter().any(|start| quoted.starts_with(start));
                let of_the_map = source.path == "ARCHITECTURE.md" && quoted.contains('/');
                let is_route = quoted.starts_with(['/', '_']) || quoted.contains([' ', '{', '*', ':', '<']);
                if (ours || of_the_map) && !is_route && !root.join(quoted).exists() {
                    found.push(format!("{}:{}: there is no `{quoted}`", source.path, at + 1));
                }
            }
        }
    }
}

fn check_machine_paths(sources: &[Source], found: &mut Vec<String>) {
    for source in sources.iter().filter(|source| source.path != "tests/tidy.rs") {
        for (at, line) in source.text.lines().enumerate() {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(*path)) {
                found.push(format!(
                    "{}:{}: `{path}` is somebody's machine",
                    source.path,
                    at + 1
                ));
            }
        }
    }
}

fn check_blobs(root: &Path, found: &mut Vec<String>) {
    // An unpacked archive has no list of what is tracked, and nothing to keep small.
    let Ok(listed) = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
    else {
        return;
    };
    for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
        let bytes = fs::metadata(root.join(path)).map(|file| file.len()).unwrap_or(0);
        if bytes > BLOB_BYTES_MAX {
            found.push(format!(
                "{path}: {bytes} bytes: too large to be carried along for ever"
            ));
        }
    }
}
