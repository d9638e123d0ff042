//! An administrator is made, and without one nobody else's machine reaches a server.

use crate::node::{BINARY, Node, fails, ok, trunkline_with_input};
use std::process::Command;

#[test]
fn without_an_administrator_only_this_machine_reaches_it() {
    let temp = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let node = Node::start_on(temp.path(), listen);
        let loopback = node.address().starts_with("127.0.0.1:") || node.address().starts_with("[::1]:");
        assert!(loopback, "{}", node.url);
        let log = node.stop();
        assert!(log.contains("no administrator"), "{log}");
        assert!(log.contains("trunkline init"), "{log}");
    }
    let log = Node::start(temp.path()).stop();
    assert!(!log.contains("no administrator"), "{log}");
}

#[test]
fn the_environment_makes_one() {
    let temp = tempfile::tempdir().unwrap();
    let variables = [("TRUNKLINE_USER", "anna"), ("TRUNKLINE_PASSWORD", "quite secret")];
    let node = Node::start_with(temp.path(), &["--listen", "0.0.0.0:0"], &variables);
    assert!(node.address().starts_with("0.0.0.0:"), "{}", node.url);
    let log = node.stop();
    assert!(!log.contains("no administrator"), "{log}");
    assert!(!log.contains("quite secret"), "{log}");
    // For that run alone.
    assert!(!ok(&["config", "show", temp.path().to_str().unwrap()]).contains("admins/"));
}

#[test]
fn half_an_administrator_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    for (variables, told) in [
        (vec![("TRUNKLINE_USER", "anna")], "TRUNKLINE_PASSWORD is not"),
        (
            vec![("TRUNKLINE_PASSWORD", "quite secret")],
            "TRUNKLINE_USER is not",
        ),
        (
            vec![("TRUNKLINE_USER", "anna"), ("TRUNKLINE_PASSWORD", "")],
            "must not be empty",
        ),
    ] {
        let output = Command::new(BINARY)
            .args(["serve", temp.path().to_str().unwrap(), "--listen", "127.0.0.1:0"])
            .envs(variables)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains(told) && !log.contains("quite secret"), "{log}");
    }
}

#[test]
fn init_makes_one_that_servers_know() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("new");
    let dir = dir.to_str().unwrap();
    let init = |password: &[u8]| trunkline_with_input(&["init", dir, "--user", "anna"], password);
    assert_eq!(init(b"\n").status.code(), Some(1));
    let made = init(b"quite secret\n");
    assert!(made.status.success(), "{made:?}");
    assert!(
        String::from_utf8(made.stdout)
            .unwrap()
            .contains("anna is an administrator")
    );
    let again = String::from_utf8(init(b"quite secret").stdout).unwrap();
    assert!(again.contains("has a new password"), "{again}");
    let kept = std::fs::read_to_string(std::path::Path::new(dir).join("settings.toml")).unwrap();
    assert!(
        kept.contains("\"anna\" = \"-pbkdf2:sha256-") && !kept.contains("quite secret"),
        "{kept}"
    );
    let shown = ok(&["config", "show", dir]);
    assert!(shown.contains("admins/anna = …  (settings.toml)"), "{shown}");
    let node = Node::start_on(std::path::Path::new(dir), "127.0.0.1:0");
    let log = node.stop();
    assert!(!log.contains("no administrator"), "{log}");
    assert!(fails(&["init", dir, "--user", "an:na"]).contains('`'));
}

#[test]
fn a_hash_is_printed_for_the_operators_own_file() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().to_str().unwrap();
    let printed = trunkline_with_input(&["init", dir, "--user", "anna", "--hash"], b"quite secret\n");
    let line = String::from_utf8(printed.stdout).unwrap();
    assert!(!temp.path().join("settings.toml").exists());
    let file = temp.path().join("trunkline.toml");
    std::fs::write(&file, format!("[admins]\n{line}")).unwrap();
    let shown = ok(&["config", "show", dir]);
    assert!(
        shown.contains("admins/anna = …  (file)") && !shown.contains("pbkdf2:"),
        "{shown}"
    );
    assert!(ok(&["config", "check", file.to_str().unwrap()]).contains("trunkline.toml: ok"));
}
