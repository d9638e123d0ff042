//! Who may change what in `_users`.

use super::*;
use crate::auth::Method;

const ANNA: &str = r#"{"type":"user","name":"anna","roles":["a","b"],"salt":"s"}"#;
const NEW: &str = r#"{"type":"user","name":"anna","roles":[]}"#;

fn named(name: &str) -> User {
    User {
        name: Some(name.to_owned()),
        by: Some(Method::Basic),
        ..User::default()
    }
}

fn judged(user: &User, is_admin: bool, body: &str, old: Option<&str>) -> Result<(), &'static str> {
    let change = Change {
        id: "org.couchdb.user:anna",
        deleted: false,
        body,
        old,
        follows: true,
        iterations_max: 10,
    };
    judge(user, is_admin, &change)
}

#[test]
fn what_a_document_must_be() {
    let admin = User::nameless_admin();
    let by_admin = |body: &str| judged(&admin, true, body, None);
    assert_eq!(by_admin(ANNA), Ok(()));
    for (body, reason) in [
        (r#"{"name":"anna","roles":[]}"#, "doc.type must be user"),
        (
            r#"{"type":"x","name":"anna","roles":[]}"#,
            "doc.type must be user",
        ),
        (r#"{"type":"user","roles":[]}"#, "doc.name is required"),
        (r#"{"type":"user","name":"","roles":[]}"#, "doc.name is required"),
        (
            r#"{"type":"user","name":"anna"}"#,
            "doc.roles must be an array of strings",
        ),
        (
            r#"{"type":"user","name":"anna","roles":[1]}"#,
            "doc.roles must be an array of strings",
        ),
        (
            r#"{"type":"user","name":"ben","roles":[]}"#,
            "Doc ID must be of the form org.couchdb.user:name",
        ),
        (
            r#"{"type":"user","name":"anna","roles":[],"password":"x"}"#,
            "doc.password must not be kept in clear.",
        ),
        (
            r#"{"type":"user","name":"anna","roles":[],"password":7}"#,
            "doc.password must not be kept in clear.",
        ),
        (
            r#"{"type":"user","name":"anna","roles":[],"password_sha":"x"}"#,
            "Users with password_sha must have a salt.",
        ),
        (
            r#"{"type":"user","name":"anna","roles":[],"password_scheme":"pbkdf2"}"#,
            "iterations must be a number.",
        ),
        (
            r#"{"type":"user","name":"anna","roles":[],"password_scheme":"pbkdf2","iterations":1}"#,
            "derived_key must be a string.",
        ),
        (
            r#"{"type":"user","name":"anna","roles":["_admin"]}"#,
            "No system roles (starting with underscore) in users db.",
        ),
    ] {
        assert_eq!(by_admin(body), Err(reason), "{body}");
    }
    assert_eq!(
        judged(&admin, true, ANNA, Some(r#"{"name":"ben"}"#)),
        Err("Usernames can not be changed.")
    );
    let odd = |id, name: &str| {
        let body = format!(r#"{{"type":"user","name":"{name}","roles":[]}}"#);
        judge(
            &admin,
            true,
            &Change {
                id,
                deleted: false,
                body: &body,
                old: None,
                follows: true,
                iterations_max: 10,
            },
        )
    };
    assert_eq!(
        odd("org.couchdb.user:_x", "_x"),
        Err("Username may not start with underscore.")
    );
    assert_eq!(
        odd("org.couchdb.user:a:b", "a:b"),
        Err("Character `:` is not allowed in usernames.")
    );
}

#[test]
fn users_change_their_own_document_but_no_roles() {
    let (anna, ben, nobody) = (named("anna"), named("ben"), User::default());
    let swapped = ANNA.replace(r#""a","b""#, r#""b","a""#);
    assert_eq!(judged(&anna, false, &swapped, Some(ANNA)), Ok(()));
    for roles in [r#""a""#, r#""a","c""#, r#""a","a","b""#, ""] {
        let more = ANNA.replace(r#""a","b""#, roles);
        assert_eq!(
            judged(&anna, false, &more, Some(ANNA)),
            Err("Only _admin may edit roles"),
            "{roles}"
        );
    }
    assert_eq!(judged(&ben, false, ANNA, Some(ANNA)), Err(NOT_YOURS));
    assert_eq!(judged(&nobody, false, ANNA, Some(ANNA)), Err(NOT_YOURS));
    assert_eq!(
        judged(&ben, true, ANNA, Some(NEW)),
        Ok(()),
        "an administrator of the database"
    );
}

#[test]
fn who_may_register() {
    for (user, verdict) in [
        (named("anna"), Ok(())),
        (User::default(), Ok(())),
        (named("ben"), Err(NOT_YOURS)),
    ] {
        assert_eq!(judged(&user, false, NEW, None), verdict);
        let with_roles = verdict.and(Err("Only _admin may set roles"));
        assert_eq!(judged(&user, false, ANNA, None), with_roles);
    }
}

#[test]
fn nobody_else_learns_who_is_there() {
    let ben = named("ben");
    for body in [ANNA, NEW, "{}", r#"{"type":"user","name":"x","roles":[]}"#] {
        for old in [None, Some(ANNA), Some(NEW)] {
            assert_eq!(judged(&ben, false, body, old), Err(NOT_YOURS), "{body} {old:?}");
        }
    }
}

#[test]
fn a_name_alone_makes_nobody_the_owner() {
    for by in [Method::Jwt, Method::Proxy, Method::Certificate] {
        let anna = User {
            by: Some(by),
            ..named("anna")
        };
        assert_eq!(judged(&anna, false, NEW, None), Err(NOT_YOURS), "{by:?}");
        assert_eq!(judged(&anna, false, ANNA, Some(ANNA)), Err(NOT_YOURS), "{by:?}");
        assert_eq!(judged(&anna, true, ANNA, Some(ANNA)), Ok(()), "{by:?}");
    }
}

#[test]
fn conflicts_are_for_administrators() {
    let beside = |deleted| Change {
        id: "org.couchdb.user:anna",
        deleted,
        body: ANNA,
        old: Some(ANNA),
        follows: false,
        iterations_max: 10,
    };
    let anna = named("anna");
    let refused = Err("Only _admin may make a conflict of a user document.");
    assert_eq!(judge(&anna, false, &beside(false)), refused);
    assert_eq!(judge(&anna, false, &beside(true)), Ok(()));
    assert_eq!(judge(&anna, true, &beside(false)), Ok(()));
}

#[test]
fn rounds_are_for_administrators() {
    let of = |rounds: u32| {
        format!(
            r#"{{"type":"user","name":"anna","roles":[],"password_scheme":"pbkdf2","derived_key":"","iterations":{rounds}}}"#
        )
    };
    let anna = named("anna");
    let by_anna = |rounds, old: Option<&str>| judged(&anna, false, &of(rounds), old);
    let refused = Err("Only _admin may set more iterations than the settings.");
    assert_eq!(by_anna(10, None), Ok(()));
    assert_eq!(by_anna(11, None), refused);
    assert_eq!(by_anna(11, Some(NEW)), refused);
    // What an administrator set may stay.
    assert_eq!(by_anna(11, Some(&of(11))), Ok(()));
    assert_eq!(by_anna(12, Some(&of(11))), refused);
    assert_eq!(judged(&named("root"), true, &of(12), Some(NEW)), Ok(()));
}

#[test]
fn deleting_and_designs() {
    let change = |id, deleted| Change {
        id,
        deleted,
        body: "{}",
        old: Some(ANNA),
        follows: true,
        iterations_max: 10,
    };
    let gone = |user: &User, is_admin| judge(user, is_admin, &change("org.couchdb.user:anna", true)).is_ok();
    assert!(gone(&named("anna"), false));
    assert!(gone(&named("ben"), true));
    assert!(!gone(&named("ben"), false));
    assert!(!gone(&User::default(), false));
    assert!(judge(&named("ben"), true, &change("_design/x", false)).is_ok());
    assert!(judge(&named("anna"), false, &change("_design/x", false)).is_err());
    assert!(judge(&named("anna"), false, &change("_design/x", true)).is_err());
}
