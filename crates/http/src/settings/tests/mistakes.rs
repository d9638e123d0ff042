//! Every mistake is told, each on a line of its own.

use super::{live, sources};
use crate::settings::Live;

fn told(dir: &std::path::Path, variables: &[(&str, &str)]) -> Vec<String> {
    let problem = Live::open(sources(dir, variables)).unwrap_err();
    problem.lines().to_vec()
}

#[test]
fn all_mistakes_of_all_places_are_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("trunkline.toml"),
        "[lockout]\nsecond = 3\nfailures = -1\n[servr]\n[cors]\norigins = [\"a.example\", \"*\"]\n\
         [tls]\ncertificat = \"x\"\nkey = \"y\"\n[server]\nlisten = [\"here\", \"there\"]\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("settings.toml"), "[proxy]\nsecret = \"\"\n").unwrap();
    let told = told(
        dir.path(),
        &[("TRUNKLINE_LOCKOUT_SECONDS", "soon"), ("TRUNKLINE_USER", "anna")],
    );
    for part in [
        "trunkline.toml, line 2: unknown key `second`",
        "trunkline.toml, line 3: `failures`",
        "trunkline.toml, line 4: unknown section [servr]",
        "trunkline.toml, line 8: unknown key `certificat`",
        "settings.toml, line 2: `secret`",
        "TRUNKLINE_LOCKOUT_SECONDS: ",
        "TRUNKLINE_PASSWORD is not",
        "not \"a.example\"",
        "not \"here\"",
        "not \"there\"",
    ] {
        assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:#?}");
    }
    // Not that a `certificate` is missing, which was meant.
    assert_eq!(told.len(), 10, "{told:#?}");
}

#[test]
fn origins_and_methods_that_never_match_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[cors]\norigins = [\"https://*.example.com\", \"https://a.example\"]\nmethods = [\"GET\", \"FOO\", \"put\"]\n";
    std::fs::write(dir.path().join("trunkline.toml"), text).unwrap();
    let told = told(dir.path(), &[]);
    assert!(told.len() == 3, "{told:#?}");
    for (line, parts) in told.iter().zip([
        ["not \"https://*.example.com\"", "write each host out"],
        ["takes GET, HEAD, PUT, ", "not \"FOO\""],
        ["in capitals", "not \"put\""],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{told:#?}");
    }
}

#[test]
fn what_does_not_fit_together_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trunkline.toml");
    let text = "[tls]\nkey = \"k\"\nrequire_client_certificate = true\nclient_crl_file = \"r\"\n[replication]\nkey = \"k\"\n";
    std::fs::write(&file, text).unwrap();
    let told = told(dir.path(), &[]);
    assert_eq!(told.len(), 4, "{told:#?}");
    // The same while a server runs, and nothing changes.
    std::fs::remove_file(&file).unwrap();
    let live = live(dir.path());
    std::fs::write(&file, text).unwrap();
    assert_eq!(live.reload("").unwrap_err().lines(), told);
}

#[test]
fn a_broken_file_of_what_was_set_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let live = live(dir.path());
    let kept = dir.path().join("settings.toml");
    let text = "[lockout]\nseconds = 9\nsecond = 9\n";
    std::fs::write(&kept, text).unwrap();
    let value = crate::settings::Value::Number(7);
    assert!(live.change("lockout", "failures", Some(value), "").is_err());
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), text);
}
