//! Which place goes over which.

use super::{live, shown, sources};
use crate::settings::{Live, Origin, Sources};

#[test]
fn file_then_kept_then_environment_then_flags() {
    let dir = tempfile::tempdir().unwrap();
    let seconds = |live: &Live| live.now().authentication.lockout.seconds;
    let origin = |live: &Live| live.list()["lockout"]["seconds"].origin;
    let open = live(dir.path());
    assert_eq!((seconds(&open), origin(&open)), (300, None));
    std::fs::write(dir.path().join("trunkline.toml"), "[lockout]\nseconds = 11\n").unwrap();
    let open = live(dir.path());
    assert_eq!((seconds(&open), origin(&open)), (11, Some(Origin::File)));
    std::fs::write(dir.path().join("settings.toml"), "[lockout]\nseconds = 12\n").unwrap();
    let open = live(dir.path());
    assert_eq!((seconds(&open), origin(&open)), (12, Some(Origin::Kept)));
    let with = sources(dir.path(), &[("TRUNKLINE_LOCKOUT_SECONDS", "13")]);
    let open = Live::open(with.clone()).unwrap().0;
    assert_eq!((seconds(&open), origin(&open)), (13, Some(Origin::Environment)));
    let flags = vec![("lockout", "seconds", "14".to_owned())];
    let open = Live::open(Sources { flags, ..with }).unwrap().0;
    assert_eq!((seconds(&open), origin(&open)), (14, Some(Origin::Flag)));
    // What no layer names stays as it was.
    assert_eq!(open.now().authentication.lockout.failures, 5);
}

#[test]
fn the_environment_reads_by_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let (live, warnings) = Live::open(sources(
        dir.path(),
        &[
            ("PATH", "/bin"),
            ("TRUNKLINE_SESSIONS_PERSISTENT", "false"),
            ("TRUNKLINE_CORS_ORIGINS", "https://a.example, https://b.example"),
            ("TRUNKLINE_LISTEN", "127.0.0.1:1"),
            ("TRUNKLINE_LOG", "debug"),
            ("TRUNKLINE_SECRETS", "/run/secrets"),
            ("TRUNKLINE_CONFIG", "elsewhere"),
            ("TRUNKLINE_LISTN", "127.0.0.1:2"),
        ],
    ))
    .unwrap();
    assert!(!live.now().authentication.sessions.persistent);
    assert_eq!(
        live.now().cors.origins,
        ["https://a.example", "https://b.example"]
    );
    let process = live.process();
    assert_eq!(process.listen, ["127.0.0.1:1"]);
    assert_eq!(process.log_filter, "debug");
    assert_eq!(process.secrets.unwrap().to_str(), Some("/run/secrets"));
    assert_eq!(
        warnings,
        ["unknown variable TRUNKLINE_LISTN; did you mean `TRUNKLINE_LISTEN`?"]
    );
}

#[test]
fn variables_that_are_wrong_are_told() {
    let dir = tempfile::tempdir().unwrap();
    for (name, value, told) in [
        (
            "TRUNKLINE_LOCKOUT_SECONDS",
            "soon",
            "TRUNKLINE_LOCKOUT_SECONDS: `seconds` in [lockout] must be an integer from 1 to 86400 (seconds)",
        ),
        (
            "TRUNKLINE_LOCKOUT_SECOND",
            "1",
            "unknown variable TRUNKLINE_LOCKOUT_SECOND; did you mean `TRUNKLINE_LOCKOUT_SECONDS`?",
        ),
        (
            "TRUNKLINE_ADMINS_ANNA",
            "secret",
            "TRUNKLINE_ADMINS_ANNA: a name in [admins] stands behind two underscores, TRUNKLINE_ADMINS__name",
        ),
        (
            "TRUNKLINE_JWT_KEYS__hs___default",
            "c2VjcmV0",
            "`hs:_default` in [jwt_keys] must be called hmac:ID (base64), rsa:ID, ec:ID or eddsa:ID (PEM of a public key), and \
             be one",
        ),
        (
            "TRUNKLINE_ADMINS__",
            "secret",
            "TRUNKLINE_ADMINS__: unknown key `` in [admins]",
        ),
        (
            "TRUNKLINE_USER",
            "anna",
            "TRUNKLINE_USER is set, and TRUNKLINE_PASSWORD is not",
        ),
        (
            "TRUNKLINE_PASSWORD",
            "quite secret",
            "TRUNKLINE_PASSWORD is set, and TRUNKLINE_USER is not (it is also what `--user` logs in with: unset it here)",
        ),
        (
            "TRUNKLINE_LISTEN",
            "somewhere",
            "`listen` takes addresses with ports, such as 127.0.0.1:5984 and [::1]:5984; not \"somewhere\"",
        ),
    ] {
        let problem = Live::open(sources(dir.path(), &[(name, value)])).unwrap_err();
        assert_eq!(problem.to_string(), told);
    }
}

