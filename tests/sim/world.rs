//! A world from its plan to its end.

use crate::link::Link;
use crate::network::Network;
use crate::node::Running;
use crate::plan::{Edge, Plan};
use crate::verify;
use crate::workload::People;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use trunkline_core::doc_id::DocId;
use trunkline_replicate::{Peer, PeerErrorKind, Progress, Spec, run};

/// Twice the longest pause of a replication, for each node on the longest way.
const CONVERGES_WITHIN: Duration = Duration::from_secs(300);
/// After that nothing may move any more.
const STILL_FOR: Duration = Duration::from_secs(60);

struct World {
    plan: Plan,
    network: Arc<Network>,
    people: People,
    dice: StdRng,
    /// By node: the replications that run there.
    jobs: Vec<Vec<AbortOnDropHandle<()>>>,
    back_at: Vec<Option<Instant>>,
    whole_at: Option<Instant>,
    /// By node: documents to be purged when it is back.
    to_purge: Vec<Vec<String>>,
    wrong: Arc<Mutex<Vec<String>>>,
    cancel: CancellationToken,
}

/// Runs a seed's world to its end; panics when a promise was broken.
pub(crate) fn simulate(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(World::new(Plan::draw(seed)).live());
}

impl World {
    fn new(plan: Plan) -> World {
        World {
            network: Arc::new(Network::new(plan.nodes, plan.weather)),
            people: People::new(&plan),
            dice: StdRng::seed_from_u64(plan.seed.rotate_left(32)),
            jobs: (0..plan.nodes).map(|_| Vec::new()).collect(),
            back_at: vec![None; plan.nodes],
            whole_at: None,
            to_purge: vec![Vec::new(); plan.nodes],
            wrong: Arc::default(),
            cancel: CancellationToken::new(),
            plan,
        }
    }

    async fn live(mut self) {
        for node in 0..self.plan.nodes {
            if let (Some(limit), Some(running)) = (self.plan.revs_limit, self.network.seats[node].running()) {
                running.database.set_revs_limit(limit).unwrap();
            }
            self.start_jobs(node);
        }
        for _ in 0..self.plan.steps {
            sleep(Duration::from_millis(
                self.dice.random_range(0..=self.plan.pause_ms),
            ))
            .await;
            self.tend();
            self.step();
        }
        self.tend();
        self.back_at
            .iter_mut()
            .flatten()
            .for_each(|at| *at = Instant::now());
        self.whole_at = None;
        self.network.heal();
        for node in 0..self.plan.nodes {
            if let Some(running) = self.network.seats[node].running() {
                // A failure that was still to come.
                running.disk.fail(false);
            }
        }
        self.tend();
        self.settle().await;
        self.judge();
    }

    fn running(&self) -> Vec<(usize, Running)> {
        let nodes = 0..self.plan.nodes;
        nodes
            .filter_map(|node| Some((node, self.network.seats[node].running()?)))
            .collect()
    }

    /// What is due: nodes that stop, nodes that come back, partitions that end.
    fn tend(&mut self) {
        for (node, running) in self.running() {
            if running.is_dying() {
                self.crash(node);
            }
        }
        for node in 0..self.plan.nodes {
            if self.back_at[node].is_some_and(|at| at <= Instant::now()) {
                self.back_at[node] = None;
                let running = self.network.seats[node].start();
                for id in std::mem::take(&mut self.to_purge[node]) {
                    purge(&running, &id);
                }
                self.check_checkpoints();
                self.start_jobs(node);
                self.network.tell();
            }
        }
        if self.whole_at.is_some_and(|at| at <= Instant::now()) {
            self.whole_at = None;
            self.network.part(vec![false; self.plan.nodes]);
        }
    }

    fn crash(&mut self, node: usize) {
        self.jobs[node].clear();
        self.network.seats[node].crash(&mut self.dice);
        self.people.crashed(node);
        self.network.tell();
        let away = Duration::from_millis(self.dice.random_range(0..20_000));
        self.back_at[node] = Some(Instant::now() + away);
    }

    fn step(&mut self) {
        let running = self.running();
        let Some((node, chosen)) = running.get(self.dice.random_range(0..self.plan.nodes)).cloned() else {
            return;
        };
        if self.dice.random_bool(self.plan.crashes) {
            if self.dice.random_bool(0.3) {
                self.crash(node);
            } else {
                // In the middle of a commit, or between two.
                chosen.disk.fail_after(self.dice.random_range(0..30), usize::MAX);
            }
        } else if self.dice.random_bool(self.plan.partitions) {
            let sides = (0..self.plan.nodes).map(|_| self.dice.random_bool(0.5));
            self.network.part(sides.collect());
            let lasts = Duration::from_millis(self.dice.random_range(0..40_000));
            self.whole_at = Some(Instant::now() + lasts);
        } else if running.len() == self.plan.nodes && self.dice.random_bool(self.plan.purges) {
            self.purge_everywhere();
        } else {
            self.people.edit(node, &chosen);
        }
    }

    /// At all nodes at once: one that still had it would bring it back, or keep it alone.
    fn purge_everywhere(&mut self) {
        let id = self.people.id();
        for (node, running) in self.running() {
            if !purge(&running, &id) {
                self.to_purge[node].push(id.clone());
            }
        }
        self.people.purged(&id);
    }

