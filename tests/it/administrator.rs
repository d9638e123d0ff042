//! Without an administrator nobody else's machine reaches a server.

use crate::node::{BINARY, Node};
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
        assert!(log.contains("TRUNKLINE_USER"), "{log}");
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
