//! Cookies, there and back.

use super::*;

const NOW: u64 = 1_800_000_000;

fn made(name: &str) -> String {
    let cookie = make(&Config::default(), "secret", name, "salt", NOW, false).unwrap();
    let value = cookie.to_str().unwrap().strip_prefix("AuthSession=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

fn headers(cookie: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
}

fn session(value: &str) -> Session {
    given(&headers(&format!("a=b; AuthSession={value}; c")))
        .unwrap()
        .unwrap()
}

fn held(session: &Session, secrets: &[&str], salt: &str, now: u64) -> Option<Held> {
    session.holds(&Sessions::default(), secrets.iter().copied(), salt, now)
}

#[test]
fn there_and_back() {
    for name in ["anna", "jörg", "a:b", ""] {
        let session = session(&made(name));
        assert_eq!(session.name, name);
        assert_eq!(
            held(&session, &["secret"], "salt", NOW),
            Some(Held::Fresh),
            "{name}"
        );
    }
}

#[test]
fn it_is_couchdbs() {
    // Python: urlsafe_b64encode(b"anna:6B49D200:" + hmac.digest(b"secretsalt", b"anna:6B49D200", "sha256")), no padding
    assert_eq!(
        made("anna"),
        "YW5uYTo2QjQ5RDIwMDrEiPADVXDX3cRePMyU3Y8CDLtrCQdCaKeomZyYNG_niw"
    );
}

#[test]
fn it_ages_and_ends() {
    let session = session(&made("anna"));
    let at = |seconds| held(&session, &["secret"], "salt", NOW + seconds);
    assert_eq!(at(60), Some(Held::Fresh));
    assert_eq!(at(61), Some(Held::Aged));
    assert_eq!(at(599), Some(Held::Aged));
    assert_eq!(at(600), None);
    assert_eq!(at(6_000_000), None);
}

#[test]
fn secrets_and_passwords_change() {
    let session = session(&made("anna"));
    assert_eq!(
        held(&session, &["new", "secret"], "salt", NOW),
        Some(Held::Aged),
        "a former secret"
    );
    assert_eq!(held(&session, &["new"], "salt", NOW), None);
    assert_eq!(
        held(&session, &["secret"], "other", NOW),
        None,
        "another password"
    );
    assert_eq!(
        held(&session, &["secrets"], "alt", NOW),
        Some(Held::Fresh),
        "as CouchDB joins them"
    );
}

#[test]
fn no_bit_may_differ() {
    let value = made("anna");
    let bytes = URL_SAFE_NO_PAD.decode(&value).unwrap();
    for at in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        let tampered = headers(&format!("AuthSession={}", URL_SAFE_NO_PAD.encode(bytes)));
        let holds = match given(&tampered) {
            Ok(Some(session)) => held(&session, &["secret"], "salt", NOW).is_some(),
            _ => false,
        };
        assert!(!holds, "bit {at}");
    }
}

#[test]
fn what_cannot_be_read() {
    for value in ["x", "!!", "YTpiOmM", &"A".repeat(300)] {
        assert!(
            given(&headers(&format!("AuthSession={value}"))).is_err(),
            "{value}"
        );
    }
    for none in ["", "AuthSession=", "AuthSession", "Other=x", "xAuthSession=x"] {
        assert_eq!(given(&headers(none)).unwrap(), None, "{none}");
    }
}

#[test]
fn its_attributes() {
    let with = |settings: &Sessions, tls| {
        attributes(settings, "x", tls)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let plain = Sessions::default();
    assert_eq!(
        with(&plain, false),
        "AuthSession=x; Version=1; Path=/; HttpOnly; Max-Age=600; SameSite=Lax"
    );
    let other = Sessions {
        persistent: false,
        same_site: Some(SameSite::None),
        domain: Some("example.org".to_owned()),
        ..plain.clone()
    };
    assert_eq!(
        with(&other, true),
        "AuthSession=x; Version=1; Path=/; HttpOnly; Secure; Domain=example.org; SameSite=None"
    );
    assert!(!with(&other, false).contains("SameSite"));
    assert!(
        clear(&plain, false)
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("AuthSession=; Version=1; Path=/; HttpOnly; Max-Age=0")
    );
}
