//! What earlier batches teach about the next: how large documents are, and whether comparing is worth its while.

use super::batch::PORTION_BYTES;
use crate::peer::Missing;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Share of missing revisions from which on nobody asks first: sending the few that the target has costs less.
const SKIP_ABOVE: f64 = 0.95;
/// Weight of the newest batch in the averages.
const NEWEST_WEIGHT: f64 = 0.4;
/// While comparing is skipped, one batch in so many is compared all the same.
const PROBE_EVERY: u32 = 16;
/// Share of missing revisions under which rows stop to carry documents (a ring, a lost checkpoint), and over which they
/// start again; far apart, since a feed is opened anew for it.
const CARRY_BELOW: f64 = 0.5;
const CARRY_ABOVE: f64 = 0.9;
/// Rows of a batch that count in full for that; live feeds have batches of one.
const CARRIED_WEIGHT_ROWS: f64 = 100.0;
/// Bytes a document is taken to have until some were seen.
const FIRST_GUESS_BYTES: f64 = 4096.0;

/// Averages over the batches of one attempt.
#[derive(Debug)]
pub(super) struct Tuning {
    averages: Mutex<Averages>,
    /// Whether rows are to carry documents.
    docs: Arc<AtomicBool>,
    carries_docs: bool,
}

#[derive(Debug)]
struct Averages {
    missing_share: f64,
    /// As `missing_share`, but slow, and from what was compared alone.
    carried_share: f64,
    since_probe: u32,
    doc_bytes: f64,
}

impl Tuning {
    /// `initial` when the target is likely to hold next to nothing, `empty` when it is known to hold nothing.
    pub(super) fn new(initial: bool, empty: bool, docs: Arc<AtomicBool>) -> Tuning {
        Tuning {
            carries_docs: docs.load(Ordering::Relaxed),
            docs,
            averages: Mutex::new(Averages {
                missing_share: if initial || empty { 1.0 } else { 0.0 },
                carried_share: 1.0,
                // The first batch is compared where the target may have been filled some other way.
                since_probe: if empty { 0 } else { PROBE_EVERY - 1 },
                doc_bytes: FIRST_GUESS_BYTES,
            }),
        }
    }

    /// Whether the next batch goes without `_revs_diff`.
    pub(super) fn skips_revs_diff(&self) -> bool {
        let mut averages = self.averages.lock();
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
            let mut averages = self.averages.lock();
            let share = missing as f64 / asked as f64;
            averages.missing_share += NEWEST_WEIGHT * (share - averages.missing_share);
            let weight = NEWEST_WEIGHT * (asked as f64 / CARRIED_WEIGHT_ROWS).min(1.0);
            averages.carried_share += weight * (share - averages.carried_share);
            if averages.carried_share < CARRY_BELOW {
                self.docs.store(false, Ordering::Relaxed);
            } else if averages.carried_share > CARRY_ABOVE {
                self.docs.store(self.carries_docs, Ordering::Relaxed);
            }
        }
    }

    /// How many of these to fetch at once.
    pub(super) fn portion(&self, wanted: &[Missing]) -> usize {
        let doc_bytes = self.averages.lock().doc_bytes;
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
        (self.averages.lock().doc_bytes * documents as f64) as usize
    }

    /// So many documents had so many bytes.
    pub(super) fn fetched(&self, documents: usize, bytes: usize) {
        if documents > 0 {
            let mut averages = self.averages.lock();
            let each = (bytes as f64 / documents as f64).max(64.0);
            averages.doc_bytes += NEWEST_WEIGHT * (each - averages.doc_bytes);
        }
    }

    /// So many documents were more than one answer may hold.
    pub(super) fn fetched_too_much(&self, documents: usize) {
        let mut averages = self.averages.lock();
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

    fn started(initial: bool) -> Tuning {
        Tuning::new(initial, false, Arc::new(AtomicBool::new(true)))
    }

    #[test]
    fn rows_carry_documents_only_while_the_target_lacks_them() {
        let tuning = started(false);
        let carries = |asked, missing| {
            tuning.compared(asked, missing);
            tuning.docs.load(Ordering::Relaxed)
        };
        assert!(carries(1000, 900) && carries(1, 0) && carries(1, 0) && carries(1, 0));
        assert!(carries(1000, 0));
        assert!(!carries(1000, 0));
        assert!(!carries(1, 1) && !carries(1000, 1000));
        assert!((0..9).any(|_| carries(1000, 1000)));
    }

    #[test]
    fn skips_comparing_while_all_is_missing_and_probes_now_and_then() {
        let tuning = started(true);
        let skipped: Vec<bool> = (0..32).map(|_| tuning.skips_revs_diff()).collect();
        assert_eq!(skipped.iter().filter(|skips| !**skips).count(), 2);
        tuning.compared(100, 10);
        assert!(!tuning.skips_revs_diff());
        assert!(!started(false).skips_revs_diff());
    }

    #[test]
    fn portions_follow_the_size_of_documents_and_always_advance() {
        let tuning = started(false);
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
