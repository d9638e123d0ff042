//! The whole fleet, as a model: 24 shards of some 62 replicas each, in layers below the shard's writer, 1500 in all, on
//! hosts that each run several of them. In the middle of it a replica of the first layer dies for half a minute, and
//! another starts empty.
//!
//! Real are the policies, taken from the replicator: how long a batch gathers, how many rows it has, how many are under
//! way, how long a failed attempt waits, how often a checkpoint is written. Modelled is everything else. A replica
//! is how many of its shard's updates it has; work is time on one of its host's cores, first come, first served; its
//! commits are one after the other; the network is a fixed time per hop that never fills up. Costs are constants that
//! a bench measured (or the environment tells: `FLEET_APPLY_US=40`). Not in the model: disks (a commit's time has to
//! have its sync in it), memory, bytes on the wire, updates of one document that make each other needless.
//!
//! Each replica has one source. The children of the dead one wait for it, with the replicator's own pauses, and go on
//! from their mark when it is back; it goes on from its last checkpoint. (Second sources are possible in the product, a
//! replication each, but cost every link twice; they are not shown here.)

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use trunkline_core::limits::{
    REPLICATION_BATCH_PAUSE_MS, REPLICATION_BATCH_ROWS, REPLICATION_BATCHES_IN_FLIGHT_EXCHANGE,
};
use trunkline_replicate::policy::{Backoff, CHECKPOINT_INTERVAL};

/// What the model is made of; each member may be told by the environment.
struct Figures {
    shards: usize,
    replicas: usize,
    /// Children of each node of a shard's tree.
    fan_out: usize,
    /// Machines that the replicas are spread over, and cores of each.
    hosts: usize,
    cores: usize,
    updates_per_second: u64,
    seconds: u64,
    /// Updates that the empty replica lacks.
    backlog: u64,
    /// CPU to write a document at a target, to read one at a source, to compare one that the target has.
    apply_us: u64,
    read_us: u64,
    compare_us: u64,
    /// CPU of a commit, and of a batch at its source.
    commit_us: u64,
    serve_us: u64,
    hop_us: u64,
}

impl Figures {
    fn told() -> Figures {
        let told = |name: &str, otherwise: u64| {
            let text = std::env::var(format!("FLEET_{name}")).ok();
            text.map_or(otherwise, |text| text.parse().expect("a number"))
        };
        Figures {
            shards: told("SHARDS", 24) as usize,
            replicas: told("REPLICAS", 1500) as usize,
            fan_out: told("FAN_OUT", 4) as usize,
            hosts: told("HOSTS", 125) as usize,
            cores: told("CORES", 2) as usize,
            updates_per_second: told("UPDATES", 4630),
            seconds: told("SECONDS", 75),
            backlog: told("BACKLOG", 200_000),
            apply_us: told("APPLY_US", 25),
            read_us: told("READ_US", 5),
            compare_us: told("COMPARE_US", 5),
            commit_us: told("COMMIT_US", 250),
            serve_us: told("SERVE_US", 50),
            hop_us: told("HOP_US", 1000),
        }
    }
}

/// When the layer node dies and the empty replica starts, and how long the former is away.
const MIDDLE_US: u64 = 10_000_000;
const AWAY_US: u64 = 30_000_000;
/// A request and its answer, when an attempt begins.
const ROUND_TRIPS_TO_BEGIN: u64 = 4;

#[derive(Clone, Copy)]
enum Event {
    /// The shard's writer commits an update.
    Update(u32),
    /// A child has waited for its batch to fill.
    Gather {
        child: u32,
        run: u32,
    },
    /// The batch is at the child: its shard's updates from one on, up to another.
    Arrive {
        child: u32,
        run: u32,
        from: u64,
        to: u64,
    },
    /// It is durable there.
    Commit {
        child: u32,
        run: u32,
        to: u64,
    },
    /// An attempt to reach the source.
    Connect(u32),
    Die(u32),
    Return(u32),
}

