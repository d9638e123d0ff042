//! Which contents edits may name, and what they take of what is staged.

use crate::seen::who_sees;
use crate::support::*;
use trunkline_core::attachment::AttachmentSource;
use trunkline_store::{Database, Refused, StagedContents};

fn is_staged(database: &Database, bytes: &[u8]) -> bool {
    database.lacking(&[content_of(bytes)]).unwrap().is_empty()
}

#[test]
fn an_edit_that_names_content_takes_nothing_that_is_staged() {
    let (_dir, _store, database) = store();
    let content = stage(&database, b"sound");
    let edit_with = |id: &str, parent, source| with(edit(id, parent, "{}"), vec![named("a", source)]);
    let none = rev("1-a");
    let naming = || AttachmentSource::Named(content.clone());
    let refused = one(&database, edit_with("copy", Some(&none), naming()));
    assert_eq!(refused.map(drop), Err(Refused::Conflict));
    assert!(is_staged(&database, b"sound"));
    one(
        &database,
        edit_with("call", None, AttachmentSource::Staged(content.clone())),
    )
    .unwrap();
    one(&database, edit_with("copy", None, naming())).unwrap();
    clean(&database);
}

#[test]
fn what_no_edit_takes_is_let_go() {
    let (_dir, _store, database) = store();
    let mut staged = StagedContents::new(&database);
    let taken = staged.add(stage(&database, b"taken"));
    let _unused = staged.add(stage(&database, b"unused"));
    let again = staged.add_again(&content_of(b"taken"));
    assert!(again.is_some() && staged.add_again(&content_of(b"other")).is_none());
    let edit = with(edit("call", None, "{}"), vec![named("a", taken)]);
    staged.taken_by([&edit]);
    assert!(is_staged(&database, b"taken") && !is_staged(&database, b"unused"));
    // Of the two uses the edit named one.
    one(&database, edit).unwrap();
    clean(&database);
}

#[test]
fn what_hidden_documents_have_is_not_there() {
    let (_dir, _store, database) = store();
    let asked = database.on_behalf(who_sees(|seen| seen.body.contains("ann")));
    let hidden = AttachmentSource::Staged(stage(&database, b"secret"));
    one(
        &database,
        with(edit("hidden", None, "{}"), vec![named("a", hidden)]),
    )
    .unwrap();
    let named_by = |number: u64, source: AttachmentSource| {
        let digest = format!("{number}");
        let edit = replica("call", number, &[&digest], false, r#"{"of":"ann"}"#);
        one(&asked, with(edit, vec![named("a", source)])).map(drop)
    };
    let sources = [
        AttachmentSource::Staged,
        AttachmentSource::Later,
        AttachmentSource::Named,
    ];
    for source in sources {
        for bytes in [b"secret".as_slice(), b"absent"] {
            let refused = named_by(1, source(content_of(bytes)));
            assert_eq!(refused, Err(Refused::NotStaged("a".into())));
        }
    }
    assert_eq!(database.absent(None, 1).unwrap(), []);
    named_by(1, AttachmentSource::Staged(stage(&asked, b"secret"))).unwrap();
    // It is in a leaf that is seen now.
    for (number, source) in (2..).zip(sources) {
        named_by(number, source(content_of(b"secret"))).unwrap();
    }
    // What others bring meanwhile is not named without bringing it.
    let others = stage(&database, b"theirs");
    let refused = named_by(9, AttachmentSource::Named(others.clone()));
    assert_eq!(refused, Err(Refused::NotStaged("a".into())));
    database.unstage(&others);
    clean(&database);
}
