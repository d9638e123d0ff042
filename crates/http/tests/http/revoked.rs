//! Client certificates that were revoked, and the reload that tells of them.

use crate::certificates::{Authority, Secured, secured};
use serde_json::Value;
use trunkline_http::{Config, ServerTls, Tls};

/// Whether a client gets through who shows this, on a connection of its own.
async fn gets_in(server: &Secured, authority: &Authority, shown: &reqwest::Identity) -> bool {
    let client = authority.client().identity(shown.clone()).build().unwrap();
    client.get(&server.url).send().await.is_ok()
}

#[tokio::test]
async fn revoked_certificates_are_refused_and_lists_are_read_again() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let other = Authority::named("another");
    let list = dir.path().join("revoked.pem");
    let settings = Tls {
        client_authorities: Authority::file(dir.path()),
        client_crl_file: Some(list.clone()),
        ..authority.settings(dir.path())
    };
    std::fs::write(
        dir.path().join("authority.pem"),
        [&*authority.pem, &*other.pem].concat(),
    )
    .unwrap();
    std::fs::write(&list, authority.revoke(&[7])).unwrap();
    let server = secured(settings, Config::default()).await;
    let (seven, eight) = (
        authority.sign_as("node-7", 7).identity(),
        authority.sign_as("node-8", 8).identity(),
    );
    let in_now = async |shown| gets_in(&server, &authority, shown).await;
    assert!(!in_now(&seven).await && in_now(&eight).await);
    // Of an authority without a list nobody knows who was revoked.
    let unlisted = other.sign_as("node-9", 9).identity();
    assert!(!in_now(&unlisted).await);

    let client = authority.client().identity(eight.clone()).build().unwrap();
    let reload = async || {
        let asked = client.post(format!("{}/_node/_local/_config/_reload", server.url));
        let answer = asked
            .header("Content-Type", "application/json")
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, answer)
    };
    std::fs::write(&list, [authority.revoke(&[8]), other.revoke(&[])].concat()).unwrap();
    assert_eq!(reload().await.0, 200);
    assert!(in_now(&seven).await && in_now(&unlisted).await && !in_now(&eight).await);

    // What cannot be taken is told, and what was read before stays.
    std::fs::write(&list, "nothing").unwrap();
    let (status, answer) = reload().await;
    let told = answer["reason"].as_str().unwrap();
    assert_eq!(
        (status, &*answer["error"].to_string()),
        (400, "\"bad_request\""),
        "{answer}"
    );
    assert!(
        told.contains("revoked.pem") && told.contains("stays in use"),
        "{told}"
    );
    assert!(in_now(&seven).await && !in_now(&eight).await);
    std::fs::write(&list, [authority.revoke(&[7]), other.revoke(&[])].concat()).unwrap();
    authority.sign("another").write(dir.path());
    std::fs::write(
        dir.path().join("server.key"),
        Authority::new().sign("a stranger").key,
    )
    .unwrap();
    let (status, answer) = reload().await;
    assert!(
        status == 400 && answer["reason"].as_str().unwrap().contains("server.key"),
        "{answer}"
    );
    assert!(in_now(&seven).await && !in_now(&eight).await);
}

#[test]
fn a_list_without_authorities_is_a_mistake() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let settings = Tls {
        client_crl_file: Some(dir.path().join("revoked.pem")),
        ..authority.settings(dir.path())
    };
    let error = ServerTls::read(settings).unwrap_err().to_string();
    assert!(error.contains("no authorities"), "{error}");
}
