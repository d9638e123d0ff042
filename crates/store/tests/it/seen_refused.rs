//! What is not answered to one who does not see all of a database, and what is answered in part.

use crate::feeds::{design, read};
use crate::seen::who_sees;
use crate::support::*;
use std::fmt::Debug;
use std::io::Read;
use std::ops::ControlFlow;
use trunkline_core::attachment::{AttachmentSource, Content};
use trunkline_store::{Database, Error, Refused};

fn refused<T: Debug>(answer: Result<T, Error>) {
    assert!(matches!(answer, Err(Error::NotWhole)), "{answer:?}");
}

/// One who sees documents with an `ann` in their body.
fn ann(database: &Database) -> Database {
    database.on_behalf(who_sees(|seen| seen.body.contains("ann")))
}

/// By its hash alone a content is nobody's who does not see all: it takes a document that is seen, and has it.
fn opens(handle: &Database, content: &Content) {
    let open = |of| handle.open_content_by_hash(&content.hash, of);
    assert!(open(Some("call")).is_ok());
    refused(open(None));
    for of in ["other", "hidden", "nowhere"] {
        let answer = open(Some(of));
        assert!(
            matches!(answer, Err(Error::Refused(Refused::Missing))),
            "{answer:?}"
        );
    }
}

#[test]
fn what_tells_of_all_documents_or_is_done_to_them_is_refused() {
    let (_dir, _store, database) = store();
    let content = stage(&database, b"said by ann");
    let source = AttachmentSource::Staged(content.clone());
    let call = with(
        edit("call", None, r#"{"of":"ann"}"#),
        vec![named("a.wav", source)],
    );
    let call = one(&database, call).unwrap().rev;
    put(&database, "other", None, "{}");
    // The same bytes, of somebody else.
    let hidden = AttachmentSource::Named(content.clone());
    one(
        &database,
        with(edit("hidden", None, "{}"), vec![named("a.wav", hidden)]),
    )
    .unwrap();
    let ann = ann(&database);
    for handle in [&ann, &ann.pin().unwrap(), &ann.unpinned()] {
        assert!(!handle.is_whole() && handle.whole().is_whole());
        refused(handle.digests(None, None, 1, 1));
        refused(handle.digest_of(None, None));
        refused(handle.leaves_of(None, None, 1));
        refused(handle.locals(None, false, &mut |_, _, _| ControlFlow::Break(())));
        refused(handle.purged_infos());
        refused(handle.check());
        refused(handle.compact());
        refused(handle.purge(&[(id("call"), vec![call.clone()])]));
        refused(handle.set_security("{}"));
        refused(handle.set_revs_limit(1));
        refused(handle.set_mirror(true));
        refused(handle.set_purged_infos_limit(1));
        assert_eq!(handle.absent(None, 1).unwrap(), []);
        assert!(!handle.supply(&content).unwrap());
        // Which bytes are here is not told: what is not on its way up has to be sent.
        let lacking = handle.lacking(std::slice::from_ref(&content)).unwrap();
        assert_eq!(lacking, std::slice::from_ref(&content));
        let info = handle.info().unwrap();
        assert_eq!((info.doc_count, info.active_bytes, info.update_seq), (0, 0, 3));
        assert_eq!(info.uuid, database.info().unwrap().uuid);

        let leaf = handle.get("call", None).unwrap().unwrap();
        let mut bytes = Vec::new();
        let mut reader = handle.open_content(&leaf.attachments[0].content).unwrap();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"said by ann");
        opens(handle, &content);
    }
    assert_eq!(database.info().unwrap().doc_count, 3);
    assert!(!database.is_mirror().unwrap());
}

#[test]
fn a_named_feed_shows_of_what_is_in_it_what_is_seen() {
    let (_dir, _store, database) = store();
    let feed = design(r#"{"account":"acme"}"#);
    put(&database, "_design/billing", None, &feed);
    put(&database, "other", None, r#"{"account":"acme"}"#);
    put(&database, "own", None, r#"{"account":"acme","of":"ann"}"#);
    put(&database, "elsewhere", None, r#"{"account":"emca","of":"ann"}"#);
    let ann = ann(&database);
    ann.build_feeds().unwrap();
    let seen = read(&ann, "billing/acme", 0);
    assert_eq!(seen, [("own".to_owned(), 3)]);
    assert_eq!(ann.count_feed("billing/acme", 0).unwrap(), 1);
    assert_eq!(ann.count_feed("billing/acme", 3).unwrap(), 0);
    assert_eq!(read(&database, "billing/acme", 0).len(), 2);
    // Of edits, too, the whole database is what they meet.
    let rev = database.get("other", None).unwrap().unwrap().rev;
    put(&ann, "other", Some(&rev), r#"{"account":"acme","of":"ann"}"#);
    assert_eq!(read(&ann, "billing/acme", 3).len(), 1);
    clean(&database);
}

#[test]
fn attachments_come_with_their_documents() {
    let (_dir, _store, database) = store();
    let asked = ann(&database);
    let later = |bytes: &[u8]| vec![named("a.wav", AttachmentSource::Later(content_of(bytes)))];
    let call = replica("call", 1, &["aa"], false, r#"{"of":"ann"}"#);
    // Somebody else's document waits for the same bytes.
    let other = with(replica("other", 1, &["bb"], false, "{}"), later(b"said"));
    assert!(one(&database, other).is_ok());
    let unsent = one(&asked, with(call.clone(), later(b"said")));
    assert_eq!(unsent.map(drop), Err(Refused::NotStaged("a.wav".into())));
    let staged = stage(&asked, b"said");
    assert!(!asked.supply(&staged).unwrap());
    assert!(one(&asked, with(call, later(b"said"))).is_ok());
    assert_eq!(database.absent(None, 1).unwrap(), [], "both have them now");
    clean(&database);
}
