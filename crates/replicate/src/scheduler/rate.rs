//! How fast a job has been lately.

use std::collections::VecDeque;

/// How far back the rate looks.
const WINDOW_MS: u64 = 60_000;
/// Between two samples: a minute of them is a dozen.
const SAMPLE_MS: u64 = 5_000;

/// Counts at times; nothing is kept for a job that does nothing.
#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<(u64, u64)>,
}

impl Rate {
    /// Notes that the count has just become `count`.
    pub(super) fn counted(&mut self, now_ms: u64, count: u64) {
        let fresh = |(time, _): &(u64, u64)| now_ms.saturating_sub(*time) < SAMPLE_MS;
        if self.samples.back().is_some_and(fresh) {
            return;
        }
        while self
            .samples
            .front()
            .is_some_and(|(time, _)| time + WINDOW_MS < now_ms)
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now_ms, count));
    }

    /// In a second, over the last minute, or since the first count if that is later.
    pub(super) fn per_second(&self, now_ms: u64, count: u64) -> f64 {
        let Some((time, then)) = self.samples.iter().find(|(time, _)| time + WINDOW_MS >= now_ms) else {
            return 0.0;
        };
        let seconds = now_ms.saturating_sub(*time).max(1000) as f64 / 1000.0;
        count.saturating_sub(*then) as f64 / seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_last_minute() {
        let mut rate = Rate::default();
        assert_eq!(rate.per_second(0, 0), 0.0);
        rate.counted(0, 0);
        rate.counted(1000, 50);
        assert_eq!(rate.per_second(10_000, 100), 10.0);
        for second in 0..300 {
            rate.counted(second * 1000, second * 7);
        }
        assert!(rate.samples.len() <= 14);
        assert!((rate.per_second(300_000, 2100) - 7.0).abs() < 0.2);
        assert_eq!(rate.per_second(900_000, 2100), 0.0);
    }
}
