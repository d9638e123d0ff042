//! What a seed decides before anything happens.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// A replication: from one node to another, run by one of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) source: usize,
    pub(crate) target: usize,
    pub(crate) runs_at: usize,
    pub(crate) continuous: bool,
}

/// How bad the network is, each a chance per call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) lost: f64,
    pub(crate) twice: f64,
    pub(crate) cut: f64,
    /// The longest a call is late.
    pub(crate) late_ms: u64,
}

/// A world before it begins.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) edges: Vec<Edge>,
    /// Whether what one node has gets to each other.
    pub(crate) all_reach_all: bool,
    pub(crate) weather: Weather,
    pub(crate) ids: usize,
    pub(crate) steps: usize,
    /// The longest pause between two steps.
    pub(crate) pause_ms: u64,
    pub(crate) revs_limit: Option<u32>,
    /// Chances per step.
    pub(crate) crashes: f64,
    pub(crate) partitions: f64,
    pub(crate) purges: f64,
    pub(crate) attachments: f64,
    /// Chance that an edit is acknowledged before it is durable.
    pub(crate) relaxed: f64,
}

impl Plan {
    /// Whether what a source announced may be gone when it is asked for: purged, lost with its power, or stemmed.
    pub(crate) fn may_miss(&self) -> bool {
        self.purges > 0.0 || self.relaxed > 0.0 || self.revs_limit.is_some()
    }

    pub(crate) fn draw(seed: u64) -> Plan {
        let mut dice = StdRng::seed_from_u64(seed);
        let nodes = dice.random_range(2..=5);
        let (pairs, all_reach_all) = topology(nodes, &mut dice);
        let mixed = dice.random_bool(0.5);
        let continuous = dice.random_bool(0.7);
        let edges = pairs.into_iter().map(|(source, target)| Edge {
            source,
            target,
            runs_at: if dice.random_bool(0.5) { source } else { target },
            continuous: if mixed { dice.random_bool(0.5) } else { continuous },
        });
        let edges = edges.collect();
        let mut chance = |of: &[f64]| *of.choose(&mut dice).unwrap();
        let weather = Weather {
            lost: chance(&[0.0, 0.02, 0.1, 0.25]),
            twice: chance(&[0.0, 0.05, 0.2]),
            cut: chance(&[0.0, 0.02, 0.1, 0.3]),
            late_ms: chance(&[1.0, 20.0, 400.0, 3000.0]) as u64,
        };
        Plan {
            crashes: chance(&[0.0, 0.02, 0.06]),
            partitions: chance(&[0.0, 0.02, 0.05]),
            purges: chance(&[0.0, 0.0, 0.03]),
            attachments: chance(&[0.0, 0.1, 0.4]),
            relaxed: chance(&[0.0, 0.0, 0.0, 0.3]),
            revs_limit: dice.random_bool(0.2).then(|| dice.random_range(2..12)),
            ids: dice.random_range(2..12),
            steps: dice.random_range(40..160),
            pause_ms: *[20, 300, 2000].choose(&mut dice).unwrap(),
            seed,
            nodes,
            edges,
            all_reach_all,
            weather,
        }
    }
}

/// Who replicates to whom, and whether that lets everything get everywhere.
fn topology(nodes: usize, dice: &mut StdRng) -> (Vec<(usize, usize)>, bool) {
    let ring = |nodes: usize| (0..nodes).map(move |at| (at, (at + 1) % nodes));
    let both = |(a, b): (usize, usize)| [(a, b), (b, a)];
    let chain = (1..nodes).map(|at| (at - 1, at));
    match dice.random_range(0..6) {
        0 => (ring(nodes).collect(), true),
        1 => (chain.flat_map(both).collect(), true),
        2 => (chain.collect(), false),
        3 => ((1..nodes).flat_map(|at| both((0, at))).collect(), true),
        4 => {
            let every = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b)));
            (every.filter(|(a, b)| a != b).collect(), true)
        }
        _ => {
            let mut pairs: Vec<_> = ring(nodes).collect();
            for _ in 0..nodes {
                let pair = (dice.random_range(0..nodes), dice.random_range(0..nodes));
                if pair.0 != pair.1 && !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
            (pairs, true)
        }
    }
}
