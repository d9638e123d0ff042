//! Who a command is to a server: `--user`.

use crate::node::{BINARY, Node, fails};
use std::process::Command;

#[test]
fn a_wrong_password_is_told_without_it() {
    let (temp, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let admin = [
        ("TRUNKLINE_USER", "anna"),
        ("TRUNKLINE_PASSWORD", "quite secret"),
        ("TRUNKLINE_PASSWORDS_ITERATIONS", "1"),
        ("TRUNKLINE_LOCKOUT_FAILURES", "0"),
    ];
    let node = Node::start_with(temp.path(), &["--listen", "127.0.0.1:0"], &admin);
    let (url, copy) = (format!("{}/cdrs", node.url), elsewhere.path().join("cdrs"));
    let file = temp.path().join("calls.ndjson");
    std::fs::write(&file, "{\"_id\":\"a\"}\n").unwrap();
    let (copy, file) = (copy.to_str().unwrap(), file.to_str().unwrap());
    for args in [
        &["info", &url][..],
        &["jobs", &node.url],
        &["export", &url],
        &["import", &url, file],
        &["replicate", &url, copy, "--create-target"],
        &["verify", &url, &url],
    ] {
        let asked = |password: &str| {
            let mut command = Command::new(BINARY);
            command
                .args(args)
                .args(["--user", "anna"])
                .env("TRUNKLINE_PASSWORD", password);
            command.output().unwrap()
        };
        let output = asked("no such word");
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains("Name or password is incorrect"), "{args:?}: {told}");
        assert!(
            !told.contains("no such word") && told.lines().count() == 1,
            "{args:?}: {told}"
        );
        let output = asked("");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("must not be empty"), "{args:?}: {told}");
    }
}

#[test]
fn documents_on_standard_input_leave_no_room_for_a_password() {
    let told = fails(&["import", "http://127.0.0.1:9/cdrs", "-", "--user", "anna"]);
    assert!(told.contains("TRUNKLINE_PASSWORD"), "{told}");
}
