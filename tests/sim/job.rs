//! The replications of one edge, one after the other, as long as the node lives that runs them.

use crate::link::Link;
use crate::network::Network;
use crate::plan::Edge;
use parking_lot::Mutex;
use rand::Rng;
use rand::rngs::StdRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use trunkline_replicate::{Peer, PeerErrorKind, Progress, Spec, run};

/// By edge: what its newest run says of itself.
pub(crate) type Told = Arc<Mutex<Vec<Option<watch::Receiver<Progress>>>>>;

/// One edge's replications, as long as the node lives that runs them.
pub(crate) struct Job {
    pub(crate) network: Arc<Network>,
    pub(crate) edge: Edge,
    pub(crate) at: usize,
    pub(crate) dice: StdRng,
    pub(crate) may_miss: bool,
    pub(crate) told: Told,
    pub(crate) wrong: Arc<Mutex<Vec<String>>>,
    pub(crate) cancel: CancellationToken,
}

impl Job {
    pub(crate) async fn run(mut self) {
        while !self.cancel.is_cancelled() {
            let (source, target) = (self.link(self.edge.source), self.link(self.edge.target));
            let intervals = [
                None,
                Some(Duration::from_millis(100)),
                Some(Duration::from_secs(2)),
            ];
            let spec = Spec {
                continuous: self.edge.continuous,
                checkpoint_interval: intervals[self.dice.random_range(0..3)],
                ..Spec::default()
            };
            let (progress, told) = watch::channel(Progress::default());
            self.told.lock()[self.at] = Some(told.clone());
            let cancel = self.cancel.child_token();
            if self.dice.random_bool(0.3) {
                // Someone stops it for no reason.
                let (cancel, after) = (cancel.clone(), self.dice.random_range(0..60_000));
                let network = Arc::clone(&self.network);
                tokio::spawn(async move {
                    sleep(Duration::from_millis(after)).await;
                    if !network.is_calm() {
                        cancel.cancel();
                    }
                });
            }
            let ended = run(source, target, spec, progress, cancel.clone()).await;
            self.told.lock()[self.at] = None;
            if self.edge.continuous && ended.is_ok() && !cancel.is_cancelled() {
                self.wrong.lock().push(format!("{:?} ended", self.edge));
            }
            if let Err(error) = ended
                && matches!(error.kind, PeerErrorKind::Invalid | PeerErrorKind::Protocol)
            {
                self.wrong.lock().push(format!("{:?} ended: {error}", self.edge));
            }
            let refused = told.borrow().refused.clone();
            for refused in refused
                .iter()
                .filter(|one| !self.may_miss || one.error != "not_found")
            {
                self.wrong
                    .lock()
                    .push(format!("{:?} refused {refused:?}", self.edge));
            }
            let pause = Duration::from_millis(self.dice.random_range(0..3000));
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {}
                () = sleep(pause) => {}
            }
        }
    }

    fn link(&mut self, to: usize) -> Arc<dyn Peer> {
        let seed = self.dice.random();
        let network = Arc::clone(&self.network);
        Arc::new(Link::new(network, self.at, self.edge.runs_at, to, seed))
    }
}
