//! A world from its plan to its end.

use crate::job::{Job, Told};
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
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use trunkline_core::doc_id::DocId;

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
    /// By edge: what its newest run says of itself.
    told: Told,
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
            told: Arc::new(Mutex::new(vec![None; plan.edges.len()])),
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
        self.check_told();
    }

    fn crash(&mut self, node: usize) {
        self.jobs[node].clear();
        for (edge, told) in self.plan.edges.iter().zip(&mut *self.told.lock()) {
            told.take_if(|_| edge.runs_at == node);
        }
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
                    told: Arc::clone(&self.told),
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

    /// Both ends of an edge, while they run.
    fn ends(&self, edge: &Edge) -> Option<(Running, Running)> {
        let end = |node: usize| self.network.seats[node].running().filter(|end| !end.is_dying());
        end(edge.source).zip(end(edge.target))
    }

    fn check_checkpoints(&self) {
        let logs = self.network.logs.lock().clone();
        for (at, id) in logs {
            let edge = &self.plan.edges[at];
            if let Some(ends) = self.ends(edge) {
                let wrong = verify::checkpoints(edge, &id, &ends, &self.people, self.stems());
                self.wrong.lock().extend(wrong);
            }
        }
    }

    /// What a run says to be through with is at the target.
    fn check_told(&self) {
        for (edge, told) in self.plan.edges.iter().zip(&*self.told.lock()) {
            if let (Some(told), Some(ends)) = (told, self.ends(edge))
                && let Some(seq) = &told.borrow().through_seq
            {
                let wrong = verify::passed(seq, &ends, &self.people, self.stems());
                let wrong = wrong.into_iter().map(|line| format!("{edge:?} is {line}"));
                self.wrong.lock().extend(wrong);
            }
        }
    }

    /// Where nothing moves any more, every run that goes on says so.
    fn check_idle(&self) {
        for (edge, told) in self.plan.edges.iter().zip(&*self.told.lock()) {
            let Some(told) = told.as_ref().filter(|_| edge.continuous) else {
                continue;
            };
            let told = told.borrow();
            if !told.is_idle() || told.behind_since_ms.is_some() || told.changes_pending.unwrap_or(0) > 0 {
                self.wrong
                    .lock()
                    .push(format!("{edge:?} rests, but says {told:?}"));
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

    /// Waits until nothing has moved for a while; by then everything is over.
    async fn settle(&mut self) {
        let begun = Instant::now();
        let (mut seqs, mut since) = (Vec::new(), begun);
        // Requests that arrive a second time may be under way for a while, and runs pause for half a minute.
        while since.elapsed() < STILL_FOR {
            if begun.elapsed() > CONVERGES_WITHIN {
                self.wrong.lock().push("it does not come to rest".to_owned());
                break;
            }
            sleep(Duration::from_millis(500)).await;
            let running = self.running().into_iter();
            let now = running.map(|(_, running)| running.database.last_seq().unwrap());
            let now: Vec<u64> = now.collect();
            if now != seqs {
                (seqs, since) = (now, Instant::now());
            }
        }
        if !self.has_converged() {
            let wrong = "what one has did not get to the others";
            self.wrong.lock().push(wrong.to_owned());
        }
        self.check_told();
        self.check_idle();
        self.cancel.cancel();
        for job in self.jobs.iter_mut().flat_map(std::mem::take) {
            match timeout(STILL_FOR, job).await {
                Err(_) => self.wrong.lock().push("a replication does not stop".to_owned()),
                Ok(Err(_)) => self.wrong.lock().push("a replication panicked".to_owned()),
                Ok(Ok(())) => {}
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
