//! Peers that lie for a while: the run says what it met, waits, goes on when they tell the truth again, and has lost and
//! refused nothing.

use crate::couch::{Couch, Stored};
use crate::couchdb::add;
use crate::scripted::{Answer, Request, answer, serve_requests};
use crate::world::{World, attachment, edit, leaves, put};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{HttpOptions, HttpPeer, Peer, Progress, Report, Spec, run};

/// What a peer makes of its true answer.
struct Lie {
    name: &'static str,
    /// Of the requests that are answered with it; the first ones of each kind are.
    about: fn(&Request) -> bool,
    tells: fn(Answer) -> Answer,
    /// What the run's newest error says, where the lie is the whole peer's and not a document's.
    clear: &'static str,
}

/// Requests that are lied to.
const LIES: usize = 3;
const DOCS: usize = 30;
/// A peer may be sent as much before it is left, and what the sockets hold.
const ENDLESS_BYTES_MAX: usize = 80 << 20;

fn changes(request: &Request) -> bool {
    request.path.contains("/_changes")
}
fn bulk_get(request: &Request) -> bool {
    request.path.contains("/_bulk_get")
}
fn open_revs(request: &Request) -> bool {
    request.path.contains("open_revs")
}
fn revs_diff(request: &Request) -> bool {
    request.path.contains("/_revs_diff")
}
fn bulk_docs(request: &Request) -> bool {
    request.path.contains("/_bulk_docs")
}
fn with_attachments(request: &Request) -> bool {
    request.method == "PUT" && request.path.contains("new_edits=false")
}
fn local(request: &Request) -> bool {
    request.path.contains("/_local/")
}
fn any(_: &Request) -> bool {
    true
}

fn html(_: Answer) -> Answer {
    answer(
        "200 OK\r\nContent-Type: text/html",
        "<html><body>Please log in to the hotel's network</body></html>",
    )
}
fn bad_gateway(_: Answer) -> Answer {
    answer("502 Bad Gateway", "<html>nginx</html>")
}
fn unavailable(_: Answer) -> Answer {
    let body = r#"{"error":"service_unavailable","reason":"compacting"}"#;
    answer("503 Service Unavailable", body)
}
fn too_many(_: Answer) -> Answer {
    let body = r#"{"error":"too_many_requests","reason":"slow down"}"#;
    answer("429 Too Many Requests\r\nRetry-After: 1", body)
}
fn cut_off(truth: Answer) -> Answer {
    Answer {
        cut: truth.body.len() / 2,
        ..truth
    }
}
/// Whole by its length, but not in itself.
fn truncated(truth: Answer) -> Answer {
    let half = truth.body.len() / 2;
    let body = truth.body.into_iter().take(half).collect();
    Answer { body, ..truth }
}
/// Some bytes before the end of a part are not there, and its length says they are.
fn shortened(mut truth: Answer) -> Answer {
    let from = truth.body.len() * 2 / 3;
    truth.body.drain(from..from + 40);
    truth
}
fn lengthened(mut truth: Answer) -> Answer {
    let at = truth.body.len() * 2 / 3;
    truth.body.splice(at..at, [b'x'; 40]);
    truth
}
fn rows_missing(truth: Answer) -> Answer {
    let mut body: serde_json::Value = serde_json::from_slice(&truth.body).unwrap();
    body["results"].as_array_mut().unwrap().truncate(1);
    Answer {
        body: body.to_string().into_bytes(),
        ..truth
    }
}
fn empty(truth: Answer) -> Answer {
    Answer {
        body: Vec::new(),
        ..truth
    }
}

