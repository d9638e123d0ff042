//! Seeds: a test that draws lots runs with a few fixed seeds and one new one, and names the seed that failed.

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs `test` with seeds 0 to `fixed` and one drawn now; with `TRUNKLINE_SEED` set, with that seed alone.
pub fn with_seeds(fixed: u64, mut test: impl FnMut(&mut StdRng)) {
    let replayed = std::env::var("TRUNKLINE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = match replayed {
        Some(seed) => vec![seed],
        None => (0..fixed).chain([rand::random::<u32>().into()]).collect(),
    };
    for seed in seeds {
        let run = catch_unwind(AssertUnwindSafe(|| test(&mut StdRng::seed_from_u64(seed))));
        if let Err(panic) = run {
            eprintln!("failed with seed {seed}: replay it with TRUNKLINE_SEED={seed}");
            resume_unwind(panic);
        }
    }
}
