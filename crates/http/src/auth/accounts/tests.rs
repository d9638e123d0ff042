//! What documents of `_users` make of their users.

use super::*;

const SHA1_OF_X: &str = "9f8216023399920101a2dbb0ca706ec6a8923368";

fn of(body: &str) -> Option<Account> {
    account("anna", &user_doc::read(body).unwrap())
}

fn pbkdf2(more: &str) -> Option<Account> {
    of(&format!(
        r#"{{"name":"anna","roles":["a"],"password_scheme":"pbkdf2","iterations":10,"derived_key":"{SHA1_OF_X}","salt":"s"{more}}}"#
    ))
}

#[test]
fn who_may_log_in() {
    let account = pbkdf2("").unwrap();
    assert!(account.kept.verify("x"));
    assert!(!account.kept.verify("y"));
    assert_eq!(account.roles, ["a"]);
    assert!(pbkdf2(r#","pbkdf2_prf":"sha""#).unwrap().kept.verify("x"));
}

#[test]
fn who_may_not() {
    for more in [
        r#","pbkdf2_prf":"sha256""#,
        r#","pbkdf2_prf":"sha224""#,
        r#","name":"ben""#,
        r#","totp":{"key":"k"}"#,
        r#","password_scheme":"scrypt""#,
        r#","password_scheme":"simple""#,
        r#","iterations":0"#,
        r#","iterations":9999999999"#,
        r#","derived_key":null"#,
    ] {
        assert_eq!(pbkdf2(more), None, "{more}");
    }
    assert_eq!(of(r#"{"name":"anna","roles":[]}"#), None);
}

#[test]
fn a_hash_that_is_not_known_is_told() {
    let told = |hash: &str| {
        let doc = format!(r#"{{"name":"anna","password_scheme":"pbkdf2","pbkdf2_prf":"{hash}"}}"#);
        unknown_hash(&user_doc::read(&doc).unwrap()).map(str::to_owned)
    };
    assert_eq!(told("sha224").as_deref(), Some("sha224"));
    assert_eq!(told("sha256"), None);
}

#[test]
fn documents_make_no_administrators() {
    assert_eq!(
        pbkdf2(r#","roles":["_admin","b","_replicator"]"#).unwrap().roles,
        ["b"]
    );
}

#[test]
fn what_pouchdb_server_wrote() {
    // By pouchdb-server 4.2.0, given the password; it names no hash. (Passwords beyond ASCII it derives in a way of its own.)
    let body = r#"{"type":"user","name":"anna","roles":["r"],"iterations":10,"password_scheme":"pbkdf2",
        "salt":"1941a112016c16f12b12c1d71b819016c17e17f19311a139",
        "derived_key":"4c76deb90571965be151c6a21593841f09cad535"}"#;
    let account = of(body).unwrap();
    assert!(account.kept.verify("pass word"));
    assert!(!account.kept.verify("password"));
    assert_eq!(account.roles, ["r"]);
}