/// What is to happen, by time: a wheel of buckets, since a heap would be most of the work.
struct Wheel {
    buckets: Vec<Vec<(u64, Event)>>,
    now_us: u64,
}

const BUCKET_US: u64 = 64;

impl Wheel {
    fn new() -> Wheel {
        Wheel {
            // Longer than the longest pause of anyone.
            buckets: vec![Vec::new(); (40_000_000 / BUCKET_US) as usize],
            now_us: 0,
        }
    }

    fn at(&mut self, time_us: u64, event: Event) {
        let time_us = time_us.max(self.now_us);
        let bucket = (time_us / BUCKET_US) as usize % self.buckets.len();
        self.buckets[bucket].push((time_us, event));
    }
}

/// A replica, or a shard's writer.
struct Node {
    shard: usize,
    source: Option<usize>,
    children: Vec<usize>,
    host: usize,
    up: bool,
    /// The first so many updates of its shard.
    has: u64,
    /// How many of these were asked of its source, in the run that goes on.
    asked: u64,
    checkpoint: u64,
    checkpoint_due_us: u64,
    /// When its last batch left the source.
    left_us: u64,
    in_flight: usize,
    gathering: bool,
    connected: bool,
    /// Counts runs: what an older one left under way is void.
    run: u32,
    backoff: Backoff,
    /// Batches that are here, and whether one is being written.
    waiting: VecDeque<(u64, u64)>,
    writing: bool,
    /// Not among those whose delay is judged.
    behind: bool,
    caught_up_us: Option<u64>,
}

struct Fleet {
    figures: Figures,
    wheel: Wheel,
    dice: StdRng,
    nodes: Vec<Node>,
    /// When each host's cores are free.
    cores: Vec<Vec<u64>>,
    busy_us: Vec<u64>,
    /// By shard: when each update was made, and how long the last of those that are judged took.
    made_us: Vec<Vec<u64>>,
    worst_us: Vec<Vec<u64>>,
    writers: Vec<usize>,
    dead: usize,
    empty: usize,
}

impl Fleet {
    fn new(figures: Figures) -> Fleet {
        let mut nodes: Vec<Node> = Vec::new();
        let mut writers = Vec::new();
        for shard in 0..figures.shards {
            let first = nodes.len();
            writers.push(first);
            let replicas =
                figures.replicas / figures.shards + usize::from(shard < figures.replicas % figures.shards);
            for at in 0..=replicas {
                let source = (at > 0).then(|| first + (at - 1) / figures.fan_out);
                // Writers have machines of their own.
                let host = match at {
                    0 => figures.hosts + shard,
                    _ => (first + at) % figures.hosts,
                };
                if let Some(source) = source {
                    let child = nodes.len();
                    nodes[source].children.push(child);
                }
                nodes.push(Node {
                    shard,
                    source,
                    children: Vec::new(),
                    host,
                    up: true,
                    has: 0,
                    asked: 0,
                    checkpoint: 0,
                    checkpoint_due_us: 0,
                    left_us: 0,
                    in_flight: 0,
                    gathering: false,
                    connected: true,
                    run: 0,
                    backoff: Backoff::default(),
                    waiting: VecDeque::new(),
                    writing: false,
                    behind: false,
                    caught_up_us: None,
                });
            }
        }
        let hosts = figures.hosts + figures.shards;
        let mut fleet = Fleet {
            wheel: Wheel::new(),
            dice: StdRng::seed_from_u64(1),
            cores: vec![vec![0; figures.cores]; hosts],
            busy_us: vec![0; hosts],
            made_us: vec![Vec::new(); figures.shards],
            worst_us: vec![Vec::new(); figures.shards],
            dead: writers[0] + 1,
            // The last of the second shard.
            empty: writers.get(2).copied().unwrap_or(nodes.len()) - 1,
            writers,
            nodes,
            figures,
        };
        fleet.mark_behind(fleet.dead);
        fleet.nodes[fleet.empty].behind = true;
        fleet
    }

