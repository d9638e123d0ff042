//! Attachment bytes that come behind their documents, where an end is in trouble meanwhile.

use crate::faults::{Call, Faulty};
use crate::world::{World, attachment, edit, replicate};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use trunkline_core::attachment::ContentHash;
use trunkline_replicate::{AttachmentMode, Peer, PeerError, PeerErrorKind, Progress, Spec, run};
use trunkline_store::Database;

/// A target that has so many documents and none of their bytes; answers which, in the order in which they are brought.
async fn documents_first(count: usize) -> (World, Vec<ContentHash>) {
    let world = World::new();
    let source = world.database("source");
    for at in 0..count {
        let files = vec![attachment(&source, "voice", at.to_string().as_bytes())];
        edit(&source, &format!("mail-{at}"), None, "{}", false, files);
    }
    world.replicate(spec(AttachmentMode::None)).await.unwrap();
    let absent = world.database("target").absent(None, count + 1).unwrap();
    assert_eq!(absent.len(), count);
    (world, absent.into_iter().map(|content| content.hash).collect())
}

pub(crate) fn spec(attachments: AttachmentMode) -> Spec {
    Spec {
        attachments,
        ..Spec::default()
    }
}

pub(crate) fn faulty(
    world: &World,
    of: &str,
    bar: impl Fn(Call) -> Option<PeerErrorKind> + Send + Sync + 'static,
) -> Arc<dyn Peer> {
    let mut peer = Faulty::new(world.peer(of), 0, 0);
    peer.bar = Some(Box::new(move |call| {
        Some(PeerError::new("faulty", bar(call)?, "barred"))
    }));
    Arc::new(peer)
}

/// A source that does not give these contents, and counts how often it is asked for them.
fn spoilt(world: &World, bad: Vec<ContentHash>) -> (Arc<dyn Peer>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let source = faulty(world, "source", move |call| match call {
        Call::Content(hash) if bad.contains(hash) => {
            count.fetch_add(1, Ordering::Relaxed);
            Some(PeerErrorKind::Unavailable)
        }
        _ => None,
    });
    (source, asked)
}

/// Runs without an end until the target waits for no more than so many contents.
async fn goes_on_until(source: Arc<dyn Peer>, target: Arc<dyn Peer>, database: Database, left: usize) {
    let (progress, _) = watch::channel(Progress::default());
    let spec = Spec {
        continuous: true,
        ..spec(AttachmentMode::Lazy)
    };
    let cancel = CancellationToken::new();
    let running = tokio::spawn(run(source, target, spec, progress, cancel.clone()));
    let come = async {
        while database.absent(None, left + 1).unwrap().len() > left {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(3600), come).await;
    assert!(came.is_ok(), "nothing is asked for again");
    cancel.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_target_that_could_not_tell_what_it_waits_for_is_asked_again() {
    let (world, _) = documents_first(1).await;
    let asked = AtomicUsize::new(0);
    // It tells when the run begins, and then is away for some questions.
    let target = faulty(&world, "target", move |call| match call {
        Call::Absent if (1..6).contains(&asked.fetch_add(1, Ordering::Relaxed)) => {
            Some(PeerErrorKind::Unavailable)
        }
        _ => None,
    });
    goes_on_until(world.peer("source"), target, world.database("target"), 0).await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_content_that_never_comes_holds_up_no_other_and_is_told_in_the_end() {
    let (world, contents) = documents_first(5).await;
    let (source, _) = spoilt(&world, vec![contents[0], contents[3]]);
    let error = replicate(source, world.peer("target"), spec(AttachmentMode::Lazy)).await;
    assert_eq!(error.unwrap_err().kind, PeerErrorKind::Unavailable);
    let absent = world.database("target").absent(None, 9).unwrap();
    let absent: Vec<ContentHash> = absent.into_iter().map(|content| content.hash).collect();
    assert_eq!(absent, [contents[0], contents[3]]);
    world.replicate(spec(AttachmentMode::Lazy)).await.unwrap();
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_away_is_not_asked_for_each_of_many_contents() {
    let (world, contents) = documents_first(200).await;
    let (source, asked) = spoilt(&world, contents.clone());
    let error = replicate(source, world.peer("target"), spec(AttachmentMode::Lazy)).await;
    assert_eq!(error.unwrap_err().kind, PeerErrorKind::Unavailable);
    // Six attempts, of eight contents each, five times each; and in each perhaps one that was begun before its end.
    let asked = asked.load(Ordering::Relaxed);
    assert!((6 * 8 * 5..=6 * 9 * 5).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_behind_many_that_never_come_has_its_turn() {
    let (world, contents) = documents_first(30).await;
    let (source, _) = spoilt(&world, contents[..20].to_vec());
    goes_on_until(source, world.peer("target"), world.database("target"), 20).await;
}
