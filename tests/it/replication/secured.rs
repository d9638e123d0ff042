//! Nodes that know each other by certificates.

use super::world::{assert_equal, create, fill, leaves, put, url};
use crate::node::{Node, ask, fails, ok};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// An authority, with a directory for it and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: tempfile::TempDir,
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = trunkline_wire::attachments::base64(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

impl Authority {
    fn new() -> Authority {
        let (key, dir) = (KeyPair::generate().unwrap(), tempfile::tempdir().unwrap());
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "the nodes' authority");
        let cert = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("authority.pem"), pem("CERTIFICATE", cert.der())).unwrap();
        Authority {
            issuer: Issuer::new(params, key),
            dir,
        }
    }

    fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Files of a node: its certificate's and its key's.
    fn sign(&self, node: &str, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, node);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let files = (format!("{node}.pem"), format!("{node}.key"));
        let write = |name: &str, text| std::fs::write(PathBuf::from(self.file(name)), text).unwrap();
        write(&files.0, pem("CERTIFICATE", cert.der()));
        write(&files.1, pem("PRIVATE KEY", &key.serialize_der()));
        (self.file(&files.0), self.file(&files.1))
    }

    /// A node that lets in by TLS who shows a certificate of this authority, and shows its own.
    fn node(&self, dir: &Path, name: &str, host: &str) -> Node {
        let (certificate, key) = self.sign(name, host);
        let authority = self.file("authority.pem");
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let settings = format!(
            "[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n\
             client_authorities = \"{authority}\"\nrequire_client_certificate = true\n\
             [replication]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\nauthorities = \"{authority}\"\n"
        );
        std::fs::write(dir.join("trunkline.toml"), settings).unwrap();
        Node::start(&dir)
    }
}

fn secured(node: &Node, database: &str) -> String {
    format!("https://localhost:{}/{database}", node.tls_port.unwrap())
}

async fn replicate(node: &Node, source: &str, target: &str) -> (u16, Value) {
    let asked = json!({ "source": source, "target": target, "create_target": true });
    ask("POST", &format!("{}/_replicate", node.url), Some(asked)).await
}

#[tokio::test]
async fn nodes_with_certificates_pull_and_push() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let one = authority.node(dir.path(), "one", "localhost");
    let two = authority.node(dir.path(), "two", "localhost");
    create(&url(&one, "cdrs")).await;
    fill(&url(&one, "cdrs"), "call-", 1500).await;
    let long = "x".repeat(300_000);
    put(
        &url(&one, "cdrs"),
        json!({"_id": "voicemail", "_attachments": {"a": {"data": trunkline_wire::attachments::base64(long.as_bytes())}}}),
    )
    .await;

    let (status, answer) = replicate(&two, &secured(&one, "cdrs"), "cdrs").await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    assert_equal(&url(&one, "cdrs"), &url(&two, "cdrs")).await;
    let (status, answer) = replicate(&one, "cdrs", &secured(&two, "copy")).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    assert_equal(&url(&one, "cdrs"), &url(&two, "copy")).await;

    // The command line, too, is let in with a certificate, and with none it is told so.
    let (certificate, key) = authority.sign("operator", "operator");
    let trusted = authority.file("authority.pem");
    let target = dir.path().join("three/cdrs");
    let source = secured(&one, "cdrs");
    let command = ["replicate", &source, target.to_str().unwrap(), "--create-target"];
    let shown = ["--cert", &certificate, "--key", &key, "--cacert", &trusted];
    let told = fails(&[&command[..], &shown[4..]].concat());
    assert!(told.contains("wants to be shown a certificate"), "{told}");
    assert!(told.contains("(`--cert` and `--key`)"), "{told}");
    let told = fails(&command);
    assert!(told.contains("(`--cacert`)"), "{told}");
    ok(&[&command[..], &shown].concat());
    let verified = ok(&[&["verify", &source, target.to_str().unwrap()], &shown[..]].concat());
    assert!(verified.contains("1501"), "{verified}");
    let info = ok(&[&["info", &source], &shown[..]].concat());
    assert!(info.contains("1501"), "{info}");
    let told = fails(&["info", &source]);
    assert!(
        told.contains("localhost") && told.contains("(`--cacert`)"),
        "{told}"
    );
    let told = fails(&[&["info", &source], &shown[4..]].concat());
    assert!(told.contains("(`--cert` and `--key`)"), "{told}");
}

#[tokio::test]
async fn a_job_says_what_is_wrong_with_certificates() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let sound = authority.node(dir.path(), "sound", "localhost");
    let misnamed = authority.node(dir.path(), "misnamed", "other.example");
    let others = Authority::new();
    let stranger = others.node(dir.path(), "stranger", "localhost");
    let bare = Node::start(&dir.path().join("bare"));
    create(&url(&sound, "cdrs")).await;
    create(&url(&misnamed, "cdrs")).await;
    let trusted = authority.file("authority.pem");
    for (node, source, words) in [
        (&sound, secured(&misnamed, "cdrs"), "it is for another name"),
        (
            &stranger,
            secured(&sound, "cdrs"),
            "no authority that is known here",
        ),
        (&bare, secured(&sound, "cdrs"), "wants to be shown a certificate"),
    ] {
        let source = match std::ptr::eq(node, &bare) {
            true => json!({ "url": source, "ca_file": trusted }),
            false => json!(source),
        };
        let asked = json!({ "source": source, "target": "copy", "create_target": true });
        let (status, answer) = ask("POST", &format!("{}/_replicate", node.url), Some(asked)).await;
        assert!(
            status >= 400 && answer["reason"].as_str().unwrap().contains(words),
            "{answer}"
        );

        let job = json!({ "_id": "job", "source": source, "target": "copy", "create_target": true, "continuous": true });
        create_if_missing(&format!("{}/_replicator", node.url)).await;
        put(&format!("{}/_replicator", node.url), job).await;
        let shown = loop {
            let (_, shown) = ask(
                "GET",
                &format!("{}/_scheduler/docs/_replicator/job", node.url),
                None,
            )
            .await;
            // Between two tries there is none.
            if let Some(error) = shown["info"]["error"].as_str() {
                break error.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        assert!(shown.contains(words), "{shown}");
    }
    assert!(leaves(&url(&sound, "cdrs")).await.is_empty());
}

async fn create_if_missing(url: &str) {
    let (status, _) = ask("PUT", url, None).await;
    assert!(matches!(status, 201 | 412));
}
