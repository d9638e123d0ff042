//! What settings name on disk: looked at by `config check`, and when a server starts.

use crate::node::{Node, ask, fails, ok, trunkline};
use rcgen::{CertificateParams, KeyPair};
use std::path::Path;

fn pem(label: &str, der: &[u8]) -> String {
    let text = trunkline_wire::attachments::base64(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// `NAME.pem` and `NAME.key`.
fn certificate(dir: &Path, name: &str) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
    std::fs::write(dir.join(format!("{name}.pem")), certificate).unwrap();
    let key = pem("PRIVATE KEY", &key.serialize_der());
    std::fs::write(dir.join(format!("{name}.key")), key).unwrap();
}

/// The lines on standard error of a command that fails.
fn lines(args: &[&str]) -> Vec<String> {
    let output = trunkline(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    told.lines().map(str::to_owned).collect()
}

#[test]
fn certificates_and_directories_are_looked_at_and_each_mistake_is_a_line() {
    let temp = tempfile::tempdir().unwrap();
    let at = temp.path().to_str().unwrap();
    let (dir, file) = (temp.path(), temp.path().join("trunkline.toml"));
    certificate(dir, "one");
    certificate(dir, "two");
    std::fs::write(dir.join("empty.pem"), "").unwrap();
    let settings = |certificate: &str, key: &str, clients: &str, peers: &str, audit: &str| {
        format!(
            "[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"{at}/{certificate}\"\nkey = \"{at}/{key}\"\n\
             client_authorities = \"{at}/{clients}\"\n[replication]\nauthorities = \"{at}/{peers}\"\n\
             [log]\naudit = \"{at}/{audit}\"\n"
        )
    };
    let check = ["config", "check", file.to_str().unwrap()];
    let serve = ["serve", at, "--listen", "127.0.0.1:0"];

    std::fs::write(
        &file,
        settings("gone.pem", "gone.key", "empty.pem", "empty.pem", "no/audit"),
    )
    .unwrap();
    let (checked, served) = (lines(&check), lines(&serve));
    for (line, parts) in checked.iter().zip([
        ["[tls]", "gone.pem"],
        ["[tls]", "gone.key: there is no such file"],
        ["[tls]", "empty.pem"],
        ["`audit` in [log]", "/no: "],
        ["[replication]", "empty.pem"],
    ]) {
        assert!(
            line.starts_with("trunkline: ") && parts.iter().all(|part| line.contains(part)),
            "{checked:#?}"
        );
    }
    assert_eq!((checked.len(), &served[..]), (5, &checked[..4]));

    std::fs::write(
        &file,
        settings("one.pem", "two.key", "one.pem", "one.pem", "audit"),
    )
    .unwrap();
    for told in [fails(&check), fails(&serve)] {
        let words = "two.key: it is not the key of this certificate, ";
        assert!(told.contains(words) && told.contains("one.pem"), "{told}");
    }
    std::fs::write(
        &file,
        settings("one.pem", "one.key", "two.pem", "two.pem", "audit"),
    )
    .unwrap();
    assert!(ok(&check).ends_with(": ok\n"));
    assert!(!dir.join("audit").exists());

    // Who is shown a peer's certificate is no reason not to serve.
    std::fs::write(
        &file,
        settings("one.pem", "one.key", "two.pem", "empty.pem", "audit"),
    )
    .unwrap();
    let log = Node::start(dir).stop();
    assert!(log.contains("WARN") && log.contains("[replication]"), "{log}");
}

#[test]
fn what_replications_will_miss_is_told_at_the_start() {
    let temp = tempfile::tempdir().unwrap();
    let mut options = vec!["--listen", "127.0.0.1:0"];
    for name in ["--secrets", "--cert", "--key"] {
        options.extend([name, "no-such-thing"]);
    }
    let log = Node::start_with(temp.path(), &options, &[]).stop();
    let is_told = |part: &str| {
        log.lines()
            .filter(|line| line.contains("WARN") && line.contains(part))
            .count()
    };
    assert_eq!(is_told("no-such-thing: there is no such file"), 2, "{log}");
    assert_eq!(
        is_told("`secrets` in [replication]: no-such-thing: there is no such directory"),
        1,
        "{log}"
    );
}

#[test]
fn what_may_not_be_meant_is_told_and_is_no_mistake() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("trunkline.toml");
    let check = ["config", "check", file.to_str().unwrap()];
    std::fs::write(&file, "[authentication]\nrequire_valid_user = true\n").unwrap();
    let checked = trunkline(&check);
    let told = String::from_utf8(checked.stderr).unwrap();
    assert!(
        checked.status.success() && told.contains("locks everyone out"),
        "{told}"
    );
    std::fs::write(
        &file,
        "[passwords]\niterations = 1\n[admins]\nanna = \"quite secret\"\n",
    )
    .unwrap();
    let checked = trunkline(&check);
    let told = String::from_utf8(checked.stderr).unwrap();
    assert!(
        checked.status.success() && told.contains("has a password in clear"),
        "{told}"
    );
    assert!(
        !told.contains("quite secret") && told.lines().count() == 1,
        "{told}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_of_the_audit_log_is_told_once_and_requests_go_on() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(
        temp.path().join("trunkline.toml"),
        "[log]\naudit = \"/dev/full\"\n",
    )
    .unwrap();
    let node = Node::start(temp.path());
    for name in ["one", "two"] {
        let (status, answer) = ask("PUT", &format!("{}/{name}", node.url), None).await;
        assert_eq!(status, 201, "{answer}");
    }
    let log = node.stop();
    assert_eq!(log.matches("the audit log is not written").count(), 1, "{log}");
}