    fn mark_behind(&mut self, node: usize) {
        self.nodes[node].behind = true;
        for child in self.nodes[node].children.clone() {
            self.mark_behind(child);
        }
    }

    /// Takes the host's core that is free first; answers when the work is done.
    fn work(&mut self, host: usize, from_us: u64, work_us: u64) -> u64 {
        let core = self.cores[host].iter_mut().min().expect("a core");
        let done = from_us.max(*core) + work_us;
        *core = done;
        self.busy_us[host] += work_us;
        done
    }

    fn run(&mut self) {
        let end_us = self.figures.seconds * 1_000_000;
        for shard in 0..self.figures.shards {
            // What the empty replica lacks, everyone else has.
            let backlog = self.figures.backlog;
            for node in self.nodes.iter_mut().filter(|node| node.shard == shard) {
                (node.has, node.asked, node.checkpoint) = (backlog, backlog, backlog);
            }
            self.wheel.at(0, Event::Update(shard as u32));
        }
        let empty = &mut self.nodes[self.empty];
        (empty.has, empty.asked, empty.checkpoint) = (0, 0, 0);
        (empty.up, empty.connected) = (false, false);
        self.wheel.at(MIDDLE_US, Event::Die(self.dead as u32));
        self.wheel.at(MIDDLE_US, Event::Return(self.empty as u32));
        let buckets = self.wheel.buckets.len();
        for turn in 0..(end_us / BUCKET_US) as usize {
            // What happens meanwhile may add to this very bucket.
            while !self.wheel.buckets[turn % buckets].is_empty() {
                let mut due = std::mem::take(&mut self.wheel.buckets[turn % buckets]);
                due.sort_by_key(|(time, _)| *time);
                for (time_us, event) in due {
                    self.wheel.now_us = time_us;
                    self.happens(time_us, event);
                }
            }
        }
    }

    fn happens(&mut self, now: u64, event: Event) {
        match event {
            Event::Update(shard) => self.update(now, shard as usize),
            Event::Gather { child, run } if self.nodes[child as usize].run == run => {
                self.gather(now, child as usize)
            }
            Event::Arrive { child, run, from, to } if self.nodes[child as usize].run == run => {
                self.arrive(now, child as usize, from, to);
            }
            Event::Commit { child, run, to } if self.nodes[child as usize].run == run => {
                self.commit(now, child as usize, to);
            }
            Event::Connect(node) => self.connect(now, node as usize),
            Event::Die(node) => self.die(now, node as usize),
            Event::Return(node) => self.comes_back(now, node as usize),
            _ => {}
        }
    }

    /// Updates come at random, and are made durable by their writer.
    fn update(&mut self, now: u64, shard: usize) {
        let writer = self.writers[shard];
        self.made_us[shard].push(now);
        self.worst_us[shard].push(0);
        self.nodes[writer].has += 1;
        self.wake_children(now, writer);
        let mean_us = 1e6 * self.figures.shards as f64 / self.figures.updates_per_second as f64;
        let pause = -mean_us * (1.0 - self.dice.random::<f64>()).ln();
        self.wheel.at(now + pause as u64, Event::Update(shard as u32));
    }

    fn wake_children(&mut self, now: u64, node: usize) {
        for at in 0..self.nodes[node].children.len() {
            self.wake(now, self.nodes[node].children[at]);
        }
    }

    /// There may be something for a child to fetch.
    fn wake(&mut self, now: u64, child: usize) {
        let node = &self.nodes[child];
        let Some(source) = node.source else { return };
        let ready =
            node.connected && !node.gathering && node.in_flight < REPLICATION_BATCHES_IN_FLIGHT_EXCHANGE;
        if ready && self.nodes[source].has > node.asked {
            let (run, left_us) = (node.run, node.left_us);
            self.nodes[child].gathering = true;
            // A batch leaves so long after the one before it; at once, where it was quiet.
            let leaves_us = left_us + 1000 * REPLICATION_BATCH_PAUSE_MS;
            let child = child as u32;
            self.wheel.at(now.max(leaves_us), Event::Gather { child, run });
        }
    }

