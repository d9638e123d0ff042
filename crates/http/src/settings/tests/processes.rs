//! `settings.toml` among several processes, users and editors.

use super::{live, shown, sources};
use crate::settings::{Live, Value};

fn roles(role: &str) -> Option<Value> {
    Some(Value::List(vec![role.to_owned()]))
}

#[test]
fn two_processes_lose_nothing_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let setting = |who: &'static str| {
        // As another process would open it.
        let live = live(dir.path());
        move || {
            for at in 0..20 {
                live.change("certificates", &format!("{who}-{at}"), roles(who), who)
                    .unwrap();
            }
        }
    };
    let both = [setting("anna"), setting("otto")];
    std::thread::scope(|scope| both.map(|setting| scope.spawn(setting)).map(drop));
    assert_eq!(live(dir.path()).now().authentication.certificates.roles.len(), 40);
}

#[cfg(unix)]
#[test]
fn what_root_sets_is_the_servers() {
    use std::os::unix::fs::{MetadataExt, chown};
    let dir = tempfile::tempdir().unwrap();
    // None but root may try.
    if chown(dir.path(), Some(4242), Some(4243)).is_err() {
        return;
    }
    let owner = |name: &str| {
        let found = dir.path().join(name).metadata().unwrap();
        (found.uid(), found.gid(), found.mode() & 0o777)
    };
    let live = live(dir.path());
    live.change("certificates", "a", roles("a"), "").unwrap();
    assert_eq!(owner("settings.toml"), (4242, 4243, 0o600));
    assert_eq!(owner("settings.toml.lock"), (4242, 4243, 0o600));
    // Whoever has it keeps it.
    chown(dir.path().join("settings.toml"), Some(4244), Some(4245)).unwrap();
    live.change("certificates", "b", roles("b"), "").unwrap();
    assert_eq!(owner("settings.toml"), (4244, 4245, 0o600));
}

#[test]
fn a_password_in_clear_is_told_and_hashed_with_the_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("settings.toml");
    let text =
        "[admins]\nanna = \"quite secret\"\n[passwords]\niterations = 1\n[proxy]\nsecret = \"clear\"\n";
    std::fs::write(&kept, text).unwrap();
    let (first, warnings) = Live::open(sources(dir.path(), &[])).unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].contains("settings.toml has a password in clear"),
        "{warnings:?}"
    );
    first.change("certificates", "a", roles("a"), "").unwrap();
    let written = std::fs::read_to_string(&kept).unwrap();
    assert!(
        !written.contains("quite secret") && written.contains("\"clear\""),
        "{written}"
    );
    let (second, warnings) = Live::open(sources(dir.path(), &[])).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(shown(&second, "admins", "anna"), shown(&first, "admins", "anna"));
}
