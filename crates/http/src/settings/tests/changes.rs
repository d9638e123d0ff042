//! What changes while a server runs.

use super::{live, shown, sources};
use crate::audit::tests::log::{Log, taken};
use crate::config::Config;
use crate::settings::{HIDDEN, Live, Unchanged, Value};

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.to_owned()))
}

fn refused(changed: Result<Option<String>, Unchanged>) -> String {
    match changed {
        Err(Unchanged::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_change_counts_at_once_and_is_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trunkline.toml");
    std::fs::write(&file, "[lockout]\nseconds = 11\n").unwrap();
    let first = live(dir.path());
    let same = first.clone();
    assert_eq!(
        first.change("lockout", "seconds", text("20"), "anna"),
        Ok(Some("11".to_owned()))
    );
    let origins = Some(Value::List(vec!["https://a.example".to_owned()]));
    assert_eq!(
        first.change("cors", "origins", origins, "anna"),
        Ok(Some(String::new()))
    );
    assert_eq!(same.now().authentication.lockout.seconds, 20);
    // After a restart, too.
    let second = live(dir.path());
    assert_eq!(second.now().authentication.lockout.seconds, 20);
    assert_eq!(second.now().cors.origins, ["https://a.example"]);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "[lockout]\nseconds = 11\n"
    );
    // What was set is taken back, and the file counts again; what stands there is not ours to take.
    assert_eq!(
        second.change("lockout", "seconds", None, "anna"),
        Ok(Some("20".to_owned()))
    );
    assert_eq!(second.now().authentication.lockout.seconds, 11);
    assert!(refused(second.change("lockout", "seconds", None, "anna")).contains("trunkline.toml"));
    assert_eq!(
        second.change("lockout", "failures", None, "anna"),
        Err(Unchanged::Unknown)
    );
    assert_eq!(live(dir.path()).now().authentication.lockout.seconds, 11);
}

#[test]
fn what_is_kept_is_its_owners_and_hashed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("settings.toml");
    std::fs::write(dir.path().join("trunkline.toml"), "[passwords]\niterations = 1\n").unwrap();
    let first = live(dir.path());
    let odd = "an\"na \u{7f}\n.x";
    assert_eq!(first.change("admins", odd, text("quite secret"), ""), Ok(None));
    assert_eq!(
        first.change("proxy", "secret", text("of the proxy"), ""),
        Ok(None)
    );
    assert_eq!(
        first.change("proxy", "secret", text("another"), ""),
        Ok(Some(HIDDEN.to_owned()))
    );
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&kept).unwrap().contains("quite secret"));
    let second = live(dir.path());
    assert!(second.now().admins[odd] == first.now().admins[odd]);
    assert_eq!(second.now().authentication.proxy.secret.reveal(), "another");
    assert_eq!(shown(&second, "proxy", "secret").as_deref(), Some(HIDDEN));
    assert!(!format!("{second:?} {:?}", second.now()).contains("another"));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let environment = [("TRUNKLINE_LOCKOUT_SECONDS", "13")];
    let live = Live::open(sources(dir.path(), &environment)).unwrap().0;
    for (section, key, value, why) in [
        ("lockout", "failures", "many", "must be an integer"),
        ("lockout", "seconds", "12", "the environment sets it"),
        ("server", "listen", "0.0.0.0:1", "when the server starts"),
        ("sessions", "secret", "", "must be a text"),
        ("admins", "anna", "", "must be a text"),
        ("admins", "an:na", "secret", "has a `:`"),
        (
            "admins",
            "anna",
            "-pbkdf2-abc",
            "begins as a hash does, and is none",
        ),
    ] {
        let told = refused(live.change(section, key, text(value), ""));
        assert!(told.contains(why), "{told}");
    }
    let list = Some(Value::List(Vec::new()));
    assert!(refused(live.change("lockout", "failures", list, "")).contains("must be an integer"));
    for (section, key) in [("nothing", "x"), ("lockout", "x"), ("admins", "")] {
        assert_eq!(live.change(section, key, text("1"), ""), Err(Unchanged::Unknown));
    }
    assert_eq!(live.change("admins", "anna", None, ""), Err(Unchanged::Unknown));
    let key = "must be called hmac:ID";
    for (section, key, value, why) in [
        ("jwt_keys", "hmac:_default", "not base64!", key),
        ("jwt_keys", "hs:_default", "c2VjcmV0", key),
        ("jwt_keys", "rsa:_default", "c2VjcmV0", key),
        (
            "password_rules",
            "A digit.",
            "[0-9",
            "is no regular expression: unclosed character class",
        ),
        ("cors", "origins", "app.example", "not \"app.example\""),
        (
            "cors",
            "origins",
            "https://app.example/",
            "not \"https://app.example/\"",
        ),
    ] {
        let told = refused(live.change(section, key, text(value), ""));
        assert!(told.contains(why) && !told.contains("c2VjcmV0"), "{told}");
    }
    live.change("jwt_keys", "hmac:_default", text("c2VjcmV0"), "")
        .unwrap();
    live.change("password_rules", "A digit.", text("[0-9]"), "")
        .unwrap();
    let rules = live.now().authentication.passwords.patterns.clone();
    assert_eq!(rules, [("[0-9]".to_owned(), "A digit.".to_owned())]);
    let nothing = Some(Value::List(vec![String::new()]));
    assert!(refused(live.change("sessions", "former_secrets", nothing, "")).contains("must be"));
    // Each is right, and together they are not.
    live.change("cors", "origins", text("*"), "").unwrap();
    assert!(refused(live.change("cors", "credentials", text("true"), "")).contains("origin *"));
    assert!(!live.now().cors.credentials);
    assert!(
        !std::fs::read_to_string(dir.path().join("settings.toml"))
            .unwrap()
            .contains("credentials")
    );
}