const PULLED: &[Lie] = &[
    Lie {
        name: "a login page",
        about: any,
        tells: html,
        clear: "http://",
    },
    Lie {
        name: "a proxy without its server",
        about: any,
        tells: bad_gateway,
        clear: "502",
    },
    Lie {
        name: "busy",
        about: any,
        tells: too_many,
        clear: "slow down",
    },
    Lie {
        name: "starting",
        about: any,
        tells: unavailable,
        clear: "compacting",
    },
    Lie {
        name: "nothing",
        about: any,
        tells: empty,
        clear: "http://",
    },
    Lie {
        name: "a login page as feed",
        about: changes,
        tells: html,
        clear: "http://",
    },
    Lie {
        name: "half a feed",
        about: changes,
        tells: cut_off,
        clear: "http://",
    },
    Lie {
        name: "a feed without its end",
        about: changes,
        tells: truncated,
        clear: "http://",
    },
    Lie {
        name: "checkpoints behind a proxy",
        about: local,
        tells: bad_gateway,
        clear: "502",
    },
    Lie {
        name: "documents behind a proxy",
        about: bulk_get,
        tells: bad_gateway,
        clear: "",
    },
    Lie {
        name: "documents behind a login page",
        about: bulk_get,
        tells: html,
        clear: "",
    },
    Lie {
        name: "rows that are not there",
        about: bulk_get,
        tells: rows_missing,
        clear: "",
    },
    Lie {
        name: "half the documents",
        about: bulk_get,
        tells: truncated,
        clear: "",
    },
    Lie {
        name: "documents cut off",
        about: bulk_get,
        tells: cut_off,
        clear: "",
    },
    Lie {
        name: "too many questions for documents",
        about: bulk_get,
        tells: too_many,
        clear: "slow down",
    },
    Lie {
        name: "half a voicemail",
        about: open_revs,
        tells: truncated,
        clear: "",
    },
    Lie {
        name: "a voicemail cut off",
        about: open_revs,
        tells: cut_off,
        clear: "",
    },
    Lie {
        name: "a voicemail shorter than it says",
        about: open_revs,
        tells: shortened,
        clear: "",
    },
    Lie {
        name: "a voicemail longer than it says",
        about: open_revs,
        tells: lengthened,
        clear: "",
    },
    Lie {
        name: "a login page as voicemail",
        about: open_revs,
        tells: html,
        clear: "",
    },
    Lie {
        name: "voicemail later",
        about: open_revs,
        tells: unavailable,
        clear: "compacting",
    },
];

const PUSHED: &[Lie] = &[
    Lie {
        name: "a login page",
        about: any,
        tells: html,
        clear: "http://",
    },
    Lie {
        name: "busy",
        about: any,
        tells: too_many,
        clear: "slow down",
    },
    Lie {
        name: "a login page that compares",
        about: revs_diff,
        tells: html,
        clear: "http://",
    },
    Lie {
        name: "a comparison cut off",
        about: revs_diff,
        tells: cut_off,
        clear: "http://",
    },
    Lie {
        name: "no comparison now",
        about: revs_diff,
        tells: unavailable,
        clear: "compacting",
    },
    Lie {
        name: "a login page that takes documents",
        about: bulk_docs,
        tells: html,
        clear: "http://",
    },
    Lie {
        name: "half an answer to documents",
        about: bulk_docs,
        tells: cut_off,
        clear: "http://",
    },
    Lie {
        name: "no documents now",
        about: bulk_docs,
        tells: unavailable,
        clear: "compacting",
    },
    Lie {
        name: "fewer documents",
        about: bulk_docs,
        tells: too_many,
        clear: "slow down",
    },
    Lie {
        name: "no voicemail now",
        about: with_attachments,
        tells: unavailable,
        clear: "compacting",
    },
    Lie {
        name: "a proxy before voicemail",
        about: with_attachments,
        tells: bad_gateway,
        clear: "502",
    },
];

type Couched = Arc<parking_lot::Mutex<Couch>>;

