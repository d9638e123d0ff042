//! Runs beside others of the same process whose peers are in trouble.

use crate::faults::{Call, Faulty};
use crate::world::{World, attachment, edit, replicate};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use trunkline_replicate::{PeerError, PeerErrorKind, Spec};

/// A source with a voicemail.
fn world() -> World {
    let world = World::new();
    let source = world.database("source");
    let files = vec![attachment(&source, "voice", &[7; 90_000])];
    edit(&source, "mail", None, "{}", false, files);
    world
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_to_try_again_holds_no_stream_meanwhile() {
    // More than there are streams.
    const STUCK: usize = 70;
    let busy = Arc::new(AtomicUsize::new(0));
    let world_of_stuck = world();
    let stuck: Vec<_> = (0..STUCK)
        .map(|_| {
            let mut source = Faulty::new(world_of_stuck.peer("source"), 0, 0);
            let busy = Arc::clone(&busy);
            source.bar = Some(Box::new(move |call| {
                let Call::Content(_) = call else { return None };
                busy.fetch_add(1, Ordering::Relaxed);
                let mut error = PeerError::new("busy", PeerErrorKind::Unavailable, "later");
                error.retry_after = Some(Duration::from_secs(300));
                Some(error)
            }));
            let run = replicate(Arc::new(source), world_of_stuck.peer("target"), Spec::default());
            tokio::spawn(run)
        })
        .collect();
    // All of them were sent away, and the first is not yet back.
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(busy.load(Ordering::Relaxed), STUCK);
    let healthy = world();
    let run = healthy.replicate(Spec::default());
    let ran = tokio::time::timeout(Duration::from_secs(60), run).await;
    ran.expect("ends").unwrap();
    healthy.assert_equal();
    stuck.iter().for_each(|run| run.abort());
    join_all(stuck).await;
}
