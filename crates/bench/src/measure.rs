//! Repetitions and medians. The machine is noisy, so what is compared runs alternately, never one block after another.

use std::time::{Duration, Instant};

/// What any step of a benchmark fails with; it is only ever printed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Medians of two things measured alternately, `measured` against `floor`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) measured: f64,
    pub(crate) floor: f64,
    /// Median of the ratios of neighbours, which noise that lasts longer than one repetition does not move.
    pub(crate) ratio: f64,
}

/// Runs several measurements alternately, `repeat` times each; the samples of each, in order.
pub(crate) fn alternate(
    repeat: usize,
    sides: &mut [&mut dyn FnMut(usize) -> Result<f64, Failure>],
) -> Result<Vec<Vec<f64>>, Failure> {
    let mut samples = vec![Vec::with_capacity(repeat); sides.len()];
    for round in 0..repeat {
        for (side, samples) in sides.iter_mut().zip(&mut samples) {
            samples.push(side(round)?);
        }
    }
    Ok(samples)
}

/// Holds samples against those of their neighbours.
pub(crate) fn pair(measured: &[f64], floor: &[f64]) -> Pair {
    let ratios: Vec<f64> = measured.iter().zip(floor).map(|(a, b)| a / b).collect();
    Pair {
        measured: median(measured),
        floor: median(floor),
        ratio: median(&ratios),
    }
}

/// The middle value; of an even number, the mean of the middle two. 0 of none.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    if sorted.len().is_multiple_of(2) && !sorted.is_empty() {
        return (middle(sorted.len() / 2 - 1) + middle(sorted.len() / 2)) / 2.0;
    }
    middle(sorted.len() / 2)
}

/// Times `work` and answers how many of its units there were per second.
pub(crate) fn rate(units: usize, work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = Instant::now();
    work()?;
    Ok(units as f64 / start.elapsed().as_secs_f64())
}

/// Repeats `step` (which answers how many units it did) for a while and answers units per second.
pub(crate) fn rate_for(
    time: Duration,
    mut step: impl FnMut() -> Result<usize, Failure>,
) -> Result<f64, Failure> {
    let start = Instant::now();
    let mut units = 0;
    while start.elapsed() < time {
        units += step()?;
    }
    Ok(units as f64 / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn the_ratio_is_that_of_neighbours() {
        // The second round was slow for both: the medians of either side alone would not show 0.5.
        let pair = pair(&[5.0, 1.0, 6.0], &[10.0, 2.0, 12.0]);
        assert_eq!((pair.measured, pair.floor, pair.ratio), (5.0, 10.0, 0.5));
    }

    #[test]
    fn sides_run_alternately() {
        let order = std::cell::RefCell::new(Vec::new());
        let mut a = |round: usize| {
            order.borrow_mut().push(('a', round));
            Ok(1.0)
        };
        let mut b = |round: usize| {
            order.borrow_mut().push(('b', round));
            Ok(2.0)
        };
        let samples = alternate(2, &mut [&mut a, &mut b]).unwrap();
        assert_eq!(samples, [[1.0, 1.0], [2.0, 2.0]]);
        assert_eq!(*order.borrow(), [('a', 0), ('b', 0), ('a', 1), ('b', 1)]);
    }
}
