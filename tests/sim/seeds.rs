//! Which seeds run. Each is a thread's own runtime and its own world, so that they run beside each other.
//!
//! A seed replays the plan, what people do, when nodes lose power and part, and the dice of each link. It does not replay
//! what the replicator itself leaves to chance (the jitter of its pauses, which of two ready things it looks at first,
//! the order of hash maps), nor names that are random (uuids). A seed that failed thus nearly always fails again within
//! a few runs; `TIMES=20` makes them.

use crate::world;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Worlds of an ordinary test run: a debug build takes half a minute for them on two cores.
const SEEDS: u64 = 80;

#[test]
fn after_healing_all_nodes_agree_and_no_promise_is_broken() {
    let asked = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let times = asked("TIMES").unwrap_or(1);
    let seeds: Vec<u64> = match asked("SEED") {
        Some(seed) => (0..times).map(|_| seed).collect(),
        None => {
            let from = asked("FROM").unwrap_or(0);
            (from..from + asked("SEEDS").unwrap_or(SEEDS)).collect()
        }
    };
    let begun = Instant::now();
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..threads.min(seeds.len()) {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    // The panic's own message is printed where it happens.
                    if catch_unwind(AssertUnwindSafe(|| world::simulate(*seed))).is_err() {
                        eprintln!("replay: SEED={seed} cargo test --test sim");
                        failed.lock().unwrap().push(*seed);
                    }
                }
            });
        }
    });
    println!("{} worlds in {:.1?}", seeds.len(), begun.elapsed());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed: {failed:?}");
}
