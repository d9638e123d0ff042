//! Who comes with a client certificate, from the handshake to `_session`.

use crate::certificates::{Authority, secured};
use serde_json::{Value, json};
use trunkline_http::{Config, Secret, Tls};

#[tokio::test]
async fn a_listed_name_logs_in_and_no_other() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = Tls {
        client_authorities: Authority::file(dir.path()),
        ..authority.settings(dir.path())
    };
    let mut config = Config {
        admins: [("root".to_owned(), Secret::new("toor"))].into(),
        ..Config::default()
    };
    let listed = ("node-7".to_owned(), vec!["peers".to_owned()]);
    config.authentication.certificates.roles = [listed].into();
    let server = secured(tls, config).await;
    for (common_name, context, by, status) in [
        (
            Some("node-7"),
            json!({ "name": "node-7", "roles": ["peers"] }),
            json!("certificate"),
            403,
        ),
        (
            Some("node-8"),
            json!({ "name": null, "roles": [] }),
            Value::Null,
            401,
        ),
        (None, json!({ "name": null, "roles": [] }), Value::Null, 401),
    ] {
        let mut client = authority.client();
        if let Some(name) = common_name {
            client = client.identity(authority.sign(name).identity());
        }
        let client = client.build().unwrap();
        let session = client
            .get(format!("{}/_session", server.url))
            .send()
            .await
            .unwrap();
        let session: Value = serde_json::from_str(&session.text().await.unwrap()).unwrap();
        assert_eq!(session["userCtx"], context, "{common_name:?}");
        assert_eq!(session["info"]["authenticated"], by, "{common_name:?}");
        // A name makes no administrator.
        let made = client.put(format!("{}/db", server.url)).send().await.unwrap();
        assert_eq!(made.status(), status, "{common_name:?}");
    }
}
