//! When each document was at each replica. Documents are new and come in order, so that a replica's seq counts them.

use super::node::Node;
use crate::measure::Failure;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use trunkline_store::Database;

/// Without any progress for so long, something is broken.
const STUCK: Duration = Duration::from_secs(30);

/// Watches every replica while it lives.
pub(crate) struct Arrivals {
    replicas: Vec<Replica>,
}

struct Replica {
    reached: watch::Receiver<u64>,
    /// Seqs with the time when they were there, both rising.
    times: Arc<Mutex<Vec<(u64, Instant)>>>,
    _watching: AbortOnDropHandle<()>,
}

impl Arrivals {
    pub(crate) fn watch(nodes: &[Node]) -> Arrivals {
        let watched = nodes.iter().map(|node| {
            let times = Arc::new(Mutex::default());
            let (reach, reached) = watch::channel(0);
            let watching = watch_one(node.database.clone(), reach, Arc::clone(&times));
            Replica {
                reached,
                times,
                _watching: AbortOnDropHandle::new(tokio::spawn(watching)),
            }
        });
        Arrivals {
            replicas: watched.collect(),
        }
    }

    /// Waits until every replica has the document of that seq.
    pub(crate) async fn all_reached(&self, seq: u64) -> Result<(), Failure> {
        for replica in &self.replicas {
            let mut reached = replica.reached.clone();
            while *reached.borrow_and_update() < seq {
                let moved = tokio::time::timeout(STUCK, reached.changed()).await;
                moved.map_err(|_| format!("a replica is stuck at {}", *reached.borrow()))??;
            }
        }
        Ok(())
    }

    /// When the last replica had it.
    pub(crate) fn last_at(&self, seq: u64) -> Option<Instant> {
        let there = self.replicas.iter().map(|replica| {
            let times = replica.times.lock();
            let at = times.partition_point(|(reached, _)| *reached < seq);
            times.get(at).map(|(_, time)| *time)
        });
        there.max()?
    }
}

async fn watch_one(database: Database, reach: watch::Sender<u64>, times: Arc<Mutex<Vec<(u64, Instant)>>>) {
    loop {
        let listener = database.listen();
        let Ok(seq) = database.last_seq() else { return };
        if seq > *reach.borrow() {
            times.lock().push((seq, Instant::now()));
            reach.send_replace(seq);
        }
        listener.await;
    }
}