#[test]
fn a_reload_takes_all_or_nothing_and_tells_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trunkline.toml");
    let live = live(dir.path());
    std::fs::write(
        &file,
        "[lockout]\nseconds = 11\n[server]\nlisten = [\"0.0.0.0:1\"]\n[limits]\nrequest_buffers_wait_ms = 200\n",
    )
    .unwrap();
    assert_eq!(
        live.reload("anna").unwrap(),
        ["server/listen", "limits/request_buffers_wait_ms"]
    );
    assert_eq!(live.now().authentication.lockout.seconds, 11);
    assert_eq!(live.process().listen, ["127.0.0.1:5984"]);
    assert_ne!(live.now().request_buffers_wait_ms, 200);
    // A change at that point is no restart either.
    live.change("lockout", "failures", text("2"), "").unwrap();
    assert_eq!(live.process().listen, ["127.0.0.1:5984"]);
    assert_ne!(live.now().request_buffers_wait_ms, 200);
    std::fs::write(&file, "[lockout]\nseconds = 12\nsecond = 1\n").unwrap();
    assert!(live.reload("anna").unwrap_err().to_string().contains("line 3"));
    assert_eq!(live.now().authentication.lockout.seconds, 11);
    live.change("lockout", "failures", text("3"), "").unwrap();
    assert_eq!(live.now().authentication.lockout.seconds, 11);
}

#[test]
fn the_last_administrator_stays() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("trunkline.toml"), "[passwords]\niterations = 1\n").unwrap();
    let live = live(dir.path());
    live.change("admins", "anna", text("secret"), "").unwrap();
    live.change("admins", "otto", text("secret"), "").unwrap();
    live.change("admins", "anna", None, "").unwrap();
    assert!(refused(live.change("admins", "otto", None, "")).contains("last administrator"));
    std::fs::remove_file(dir.path().join("settings.toml")).unwrap();
    assert!(
        live.reload("")
            .unwrap_err()
            .to_string()
            .contains("last administrator")
    );
    assert_eq!(live.now().admins.len(), 1);
}

#[test]
fn a_session_secret_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = live(dir.path());
    first.keep_session_secret().unwrap();
    let secret = first.now().authentication.sessions.secret.clone();
    assert_eq!(secret.reveal().len(), 64);
    first.keep_session_secret().unwrap();
    let second = live(dir.path());
    second.keep_session_secret().unwrap();
    assert!(second.now().authentication.sessions.secret == secret);
}

#[test]
fn a_program_without_files_may_change_them_too() {
    let mut config = Config::default();
    config.authentication.lockout.failures = 7;
    let live = Live::new(config);
    live.change("lockout", "seconds", text("20"), "").unwrap();
    live.change("cors", "max_age", text("60"), "").unwrap();
    live.change("cors", "max_age", None, "").unwrap();
    let now = live.now();
    let lockout = &now.authentication.lockout;
    assert_eq!(
        (lockout.failures, lockout.seconds, now.cors.max_age),
        (7, 20, Config::default().cors.max_age)
    );
}

#[test]
fn a_reload_says_in_the_audit_log_what_changed() {
    let _log = Log::of("192.0.2.5");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trunkline.toml");
    let hash = "-pbkdf2-0123456789abcdef0123456789abcdef01234567,salt,10";
    let admin = |name: &str| format!("[admins]\n{name} = \"{hash}\"\n");
    std::fs::write(&file, admin("first")).unwrap();
    let live = live(dir.path());
    let more = format!(
        "{}second = \"{hash}\"\n[proxy]\nsecret = \"s3cret\"\n",
        admin("first")
    );
    std::fs::write(&file, more).unwrap();
    live.reload("reloader").unwrap();
    live.reload("reloader").unwrap();
    let lines = taken("user=\"reloader\"");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("changed=[\"admins/second\", \"proxy/secret\"]"),
        "{lines:?}"
    );
    assert!(lines[1].contains("changed=[]"), "{lines:?}");
    assert!(
        !lines.concat().contains("s3cret") && !lines.concat().contains("pbkdf2"),
        "{lines:?}"
    );
}
