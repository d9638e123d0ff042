//! A replica that is seeded from a snapshot file gets what came later, and nothing again.

use crate::node::{fails, ok};
use serde_json::{Value, json};
use trunkline::Store;

#[test]
fn a_replica_seeded_from_a_snapshot_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let store = Store::open(path("near")).unwrap();
    let calls = store.database("calls").unwrap();
    for at in 0..500 {
        calls.put(&format!("call-{at}"), &json!({"n": at})).unwrap();
    }
    calls
        .modify("call-1", |call: &mut Value| call["n"] = json!("edited"))
        .unwrap();
    let gone = calls.get::<Value>("call-2").unwrap().unwrap();
    calls.delete("call-2", &gone.rev).unwrap();
    let mut mail = calls.get::<Value>("call-3").unwrap().unwrap();
    let audio = vec![7; 100_000];
    calls
        .attach(&mut mail, "voice.wav", "audio/wav", &audio[..])
        .unwrap();
    store.engine().close().unwrap();
    drop((calls, store));

    let (near, far, file) = (path("near/calls"), path("far/calls"), path("calls.snapshot"));
    ok(&["export", &near, "--snapshot", &file]);
    assert!(fails(&["export", &near, "--snapshot", &file]).contains("is there already"));
    let told = ok(&["import", &far, &file]);
    assert!(
        told.starts_with("500 documents in the snapshot: 500 revisions written, 0 refused"),
        "{told}"
    );
    assert!(ok(&["verify", &near, &far]).contains("no difference"));

    let nothing: Value = serde_json::from_str(&ok(&["replicate", &near, &far, "--json"])).unwrap();
    assert_eq!(
        (&nothing["no_changes"], &nothing["docs_read"]),
        (&json!(true), &json!(0)),
        "{nothing}"
    );
    let store = Store::open(path("near")).unwrap();
    store
        .existing("calls")
        .unwrap()
        .put("call-later", &json!({}))
        .unwrap();
    store.engine().close().unwrap();
    let later: Value = serde_json::from_str(&ok(&["replicate", &near, &far, "--json"])).unwrap();
    assert_eq!(
        (&later["missing_checked"], &later["docs_written"]),
        (&json!(1), &json!(1)),
        "{later}"
    );
    ok(&["verify", &near, &far]);

    let store = Store::open(path("far")).unwrap();
    let mail = store.existing("calls").unwrap();
    let doc = mail.get::<Value>("call-3").unwrap().unwrap();
    let mut bytes = Vec::new();
    let mut reader = mail
        .open_attachment(doc.attachment("voice.wav").unwrap())
        .unwrap();
    std::io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
    assert_eq!(bytes, audio);
}

#[test]
fn a_damaged_snapshot_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let store = Store::open(path("near")).unwrap();
    store.database("calls").unwrap().put("call", &json!({})).unwrap();
    store.engine().close().unwrap();
    drop(store);
    let file = path("calls.snapshot");
    ok(&["export", &path("near/calls"), "--snapshot", &file]);
    let whole = std::fs::read(&file).unwrap();
    let cut = path("cut.snapshot");
    for length in [8, 40, whole.len() - 1] {
        std::fs::write(&cut, &whole[..length]).unwrap();
        let told = fails(&["import", &path("far/calls"), &cut]);
        assert!(told.contains("cut off"), "{told}");
    }
    let mut damaged = whole;
    damaged[12] ^= 0xff;
    std::fs::write(&cut, &damaged).unwrap();
    fails(&["import", &path("far/calls"), &cut]);
}
