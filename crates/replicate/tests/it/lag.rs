//! How far a run says it is behind a source that does not tell how old its changes are.

use crate::faults::{Ageless, Faulty};
use crate::world::{World, put};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{PeerError, Progress, Report, Spec, run};
use trunkline_store::Database;

/// A continuous run, and what it tells.
struct Running {
    progress: watch::Receiver<Progress>,
    cancel: CancellationToken,
    task: JoinHandle<Result<Report, PeerError>>,
}

impl Running {
    fn start(world: &World, ageless: Ageless, doc_ids: Option<Vec<String>>) -> Running {
        let mut source = Faulty::new(world.peer("source"), 1, 0);
        source.ageless = Some(ageless);
        let (sender, progress) = watch::channel(Progress::default());
        let cancel = CancellationToken::new();
        let spec = Spec {
            continuous: true,
            doc_ids,
            ..Spec::default()
        };
        let target = world.peer("target");
        let task = tokio::spawn(run(Arc::new(source), target, spec, sender, cancel.clone()));
        Running {
            progress,
            cancel,
            task,
        }
    }

    async fn until(&mut self, holds: impl FnMut(&Progress) -> bool) -> Progress {
        let told = tokio::time::timeout(Duration::from_secs(3600), self.progress.wait_for(holds));
        told.await.unwrap().unwrap().clone()
    }

    async fn end(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn fill(source: &Database, from: usize, count: usize) {
    for at in from..from + count {
        put(source, &at.to_string(), None, "{}");
    }
}

/// Rows come a few at a time, slower than the source is asked how many are left.
const SLOW: Ageless = Ageless {
    rows: 4,
    every: Duration::from_secs(2),
    counts: None,
};

#[tokio::test(start_paused = true)]
async fn a_first_pass_is_behind_since_it_began() {
    let world = World::new();
    fill(&world.database("source"), 0, 200);
    let mut running = Running::start(&world, SLOW, None);
    let begun = running
        .until(|told| told.behind_since_ms.is_some())
        .await
        .behind_since_ms;
    let mut looks = 0;
    loop {
        let told = running.until(|told| told.docs_written >= looks * 4).await;
        if told.docs_written > 196 {
            break;
        }
        assert_eq!((told.behind_since_ms, told.lag_known), (begun, false), "{told:?}");
        looks += 1;
    }
    assert!(looks > 40);
    let told = running.until(|told| told.behind_since_ms.is_none()).await;
    assert_eq!((told.docs_written, told.lag_known), (200, true));
    running.end().await;
    world.assert_equal();
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_never_ends_does_not_put_off_what_is_known() {
    let world = World::new();
    let source = world.database("source");
    fill(&source, 0, 80);
    let mut running = Running::start(&world, SLOW, None);
    let begun = running
        .until(|told| told.behind_since_ms.is_some())
        .await
        .behind_since_ms;
    let (mut newest, mut moved) = (begun, 0);
    for round in 0..200 {
        fill(&source, 80 + round * 4, 4);
        sleep(SLOW.every).await;
        let told = running.progress.borrow().clone();
        // As much as at the start is left all the time.
        assert!(told.behind_since_ms.is_some(), "{told:?}");
        assert_eq!(told.lag_known, told.behind_since_ms > begun);
        assert!(told.behind_since_ms >= newest);
        moved += u32::from(told.behind_since_ms > newest);
        newest = told.behind_since_ms;
    }
    // At least whenever a backlog has passed.
    assert!(moved >= 8, "{moved}");
    running.until(|told| told.behind_since_ms.is_none()).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_feed_is_behind_from_its_next_row_on_at_most() {
    let world = World::new();
    let source = world.database("source");
    fill(&source, 0, 1);
    let mut running = Running::start(&world, SLOW, None);
    running
        .until(|told| told.behind_since_ms.is_none() && told.docs_written == 1)
        .await;
    let level = running.progress.borrow().last_success_ms;
    std::thread::sleep(Duration::from_millis(3));
    fill(&source, 1, 1);
    let told = running.until(|told| told.behind_since_ms.is_some()).await;
    assert!(told.behind_since_ms > level && told.lag_known, "{told:?}");
    running.until(|told| told.behind_since_ms.is_none()).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_holds_back_is_not_lacking_for_ever() {
    let world = World::new();
    fill(&world.database("source"), 0, 1);
    for counts in [50, 100_000] {
        let ageless = Ageless {
            counts: Some(counts),
            ..SLOW
        };
        let mut running = Running::start(&world, ageless, Some(vec!["0".to_owned(), counts.to_string()]));
        let told = running.until(|told| told.is_idle()).await;
        assert!(told.behind_since_ms.is_some() && !told.lag_known, "{told:?}");
        let begun = Instant::now();
        running
            .until(|told| told.behind_since_ms.is_none() && told.lag_known)
            .await;
        // A source may filter for as long before it has a row.
        assert!(
            begun.elapsed() >= Duration::from_millis(counts),
            "{:?}",
            begun.elapsed()
        );
        running.end().await;
    }
}

/// Without a filter what the source counts will come.
#[tokio::test(start_paused = true)]
async fn a_feed_that_holds_rows_back_without_a_filter_is_behind() {
    let world = World::new();
    fill(&world.database("source"), 0, 1);
    let ageless = Ageless {
        counts: Some(5),
        ..SLOW
    };
    let mut running = Running::start(&world, ageless, None);
    running
        .until(|told| told.is_idle() && told.docs_written == 1)
        .await;
    sleep(Duration::from_secs(1000)).await;
    let told = running.progress.borrow().clone();
    assert!(
        told.is_idle() && told.behind_since_ms.is_some() && !told.lag_known,
        "{told:?}"
    );
    running.end().await;
}
