//! What is remembered from one log-in to the next.

use super::*;
use crate::config::Secret;
use trunkline_store::Store;

#[tokio::test]
async fn who_waited_is_let_in_by_what_others_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        admins: [("root".to_owned(), Secret::new("toor"))].into(),
        ..Config::default()
    };
    let app = App::new(Store::open(dir.path()).unwrap().into(), config.into(), Vec::new());
    let (auth, config) = (&app.auth, app.config());
    let mut turns = Vec::new();
    while let Some(turn) = auth.hashing.turn_at_hand() {
        turns.push(turn);
    }
    // Deriving would find it wrong: only what is remembered lets it in.
    let given = Credentials {
        name: "root".to_owned(),
        password: "not that".to_owned(),
    };
    let found = async {
        let account = auth.accounts.find(&app, &config, "root").await.unwrap().unwrap();
        auth.verified.remember(
            auth.verified.mark(&given.name, &given.password),
            account.fingerprint,
        );
        drop(turns);
    };
    let (logged_in, ()) = tokio::join!(log_in(&app, &config, None, &given), found);
    assert!(logged_in.is_ok(), "{:?}", logged_in.err());
}
