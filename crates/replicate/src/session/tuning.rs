//! What earlier batches teach about the next: how large documents are, and whether comparing is worth its while.

use super::batch::PORTION_BYTES;
use crate::peer::Missing;
use parking_lot::Mutex;

/// Share of missing revisions from which on nobody asks first: sending the few that the target has costs less.
const SKIP_ABOVE: f64 = 0.95;
/// Weight of the newest batch in the averages.
const NEWEST_WEIGHT: f64 = 0.4;
/// While comparing is skipped, one batch in so many is compared all the same.
const PROBE_EVERY: u32 = 16;
/// Bytes a document is taken to have until some were seen.
const FIRST_GUESS_BYTES: f64 = 4096.0;

/// Averages over the batches of one attempt.
#[derive(Debug)]
pub(super) struct Tuning(Mutex<Averages>);

#[derive(Debug)]
struct Averages {
    missing_share: f64,
    since_probe: u32,
    doc_bytes: f64,
}

impl Tuning {
    /// `initial` when the target is known to hold next to nothing.
    pub(super) fn new(initial: bool) -> Tuning {
        Tuning(Mutex::new(Averages {
            missing_share: if initial { 1.0 } else { 0.0 },
            // The first batch is compared in any case: the target may have been filled some other way.
            since_probe: PROBE_EVERY - 1,
            doc_bytes: FIRST_GUESS_BYTES,
        }))
    }

    /// Whether the next batch goes without `_revs_diff`.
    pub(super) fn skips_revs_diff(&self) -> bool {
        let mut averages = self.0.lock();
        if averages.missing_share <= SKIP_ABOVE {
            return false;
        }
        averages.since_probe += 1;
        if averages.since_probe < PROBE_EVERY {
            return true;
        }
        averages.since_probe = 0;
        false
    }

    /// A batch was compared.
    pub(super) fn compared(&self, asked: u64, missing: u64) {
        if asked > 0 {
            let mut averages = self.0.lock();
            let share = missing as f64 / asked as f64;
            averages.missing_share += NEWEST_WEIGHT * (share - averages.missing_share);
        }
    }

    /// How many of these to fetch at once.
    pub(super) fn portion(&self, wanted: &[Missing]) -> usize {
        let doc_bytes = self.0.lock().doc_bytes;
        let revs = (PORTION_BYTES as f64 / doc_bytes) as usize;
        let mut sum = 0;
        let fitting = wanted.iter().take_while(|missing| {
            sum += missing.revs.len();
            sum <= revs
        });
        fitting.count().max(1)
    }

    /// Bytes so many documents are likely to have.
    pub(super) fn expected_bytes(&self, documents: usize) -> usize {
        (self.0.lock().doc_bytes * documents as f64) as usize
    }

    /// So many documents had so many bytes.
    pub(super) fn fetched(&self, documents: usize, bytes: usize) {
        if documents > 0 {
            let mut averages = self.0.lock();
            let each = (bytes as f64 / documents as f64).max(64.0);
            averages.doc_bytes += NEWEST_WEIGHT * (each - averages.doc_bytes);
        }
    }

    /// So many documents were more than one answer may hold.
    pub(super) fn fetched_too_much(&self, documents: usize) {
        let mut averages = self.0.lock();
        averages.doc_bytes = averages
            .doc_bytes
            .max(PORTION_BYTES as f64 / (documents as f64 / 2.0).max(1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::rev::Rev;

    fn wanted(count: usize) -> Vec<Missing> {
        let rev = Rev::parse("1-967a00dff5e02add41819138abb3284d").unwrap();
        let one = Missing {
            id: "a".into(),
            revs: vec![rev],
            possible_ancestors: Vec::new(),
        };
        vec![one; count]
    }

    #[test]
    fn skips_comparing_while_all_is_missing_and_probes_now_and_then() {
        let tuning = Tuning::new(true);
        let skipped: Vec<bool> = (0..32).map(|_| tuning.skips_revs_diff()).collect();
        assert_eq!(skipped.iter().filter(|skips| !**skips).count(), 2);
        tuning.compared(100, 10);
        assert!(!tuning.skips_revs_diff());
        assert!(!Tuning::new(false).skips_revs_diff());
    }

    #[test]
    fn portions_follow_the_size_of_documents_and_always_advance() {
        let tuning = Tuning::new(false);
        let many = wanted(5000);
        let before = tuning.portion(&many);
        for _ in 0..20 {
            tuning.fetched(10, 3500);
        }
        assert!(tuning.portion(&many) > before);
        let mut asked = 4096;
        while asked > 1 {
            tuning.fetched_too_much(asked);
            let next = tuning.portion(&many);
            assert!(next < asked, "{next} of {asked}");
            asked = next;
        }
        for _ in 0..20 {
            tuning.fetched(1, 100 << 20);
        }
        assert_eq!(tuning.portion(&many), 1);
    }
}
