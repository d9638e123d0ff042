//! The examples run, and say what they should.

use std::process::Command;

/// Runs an example to its end; answers what it printed.
fn run(name: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--example", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn embed_stores_and_reads_a_record() {
    assert!(run("embed").ends_with("+14155551000 called 420 for 42 s\n"));
}

#[test]
fn follow_changes_hears_of_each_record() {
    let told = run("follow_changes");
    for part in [
        "call-0 is ended",
        "call-1 is ringing",
        "call-2 was deleted",
        "call-3 is ringing",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn report_answers_by_account() {
    let expected = "account-0: 124500 s\naccount-1: 124750 s\naccount-2: 125000 s\naccount-3: 125250 s\n";
    assert_eq!(run("report"), expected);
}

#[test]
fn resolve_conflict_ends_with_one_leaf_on_both_nodes() {
    let told = run("resolve_conflict");
    let leaf = |node: &str| {
        let mut lines = told.lines().filter_map(|line| line.strip_prefix(node));
        let leaf = lines.next().unwrap().to_owned();
        assert_eq!(lines.next(), None, "{told}");
        leaf
    };
    assert!(told.contains("\nconflict 2-"), "{told}");
    assert_eq!(leaf("north: "), leaf("south: "));
    assert!(
        leaf("north: ").ends_with("{\"message-1\", \"message-2\"}"),
        "{told}"
    );
}

#[test]
fn fleet_receives_every_record_though_a_node_was_down() {
    let told = run("fleet");
    assert!(told.contains("west is back"), "{told}");
    assert!(
        told.ends_with("all received: {\"north\": 50, \"south\": 50, \"west\": 50}\n"),
        "{told}"
    );
}

#[test]
fn voicemail_is_listed_at_once_and_played_when_its_audio_is_there() {
    assert_eq!(
        run("voicemail"),
        "north: message-1 is recorded\n\
         south: the message from +14155551000 is still being processed\n\
         north: plays it meanwhile, 1000000 bytes\n\
         south: plays the message from +14155551000, 1000000 bytes\n"
    );
}
