//! Documents of the database `_users`.

use std::borrow::Cow;
use trunkline_core::json::{self, JsonError};

/// Begins the id of a user's document; the name follows.
pub const ID_PREFIX: &str = "org.couchdb.user:";

/// What a user's document says. Members of another kind than they should be are as if they were not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDoc {
    /// `type`
    pub kind: Option<String>,
    /// `name`
    pub name: Option<String>,
    /// `roles`; `None` when it is no array of strings.
    pub roles: Option<Vec<String>>,
    /// `password`, in clear, as clients send a new one.
    pub password: Option<String>,
    /// Whether there is a `password` of any kind, but for `null`.
    pub has_password: bool,
    /// `password_scheme`
    pub password_scheme: Option<String>,
    /// `pbkdf2_prf`
    pub pbkdf2_prf: Option<String>,
    /// `iterations`
    pub iterations: Option<u64>,
    /// `derived_key`, hexadecimal
    pub derived_key: Option<String>,
    /// `salt`
    pub salt: Option<String>,
    /// `password_sha`, hexadecimal, of the old scheme
    pub password_sha: Option<String>,
    /// Whether there is a `totp`: a second factor.
    pub has_totp: bool,
}

/// Members that say what the password is.
const PASSWORD: [&str; 7] = [
    "password",
    "password_scheme",
    "pbkdf2_prf",
    "iterations",
    "derived_key",
    "salt",
    "password_sha",
];

/// Reads the body of a document; `None` when it is no object.
pub fn read(body: &str) -> Option<UserDoc> {
    let text = |value: &str| json::string(value).map(Cow::into_owned);
    let mut doc = UserDoc::default();
    json::members(body, |name, value| {
        match &*name {
            "type" => doc.kind = text(value),
            "name" => doc.name = text(value),
            "roles" => doc.roles = strings(value),
            "password" => {
                doc.has_password = value != "null";
                doc.password = text(value);
            }
            "password_scheme" => doc.password_scheme = text(value),
            "pbkdf2_prf" => doc.pbkdf2_prf = text(value),
            "iterations" => doc.iterations = value.parse().ok(),
            "derived_key" => doc.derived_key = text(value),
            "salt" => doc.salt = text(value),
            "password_sha" => doc.password_sha = text(value),
            "totp" => doc.has_totp = value != "null",
            _ => {}
        }
        Ok::<_, JsonError>(())
    })
    .ok()?;
    Some(doc)
}

fn strings(value: &str) -> Option<Vec<String>> {
    if !value.starts_with('[') {
        return None;
    }
    let (mut all, mut only) = (Vec::new(), true);
    json::elements(value, |element| {
        match json::string(element) {
            Some(text) => all.push(text.into_owned()),
            None => only = false,
        }
        Ok::<_, JsonError>(())
    })
    .ok()?;
    only.then_some(all)
}

/// A password as a document keeps it.
#[derive(Clone, Debug)]
pub struct DerivedPassword<'a> {
    /// `pbkdf2_prf`
    pub prf: &'a str,
    /// `iterations`
    pub iterations: u32,
    /// `derived_key`, hexadecimal
    pub derived_key: &'a str,
    /// `salt`
    pub salt: &'a str,
}

/// The body with this password in place of all it said of one.
pub fn with_password(body: &str, password: &DerivedPassword<'_>) -> Result<String, JsonError> {
    let mut out = kept_members(body, |name| !PASSWORD.contains(&name))?;
    for (name, value) in [
        ("password_scheme", "pbkdf2"),
        ("pbkdf2_prf", password.prf),
        ("derived_key", password.derived_key),
        ("salt", password.salt),
    ] {
        begin_member(&mut out, name);
        json::quote(value, &mut out);
    }
    begin_member(&mut out, "iterations");
    out.extend_from_slice(password.iterations.to_string().as_bytes());
    out.push(b'}');
    Ok(String::from_utf8(out).unwrap_or_default())
}

/// The body without a password in clear.
pub fn without_password(body: &str) -> Result<String, JsonError> {
    let mut out = kept_members(body, |name| name != "password")?;
    out.push(b'}');
    Ok(String::from_utf8(out).unwrap_or_default())
}

/// Those members of the body that are listed; none that says anything of the password ever is. `None` when there is none.
pub fn public(body: &str, listed: &[String]) -> Option<String> {
    let is_public = |name: &str| !PASSWORD.contains(&name) && listed.iter().any(|member| member == name);
    let mut out = kept_members(body, is_public).ok()?;
    if out.len() == 1 {
        return None;
    }
    out.push(b'}');
    String::from_utf8(out).ok()
}

fn kept_members(body: &str, keep: impl Fn(&str) -> bool) -> Result<Vec<u8>, JsonError> {
    let mut out = b"{".to_vec();
    json::members(body, |name, value| {
        if keep(&name) {
            begin_member(&mut out, &name);
            out.extend_from_slice(value.as_bytes());
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(out)
}

fn begin_member(out: &mut Vec<u8>, name: &str) {
    if out.len() > 1 {
        out.push(b',');
    }
    json::quote(name, out);
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_the_wrong_kind_are_not_there() {
        let doc = read(
            r#"{"type":"user","name":"anna","roles":["a","b"],"iterations":10,"salt":7,"password":null,"totp":{}}"#,
        )
        .unwrap();
        let expected = UserDoc {
            kind: Some("user".to_owned()),
            name: Some("anna".to_owned()),
            roles: Some(vec!["a".to_owned(), "b".to_owned()]),
            iterations: Some(10),
            has_totp: true,
            ..UserDoc::default()
        };
        assert_eq!(doc, expected);
        for roles in ["7", r#""a""#, r#"["a",1]"#, r#"{"a":1}"#] {
            assert_eq!(
                read(&format!(r#"{{"roles":{roles}}}"#)).unwrap().roles,
                None,
                "{roles}"
            );
        }
        assert_eq!(read(r#"{"iterations":-1}"#).unwrap().iterations, None);
        assert_eq!(read("[1]"), None);
    }

    #[test]
    fn a_new_password_replaces_the_old_one() {
        let password = DerivedPassword {
            prf: "sha256",
            iterations: 1000,
            derived_key: "ab",
            salt: "cd",
        };
        let old = r#"{"name":"anna","p\u0061ssword":"x","iterations":1,"password_sha":"y","own":[1.0]}"#;
        let expected = r#"{"name":"anna","own":[1.0],"password_scheme":"pbkdf2","pbkdf2_prf":"sha256","derived_key":"ab","salt":"cd","iterations":1000}"#;
        assert_eq!(with_password(old, &password).unwrap(), expected);
        assert!(
            with_password("{}", &password)
                .unwrap()
                .starts_with(r#"{"password_scheme""#)
        );
        let plain = without_password(r#"{"password":1,"a":"password"}"#);
        assert_eq!(plain.unwrap(), r#"{"a":"password"}"#);
    }

    #[test]
    fn what_everyone_may_see() {
        let listed = ["name", "mail", "salt", "derived_key", "password"].map(str::to_owned);
        let doc = r#"{"name":"anna","mail":{"a":1},"roles":[],"salt":"s","derived_key":"d","password":"x"}"#;
        assert_eq!(
            public(doc, &listed).as_deref(),
            Some(r#"{"name":"anna","mail":{"a":1}}"#)
        );
        assert_eq!(public(doc, &listed[2..]), None);
        assert_eq!(public(doc, &[]), None);
    }
}