/// A CouchDB that lies to the first requests that a lie is about.
async fn liar(lie: &Lie) -> (Couched, Arc<dyn Peer>, Arc<AtomicUsize>) {
    let couch = Couched::default();
    let (server, told) = (Arc::clone(&couch), Arc::new(AtomicUsize::new(0)));
    let (about, tells, count) = (lie.about, lie.tells, Arc::clone(&told));
    let url = serve_requests(move |request| {
        let lies = about(request) && count.fetch_add(1, Ordering::Relaxed) < LIES;
        let before = server.lock().clone();
        let truth = server.lock().answer(request);
        if lies && (request.method == "PUT" || bulk_docs(request)) {
            // What it does not admit to has not happened either.
            *server.lock() = before;
        }
        if lies { tells(truth) } else { truth }
    })
    .await;
    let peer = HttpPeer::new(&url, HttpOptions::default()).unwrap();
    (couch, Arc::new(peer), told)
}

/// Runs until all is there; answers the report and the errors that were told.
async fn run_until(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    name: &str,
    is_there: impl Fn() -> bool,
) -> (Report, BTreeSet<String>) {
    let (progress, mut watched) = watch::channel(Progress::default());
    let cancel = CancellationToken::new();
    let spec = Spec {
        continuous: true,
        ..Spec::default()
    };
    let running = tokio::spawn(run(source, target, spec, progress, cancel.clone()));
    let mut errors = BTreeSet::new();
    let all = async {
        while !is_there() {
            errors.extend(watched.borrow_and_update().last_error.clone());
            // The last change may come before what it tells of is looked at.
            let _ = tokio::time::timeout(Duration::from_millis(50), watched.changed()).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), all).await;
    let refused = &watched.borrow().refused.clone();
    assert!(in_time.is_ok(), "{name}: not in a minute; {errors:?} {refused:?}");
    errors.extend(watched.borrow_and_update().last_error.clone());
    cancel.cancel();
    (running.await.unwrap().unwrap(), errors)
}

fn judge(lie: &Lie, told: &AtomicUsize, report: &Report, errors: &BTreeSet<String>) {
    assert!(told.load(Ordering::Relaxed) >= LIES, "{}: never asked", lie.name);
    assert_eq!(report.refused, [], "{}", lie.name);
    assert_eq!(report.progress.doc_write_failures, 0, "{}", lie.name);
    if !lie.clear.is_empty() {
        let clear = errors.iter().any(|error| error.contains(lie.clear));
        assert!(clear, "{}: {errors:?}", lie.name);
    }
}

#[tokio::test]
async fn a_source_that_lied_is_pulled_whole_once_it_tells_the_truth() {
    let pulls = PULLED.iter().map(|lie| async move {
        let world = World::new();
        let (couch, peer, told) = liar(lie).await;
        for at in 0..DOCS {
            add(
                &couch,
                json!({"_id": format!("doc-{at:02}"), "_rev": "1-a", "n": at}),
                &[],
            );
        }
        // Long enough that the middle of an answer is in the middle of it, however well it packs.
        let voice = (0..5000_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes());
        let mail = Stored::gzip(&voice.collect::<Vec<u8>>(), 1);
        add(
            &couch,
            json!({"_id": "mail", "_rev": "1-m"}),
            &[("a.txt", mail.clone())],
        );
        let (report, errors) = run_until(peer, world.peer("target"), lie.name, || {
            leaves(&world.database("target")).len() == DOCS + 1
        })
        .await;
        judge(lie, &told, &report, &errors);
        let held = leaves(&world.database("target"));
        assert_eq!(held.len(), DOCS + 1, "{}", lie.name);
        assert_eq!(
            held["mail"]["1-m"].2,
            BTreeMap::from([("a.txt".to_owned(), mail.bytes)])
        );
    });
    futures_util::future::join_all(pulls).await;
}

