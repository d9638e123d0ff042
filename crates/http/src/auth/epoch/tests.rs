//! Who is still believed under other settings.

use super::*;
use crate::auth::certificate::{self, ClientCertificate};
use crate::auth::user::ADMIN;
use crate::config::Secret;
use trunkline_store::Store;

/// Whether a user is still who he was, under these settings.
async fn is_still_under(config: &Config, user: &User) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let app = App::new(
        Store::open(dir.path()).unwrap().into(),
        config.clone().into(),
        Vec::new(),
    );
    is_still(&app, user).await
}

fn with_root() -> Config {
    Config {
        admins: [("root".to_owned(), Secret::new("toor"))].into(),
        ..Config::default()
    }
}

#[tokio::test]
async fn who_said_no_name() {
    let mut config = Config::default();
    let (nobody, everyone) = (User::default(), User::nameless_admin());
    assert!(is_still_under(&config, &nobody).await);
    assert!(is_still_under(&config, &everyone).await);
    assert!(is_still_under(&with_root(), &nobody).await);
    assert!(!is_still_under(&with_root(), &everyone).await);
    config.authentication.require_valid_user = true;
    assert!(!is_still_under(&config, &nobody).await);
}

#[tokio::test]
async fn certificates_that_are_listed_with_the_same_roles() {
    let listed = |roles: &[&str]| {
        let mut config = with_root();
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        let listed = [("node-b".to_owned(), roles)].into();
        config.authentication.certificates.roles = listed;
        config
    };
    let names = vec!["node-b".to_owned()];
    let settings = listed(&["peers"]);
    let user = certificate::user(
        &ClientCertificate { names },
        &settings.authentication.certificates,
    );
    let user = user.unwrap();
    assert!(is_still_under(&settings, &user).await);
    assert!(!is_still_under(&listed(&["others"]), &user).await);
    assert!(!is_still_under(&with_root(), &user).await);
}

#[tokio::test]
async fn administrators_that_a_proxy_names() {
    let mut settings = with_root();
    settings.authentication.proxy.secret = Secret::new("secret");
    let mut user = User {
        name: Some("root".to_owned()),
        roles: vec![ADMIN.to_owned()],
        by: Some(Method::Proxy),
        proof: Some(proxy::proof("secret")),
        ends: None,
    };
    assert!(is_still_under(&settings, &user).await);
    settings.admins.clear();
    assert!(!is_still_under(&settings, &user).await);
    user.roles.clear();
    assert!(is_still_under(&settings, &user).await);
    settings.authentication.proxy.secret = Secret::default();
    assert!(!is_still_under(&settings, &user).await);
}