    fn start_jobs(&mut self, node: usize) {
        for (at, edge) in self.plan.edges.iter().enumerate() {
            if edge.runs_at == node {
                let seed = self.dice.random();
                let job = Job {
                    network: Arc::clone(&self.network),
                    edge: *edge,
                    at,
                    dice: StdRng::seed_from_u64(seed),
                    may_miss: self.plan.may_miss(),
                    wrong: Arc::clone(&self.wrong),
                    cancel: self.cancel.clone(),
                };
                self.jobs[node].push(AbortOnDropHandle::new(tokio::spawn(job.run())));
            }
        }
    }

    fn stems(&self) -> bool {
        self.plan.revs_limit.is_some()
    }

    fn check_checkpoints(&self) {
        let logs = self.network.logs.lock().clone();
        for (at, id) in logs {
            let edge = &self.plan.edges[at];
            let end = |node: usize| self.network.seats[node].running().filter(|end| !end.is_dying());
            if let (Some(source), Some(target)) = (end(edge.source), end(edge.target)) {
                let wrong = verify::checkpoints(edge, &id, (&source, &target), &self.people, self.stems());
                self.wrong.lock().extend(wrong);
            }
        }
    }

    /// Whether every edge has brought over what it has to.
    fn has_converged(&self) -> bool {
        let all: Vec<_> = self
            .running()
            .into_iter()
            .map(|(_, running)| (verify::rows(&running.database, u64::MAX), running.database))
            .collect();
        let over = |edge: &Edge| {
            let lacking = verify::lacking(
                &all[edge.source].0,
                &all[edge.target].1,
                &self.people,
                self.stems(),
            );
            lacking.is_empty()
        };
        let same = || self.stems() || all.windows(2).all(|pair| pair[0].0 == pair[1].0);
        self.plan.edges.iter().all(over) && (!self.plan.all_reach_all || same())
    }

    async fn settle(&mut self) {
        let begun = Instant::now();
        while !self.has_converged() && begun.elapsed() < CONVERGES_WITHIN {
            sleep(Duration::from_millis(500)).await;
        }
        if !self.has_converged() {
            self.wrong
                .lock()
                .push("what one has did not get to the others".to_owned());
            return;
        }
        // Requests that arrive a second time may still be under way.
        sleep(Duration::from_secs(6)).await;
        let seqs = |world: &World| -> Vec<u64> {
            let running = world.running().into_iter();
            running
                .map(|(_, running)| running.database.last_seq().unwrap())
                .collect()
        };
        let before = seqs(self);
        sleep(STILL_FOR).await;
        if before != seqs(self) {
            self.wrong.lock().push("it does not come to rest".to_owned());
        }
        self.cancel.cancel();
        for job in self.jobs.iter_mut().flat_map(std::mem::take) {
            if job.await.is_err() {
                self.wrong.lock().push("a replication panicked".to_owned());
            }
        }
    }

    fn judge(&mut self) {
        self.check_checkpoints();
        let running = self.running();
        let mut wrong = std::mem::take(&mut *self.wrong.lock());
        for (node, running) in &running {
            let database = &running.database;
            wrong.extend(
                database
                    .check()
                    .unwrap()
                    .iter()
                    .map(|line| format!("node {node}: {line}")),
            );
            if self.plan.all_reach_all {
                wrong.extend(verify::promises(*node, database, &self.people, self.stems()));
            }
        }
        if self.plan.all_reach_all && !self.stems() {
            for pair in running.windows(2) {
                let differ = verify::differences(&pair[0].1.database, &pair[1].1.database);
                wrong.extend(
                    differ
                        .iter()
                        .map(|line| format!("nodes {} and {}: {line}", pair[0].0, pair[1].0)),
                );
            }
        }
        let held = |(node, running): &(usize, Running)| {
            let rows = verify::rows(&running.database, u64::MAX);
            format!("node {node}, life {}: {rows:?}", running.life)
        };
        assert!(
            wrong.is_empty(),
            "seed {}: {} things are wrong:\n{}\n{}\n{:?}",
            self.plan.seed,
            wrong.len(),
            wrong.join("\n"),
            running.iter().map(held).collect::<Vec<_>>().join("\n"),
            self.plan
        );
    }
}

/// Erases a document at one node; whether that went through.
fn purge(running: &Running, id: &str) -> bool {
    let erase = || -> Result<(), trunkline_store::Error> {
        let Some(tree) = running.database.tree(id)? else {
            return Ok(());
        };
        let leaves = tree
            .revs
            .leaves()
            .into_iter()
            .map(|(rev, _)| rev.clone())
            .collect();
        running.database.purge(&[(DocId::parse(id).unwrap(), leaves)])?;
        Ok(())
    };
    erase().is_ok()
}

/// One edge's replications, as long as the node lives that runs them.
struct Job {
    network: Arc<Network>,
    edge: Edge,
    at: usize,
    dice: StdRng,
    may_miss: bool,
    wrong: Arc<Mutex<Vec<String>>>,
    cancel: CancellationToken,
}

impl Job {
    async fn run(mut self) {
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
            let cancel = self.cancel.child_token();
            if self.dice.random_bool(0.3) {
                // Someone stops it for no reason.
                let (cancel, after) = (cancel.clone(), self.dice.random_range(0..60_000));
                tokio::spawn(async move {
                    sleep(Duration::from_millis(after)).await;
                    cancel.cancel();
                });
            }
            let ended = run(source, target, spec, progress, cancel).await;
            if let Err(error) = ended
                && matches!(error.kind, PeerErrorKind::Invalid | PeerErrorKind::Protocol)
            {
                self.wrong.lock().push(format!("{:?} ended: {error}", self.edge));
            }
            for refused in told.borrow().refused.iter().filter(|_| !self.may_miss) {
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