    fn gather(&mut self, now: u64, child: usize) {
        let node = &self.nodes[child];
        let source = node.source.expect("a child has one");
        let there = self.nodes[source].has - node.asked;
        let rows = there.min(REPLICATION_BATCH_ROWS as u64);
        let run = node.run;
        let (host, figures) = (self.nodes[source].host, &self.figures);
        let work = figures.serve_us + figures.read_us * rows;
        let hop = figures.hop_us;
        let sent = self.work(host, now, work);
        let node = &mut self.nodes[child];
        let from = node.asked;
        let to = from + rows;
        node.asked = to;
        node.left_us = now;
        node.gathering = false;
        node.in_flight += 1;
        let batch = Event::Arrive {
            child: child as u32,
            run,
            from,
            to,
        };
        self.wheel.at(sent + hop, batch);
        self.wake(now, child);
    }

    fn arrive(&mut self, now: u64, child: usize, from: u64, to: u64) {
        self.nodes[child].waiting.push_back((from, to));
        self.write_next(now, child);
    }

    /// A database has one writer.
    fn write_next(&mut self, now: u64, child: usize) {
        let node = &mut self.nodes[child];
        let Some((from, to)) = node.waiting.front().copied().filter(|_| !node.writing) else {
            return;
        };
        node.writing = true;
        node.waiting.pop_front();
        // Behind the checkpoint it goes on from, it has some already.
        let known = node.has.clamp(from, to) - from;
        let fresh = to - from - known;
        let (host, run) = (node.host, node.run);
        let figures = &self.figures;
        let work = figures.commit_us + figures.apply_us * fresh + figures.compare_us * known;
        let done = self.work(host, now, work);
        let child = child as u32;
        self.wheel.at(done, Event::Commit { child, run, to });
    }

    fn commit(&mut self, now: u64, child: usize, to: u64) {
        let backlog = self.figures.backlog;
        let node = &mut self.nodes[child];
        node.in_flight -= 1;
        node.writing = false;
        let before = node.has;
        node.has = before.max(to);
        let shard = node.shard;
        if !node.behind {
            for update in before.max(backlog)..node.has {
                let at = (update - backlog) as usize;
                let worst = &mut self.worst_us[shard][at];
                *worst = (*worst).max(now - self.made_us[shard][at]);
            }
        }
        if now >= node.checkpoint_due_us {
            node.checkpoint = node.has;
            node.checkpoint_due_us = now + CHECKPOINT_INTERVAL.as_micros() as u64;
        }
        let written = self.made_us[shard].len() as u64 + backlog;
        let from_us = if shard == 0 {
            MIDDLE_US + AWAY_US
        } else {
            MIDDLE_US
        };
        // A quarter of a second behind is no more than the way takes.
        if node.behind && node.caught_up_us.is_none() && now > from_us && node.has + 50 >= written {
            node.caught_up_us = Some(now);
        }
        self.write_next(now, child);
        self.wake(now, child);
        self.wake_children(now, child);
    }

    fn die(&mut self, now: u64, node: usize) {
        let dying = &mut self.nodes[node];
        (dying.up, dying.connected) = (false, false);
        dying.run += 1;
        for child in dying.children.clone() {
            let child_node = &mut self.nodes[child];
            child_node.connected = false;
            self.void(child);
            self.wheel.at(now, Event::Connect(child as u32));
        }
        self.wheel.at(now + AWAY_US, Event::Return(node as u32));
    }

    /// What a run had under way is not finished any more; the next asks for it again.
    fn void(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.run += 1;
        node.in_flight = 0;
        node.waiting.clear();
        node.writing = false;
        node.gathering = false;
        node.asked = node.has;
    }

    fn comes_back(&mut self, now: u64, node: usize) {
        self.void(node);
        let back = &mut self.nodes[node];
        back.up = true;
        // Its run ended with it: what came after the checkpoint is compared again.
        back.asked = back.checkpoint.min(back.has);
        back.backoff = Backoff::default();
        self.wheel.at(now, Event::Connect(node as u32));
    }

