//! How long functions may go on that were ended before.
//!
//! Each document, and each group, is tried, so that none is left out unseen; but a function that goes over its bounds
//! again and again is not waited for as long as one that never did.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use trunkline_core::limits::{
    FUNCTION_ENDINGS_MAX, FUNCTION_HURRIED_ENDINGS_MAX, FUNCTION_HURRIED_MS, FUNCTION_LEAST_MS,
};
use trunkline_js::limits::CALL_TIME;

/// How often functions were ended in one pass over an index, or for one answer.
#[derive(Debug, Default)]
pub struct Patience {
    endings: AtomicU32,
}

impl Patience {
    /// One was ended; how long a call may take from now on.
    pub(crate) fn ended(&self) -> Duration {
        // Nobody counts to the end of it.
        self.endings.fetch_add(1, Ordering::Relaxed);
        self.time()
    }

    /// How long a call may take.
    pub(crate) fn time(&self) -> Duration {
        match self.endings.load(Ordering::Relaxed) {
            ..FUNCTION_ENDINGS_MAX => CALL_TIME,
            FUNCTION_ENDINGS_MAX..FUNCTION_HURRIED_ENDINGS_MAX => Duration::from_millis(FUNCTION_HURRIED_MS),
            FUNCTION_HURRIED_ENDINGS_MAX.. => Duration::from_millis(FUNCTION_LEAST_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wears_thin() {
        let patience = Patience::default();
        let mut times: Vec<Duration> = (0..200).map(|_| patience.ended()).collect();
        assert_eq!(times.first(), Some(&CALL_TIME));
        assert!(times.is_sorted_by(|a, b| a >= b));
        times.dedup();
        assert_eq!(times.len(), 3);
        assert_eq!(patience.time(), Duration::from_millis(FUNCTION_LEAST_MS));
    }
}