#[test]
fn names_of_the_operators_choice_come_as_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let (live, warnings) = Live::open(sources(
        dir.path(),
        &[
            ("TRUNKLINE_PASSWORDS_ITERATIONS", "1"),
            ("TRUNKLINE_ADMINS__Anna__B", "quite secret"),
            ("TRUNKLINE_ADMINS__otto", "also secret"),
            ("TRUNKLINE_JWT_KEYS__hmac___default", "c2VjcmV0"),
            ("TRUNKLINE_JWT_KEYS__hmac__a__b", "c2VjcmV0"),
            ("TRUNKLINE_JWT_KEYS__hmac:c__d", "c2VjcmV0"),
            ("TRUNKLINE_CERTIFICATES__node-1.example", "replicator, reader"),
            ("TRUNKLINE_PASSWORD_RULES__A password has a digit.", "[0-9]"),
        ],
    ))
    .unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let now = live.now();
    assert_eq!(now.admins.keys().collect::<Vec<_>>(), ["Anna__B", "otto"]);
    assert!(now.admins["otto"].reveal().starts_with("-pbkdf2:"));
    let authentication = &now.authentication;
    let ids: Vec<_> = authentication.jwt.keys.keys().collect();
    assert_eq!(ids, ["hmac:_default", "hmac:a__b", "hmac:c__d"]);
    assert_eq!(
        authentication.certificates.roles["node-1.example"],
        ["replicator", "reader"]
    );
    assert_eq!(authentication.passwords.patterns[0].1, "A password has a digit.");
    assert_eq!(live.list()["admins"]["otto"].origin, Some(Origin::Environment));
}

#[test]
fn passwords_in_clear_are_hashed_and_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[passwords]\niterations = 1\n[admins]\nanna = \"quite secret\"\n";
    std::fs::write(dir.path().join("trunkline.toml"), text).unwrap();
    let environment = [("TRUNKLINE_USER", "otto"), ("TRUNKLINE_PASSWORD", "also secret")];
    let (live, warnings) = Live::open(sources(dir.path(), &environment)).unwrap();
    for name in ["anna", "otto"] {
        assert!(
            live.now().admins[name].reveal().starts_with("-pbkdf2:sha256-"),
            "{name}"
        );
        assert!(
            shown(&live, "admins", name)
                .unwrap()
                .starts_with("-pbkdf2:sha256-"),
            "{name}"
        );
    }
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert!(
        warning.contains("trunkline.toml") && warning.contains("init --hash"),
        "{warning}"
    );
    assert!(!warning.contains("secret"), "{warning}");
    // The operator's file is the operator's, and read again the same hashes come of it.
    let hashed = live.now().admins.clone();
    live.reload("anna").unwrap();
    assert!(live.now().admins == hashed);
    assert_eq!(
        std::fs::read_to_string(dir.path().join("trunkline.toml")).unwrap(),
        text
    );
}

#[test]
fn secrets_of_systemd_are_found_beside_ours() {
    let dir = tempfile::tempdir().unwrap();
    let environment = [
        ("CREDENTIALS_DIRECTORY", "/run/c"),
        ("TRUNKLINE_SECRETS", "/run/s"),
    ];
    let (live, _) = Live::open(sources(dir.path(), &environment)).unwrap();
    let secrets = format!("{:?}", live.now().secrets);
    assert!(
        secrets.contains("/run/c") && secrets.contains("/run/s"),
        "{secrets}"
    );
}