    fn connect(&mut self, now: u64, node: usize) {
        let source = self.nodes[node].source.expect("a child has one");
        if self.nodes[source].up {
            self.nodes[node].connected = true;
            self.nodes[node].backoff = Backoff::default();
            self.wake(now + 2 * ROUND_TRIPS_TO_BEGIN * self.figures.hop_us, node);
        } else {
            let wait: Duration = self.nodes[node].backoff.next_wait(self.dice.random(), None);
            self.wheel
                .at(now + wait.as_micros() as u64, Event::Connect(node as u32));
        }
    }

    /// Delays of updates made in a stretch of time, in order, those that are still on their way aside.
    fn delays(&self, from_us: u64, to_us: u64, shards: std::ops::Range<usize>) -> Vec<u64> {
        let of = |shard: usize| {
            let made = self.made_us[shard].iter().zip(&self.worst_us[shard]);
            made.filter(move |(made, _)| (from_us..to_us).contains(*made))
                .map(|(_, worst)| *worst)
        };
        let mut delays: Vec<u64> = shards.flat_map(of).collect();
        delays.sort_unstable();
        delays
    }
}

fn percentile(sorted: &[u64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize] as f64 / 1000.0
}

#[test]
fn one_dead_layer_node_and_one_empty_replica_slow_nobody_else() {
    let begun = Instant::now();
    let mut fleet = Fleet::new(Figures::told());
    fleet.run();
    let end_us = fleet.figures.seconds * 1_000_000;
    let all = 0..fleet.figures.shards;
    let busiest = fleet.busy_us.iter().max().copied().unwrap_or_default();
    let share = |busy: u64| busy as f64 / end_us as f64 / fleet.figures.cores as f64;
    println!(
        "{} nodes, {} updates, {:.1?} for {} s; the busiest host uses {:.0} % of its cores",
        fleet.nodes.len(),
        fleet.made_us.iter().map(Vec::len).sum::<usize>(),
        begun.elapsed(),
        fleet.figures.seconds,
        100.0 * share(busiest),
    );
    let before = fleet.delays(1_000_000, MIDDLE_US, all.clone());
    // Up to a little before the end: the last updates are on their way.
    let after = fleet.delays(MIDDLE_US, end_us - 2_000_000, all.clone());
    let siblings = fleet.delays(MIDDLE_US, end_us - 2_000_000, 0..2.min(fleet.figures.shards));
    for (name, delays) in [
        ("before", &before),
        ("after", &after),
        ("after, the two shards", &siblings),
    ] {
        println!(
            "{name}: from commit to the last replica p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            percentile(delays, 0.5),
            percentile(delays, 0.99),
            percentile(delays, 1.0)
        );
    }
    let seconds = |node: &Node, from: u64| node.caught_up_us.map(|at| (at - from) as f64 / 1e6);
    let behind: Vec<&Node> = fleet.nodes.iter().filter(|node| node.behind).collect();
    let returned = MIDDLE_US + AWAY_US;
    let longest = behind
        .iter()
        .filter(|node| node.shard == 0)
        .filter_map(|node| seconds(node, returned));
    let longest = longest.fold(0.0, f64::max);
    let empty = seconds(&fleet.nodes[fleet.empty], MIDDLE_US);
    println!(
        "the dead one and the {} below it have caught up {longest:.1} s after its return; the empty one after {empty:?} s",
        behind.len() - 2
    );
    assert!(percentile(&after, 0.99) < 2000.0);
    assert!(percentile(&siblings, 0.99) < 2000.0);
    assert!(percentile(&after, 0.99) < 2.0 * percentile(&before, 0.99) + 50.0);
    assert!(after.iter().all(|delay| *delay > 0), "an update got lost");
    assert!(empty.is_some(), "the empty replica never catches up");
    // The longest pause between two attempts, and what there is to catch up then.
    assert!(longest < 31.0 && behind.iter().all(|node| node.caught_up_us.is_some()));
}