#[tokio::test]
async fn a_target_that_lied_gets_everything_once_it_tells_the_truth() {
    let pushes = PUSHED.iter().map(|lie| async move {
        let world = World::new();
        let (couch, peer, told) = liar(lie).await;
        // Not empty, so that it is asked what it lacks.
        add(&couch, json!({"_id": "other", "_rev": "1-a"}), &[]);
        let source = world.database("source");
        for at in 0..DOCS {
            put(&source, &format!("doc-{at:02}"), None, "{}");
        }
        let file = vec![attachment(&source, "a", &b"voice".repeat(10_000))];
        let rev = edit(&source, "mail", None, "{}", false, file).to_string();
        for at in 0..LIES {
            // Several questions and several documents with attachments, for whom that takes.
            put(&source, &format!("more-{at}"), None, "{}");
        }
        let (report, errors) = run_until(world.peer("source"), peer, lie.name, || {
            couch.lock().docs.len() == DOCS + LIES + 2
        })
        .await;
        judge(lie, &told, &report, &errors);
        let couch = couch.lock();
        assert_eq!(couch.docs.len(), DOCS + LIES + 2, "{}", lie.name);
        assert_eq!(
            couch.docs["mail"].leaves[&rev].attachments["a"].bytes,
            b"voice".repeat(10_000)
        );
    });
    futures_util::future::join_all(pushes).await;
}

/// Answers that never end, each with how it begins and what it goes on with.
#[tokio::test]
async fn an_answer_without_end_is_left_after_so_much() {
    type Is = fn(&Request) -> bool;
    let endless: [(&str, Is, &str, &str, &str); 6] = [
        ("a row", changes, "200 OK", r#"{"results":[{"seq":1,"id":""#, "x"),
        (
            "a welcome",
            |request| request.path == "/",
            "200 OK",
            "{\"couchdb\":\"",
            "x",
        ),
        ("a checkpoint", local, "200 OK", "{\"_id\":\"", "x"),
        (
            "documents",
            bulk_get,
            "200 OK",
            "{\"results\":[",
            "{\"id\":\"x\",\"docs\":[]},",
        ),
        (
            "headers of a part",
            open_revs,
            "200 OK\r\nContent-Type: multipart/mixed; boundary=\"O\"",
            "--O\r\nX: ",
            "x",
        ),
        (
            "a part's document",
            open_revs,
            "200 OK\r\nContent-Type: multipart/mixed; boundary=\"O\"",
            "--O\r\nContent-Type: application/json\r\n\r\n{\"_id\":\"",
            "x",
        ),
    ];
    let runs = endless.map(|(name, about, head, begins, goes_on)| async move {
        let world = World::new();
        let couch = Couched::default();
        let mail = Stored::gzip(b"hello", 1);
        add(&couch, json!({"_id": "mail", "_rev": "1-m"}), &[("a.txt", mail)]);
        for at in 0..DOCS {
            add(&couch, json!({"_id": format!("doc-{at:02}"), "_rev": "1-a"}), &[]);
        }
        let (sent, lied) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let (server, counted) = (Arc::clone(&couch), Arc::clone(&sent));
        let piece = goes_on.repeat(65_536 / goes_on.len());
        let url = serve_requests(move |request| {
            let truth = server.lock().answer(request);
            if !about(request) || lied.fetch_add(1, Ordering::Relaxed) > 0 {
                return truth;
            }
            Answer {
                endless: Some((piece.clone().into_bytes(), Arc::clone(&counted))),
                ..answer(head, begins)
            }
        })
        .await;
        let peer = HttpPeer::new(&url, HttpOptions::default()).unwrap();
        let (report, _) = run_until(Arc::new(peer), world.peer("target"), name, || {
            leaves(&world.database("target")).len() == DOCS + 1
        })
        .await;
        assert_eq!(report.refused, [], "{name}");
        assert_eq!(leaves(&world.database("target")).len(), DOCS + 1, "{name}");
        let sent = sent.load(Ordering::Relaxed);
        assert!((1..ENDLESS_BYTES_MAX).contains(&sent), "{name}: {sent} bytes");
    });
    futures_util::future::join_all(runs).await;
}
