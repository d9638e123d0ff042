//! Edits on behalf of someone: taken or refused one by one, and what a refusal tells.

use crate::support::*;
use std::sync::Arc;
use trunkline_core::rev::Rev;
use trunkline_store::{Asker, Batch, Candidate, Database, Outcome, Refused};
use trunkline_wire::functions::User;

/// Takes documents whose body and predecessor name their owner, and no design documents.
pub(crate) fn owner(name: &'static str) -> Arc<Asker> {
    Arc::new(Asker {
        user: Arc::new(User::new(Some(name), ["customer"])),
        takes: Some(Arc::new(move |candidate: &Candidate<'_>| {
            let refused = |reason: &str| Err(Refused::Forbidden(reason.to_owned()));
            let old = candidate.old.filter(|old| !old.deleted);
            if candidate.id.starts_with("_design/")
                || old.is_some_and(|old| !old.body.as_str().contains(name))
            {
                return refused("not yours");
            }
            match candidate.deleted || candidate.body.contains(name) {
                true => Ok(()),
                false => refused("not for you"),
            }
        })),
        ..Asker::default()
    })
}

pub(crate) fn told(outcomes: Vec<Outcome>) -> Vec<Result<(), Refused>> {
    outcomes.into_iter().map(|outcome| outcome.map(drop)).collect()
}

pub(crate) fn forbidden(reason: &str) -> Result<(), Refused> {
    Err(Refused::Forbidden(reason.to_owned()))
}

fn bodies(database: &Database, ids: &[&str]) -> Vec<Option<String>> {
    let body = |id: &&str| database.get(id, None).unwrap();
    ids.iter()
        .map(|id| Some(body(id)?.body.as_str().to_owned()))
        .collect()
}

pub(crate) const ANN: &str = r#"{"of":"ann"}"#;
pub(crate) const BOB: &str = r#"{"of":"bob"}"#;

#[test]
fn each_edit_for_itself() {
    let (_dir, _store, database) = store();
    let ann = database.on_behalf(owner("ann"));
    let bobs = put(&database, "bobs", None, BOB);
    let outcomes = update(
        &ann,
        vec![
            edit("a", None, ANN),
            edit("b", None, BOB),
            edit("bobs", Some(&bobs), ANN),
            deletion("bobs", Some(&bobs)),
            edit("_design/d", None, ANN),
            edit("c", None, ANN),
        ],
    );
    let expected = [
        Ok(()),
        forbidden("not for you"),
        forbidden("not yours"),
        forbidden("not yours"),
        forbidden("not yours"),
        Ok(()),
    ];
    assert_eq!(told(outcomes), expected);
    let ids = ["a", "b", "bobs", "_design/d", "c"];
    let stands = [Some(ANN), None, Some(BOB), None, Some(ANN)].map(|body| body.map(str::to_owned));
    assert_eq!(bodies(&database, &ids), stands);

    // All or none; and of those that others wrote with it in one commit, all.
    let atomic = ann.update(Batch {
        edits: vec![edit("d", None, ANN), edit("e", None, BOB)],
        atomic: true,
        ..Batch::default()
    });
    assert_eq!(
        told(atomic.unwrap()),
        [Err(Refused::Batch), forbidden("not for you")]
    );
    assert_eq!(bodies(&database, &["d", "e"]), [None, None]);
    clean(&database);
}

#[test]
fn replicated_edits_are_judged_by_the_winner_and_by_what_they_go_on_from() {
    let (_dir, _store, database) = store();
    let ann = database.on_behalf(owner("ann"));
    put(&database, "bobs", None, BOB);
    // Another branch of what is not hers, which would even win.
    assert_eq!(
        told(update(&ann, vec![replica("bobs", 9, &["zz"], false, ANN)])),
        [forbidden("not yours")]
    );
    // A conflict of hers whose losing leaf is not hers.
    update(
        &database,
        vec![
            replica("mixed", 1, &["bb"], false, ANN),
            replica("mixed", 1, &["aa"], false, BOB),
        ],
    );
    let child = |parent: &str| replica("mixed", 2, &["cc", parent], false, ANN);
    assert_eq!(told(update(&ann, vec![child("aa")])), [forbidden("not yours")]);
    assert_eq!(told(update(&ann, vec![child("bb")])), [Ok(())]);
    // What comes again comes to nothing, and says so to those alone who may write it.
    assert_eq!(told(update(&ann, vec![child("bb")])), [Ok(())]);
    let again = replica("bobs", 1, &["xx"], false, BOB);
    update(&database, vec![again.clone()]);
    assert_eq!(told(update(&ann, vec![again])), [forbidden("not yours")]);
    let gone = replica("gone", 2, &["dd", "cc"], true, "{}");
    assert_eq!(told(update(&ann, vec![gone.clone(), gone])), [Ok(()), Ok(())]);
    clean(&database);
}

#[test]
fn a_refusal_tells_nothing_of_what_others_have() {
    let (_dir, _store, database) = store();
    let ann = database.on_behalf(owner("ann"));
    let right = put(&database, "bobs", None, BOB);
    let wrong = rev("1-00000000000000000000000000000000");
    let guesses: Vec<Option<&Rev>> = vec![None, Some(&right), Some(&wrong)];
    for parent in guesses {
        let with_stub = with(edit("bobs", parent, ANN), vec![stub("secret.wav")]);
        for guess in [edit("bobs", parent, ANN), with_stub] {
            assert_eq!(told(update(&ann, vec![guess])), [forbidden("not yours")]);
        }
    }
    let own = put(&ann, "own", None, ANN);
    assert_eq!(
        told(update(&ann, vec![edit("own", Some(&wrong), ANN)])),
        [Err(Refused::Conflict)]
    );
    // It comes back as anybody's.
    let gone = one(&ann, deletion("own", Some(&own))).unwrap().rev;
    assert_eq!(
        told(update(&ann, vec![edit("own", Some(&gone), ANN)])),
        [Err(Refused::Conflict)]
    );
    let bob = database.on_behalf(owner("bob"));
    assert!(one(&bob, edit("own", None, BOB)).is_ok());
}

#[test]
fn every_question_says_how_the_edit_came() {
    let (_dir, _store, database) = store();
    let replicates = database.on_behalf(Arc::new(Asker {
        takes: Some(Arc::new(|candidate: &Candidate<'_>| {
            match candidate.interactive {
                true => Err(Refused::Forbidden("only what is replicated".to_owned())),
                false => Ok(()),
            }
        })),
        ..Asker::default()
    }));
    let first = replica("a", 1, &["aa"], false, ANN);
    // The second time it is here already.
    assert_eq!(
        told(update(&replicates, vec![first.clone(), first])),
        [Ok(()), Ok(())]
    );
    let unknown = rev("1-00");
    let with_stub = with(replica("a", 2, &["bb", "aa"], false, ANN), vec![stub("a.wav")]);
    assert_eq!(
        told(update(
            &replicates,
            vec![with_stub, edit("a", Some(&unknown), ANN)]
        )),
        [
            Err(Refused::MissingStub("a.wav".into())),
            forbidden("only what is replicated")
        ]
    );
}
