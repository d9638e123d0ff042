//! Whether two databases hold the same documents: the same ids with the same leaves.
//!
//! Between peers that exchange, digests of ranges of ids are compared, and only ranges that differ are listed, so that two
//! databases that agree cost a scan at either end and next to nothing on the way. To any other peer, each side's changes
//! are held against the other's `_revs_diff`.

use crate::peer::{Change, ChangesAsk, Peer, PeerError, PeerErrorKind};
use futures_util::stream::StreamExt;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use trunkline_core::rev::Rev;
use trunkline_wire::digests::{Ask, LeavesAsk, Range, Ranges};

/// Documents of one range: few enough that listing both sides' is quick, many enough that 10 million documents are a few
/// thousand digests.
const RANGE_DOCS: usize = 4096;
/// Ranges of one question.
const RANGES_AT_ONCE: usize = 32;
/// Documents listed by one answer.
const LEAVES_AT_ONCE: usize = 4096;

/// A document that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which document.
    pub id: Box<str>,
    /// Leaves of the source that the target lacks.
    pub only_source: Vec<Rev>,
    /// Leaves of the target that the source lacks.
    pub only_target: Vec<Rev>,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Documents compared, deleted ones included; those of either side count.
    pub documents: u64,
    /// Documents that differ.
    pub differences: u64,
}

/// Compares two databases; `differs` hears of each document that is not the same. Databases that are written meanwhile
/// may differ in what was just written.
pub async fn verify(
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    differs: &mut (dyn FnMut(Difference) + Send),
) -> Result<Verified, PeerError> {
    let (a, b) = tokio::try_join!(source.info(), target.info())?;
    let mut comparison = Comparison {
        source,
        target,
        differs,
        verified: Verified::default(),
    };
    if a.exchanges && b.exchanges {
        comparison.by_digests().await?;
    } else {
        comparison.by_changes().await?;
    }
    Ok(comparison.verified)
}

struct Comparison<'a> {
    source: Arc<dyn Peer>,
    target: Arc<dyn Peer>,
    differs: &'a mut (dyn FnMut(Difference) + Send),
    verified: Verified,
}

impl Comparison<'_> {
    async fn by_digests(&mut self) -> Result<(), PeerError> {
        let each = Ranges::Each {
            docs: RANGE_DOCS,
            at_most: RANGES_AT_ONCE,
        };
        let mut next = self.source.digests(Ask {
            after: None,
            ranges: each.clone(),
        });
        let mut after: Option<Box<str>> = None;
        loop {
            let here = next.await?;
            let last = here.last().map(|range| range.last_id.clone());
            let ends = match &last {
                Some(_) => here.iter().map(|range| range.last_id.clone()).collect(),
                // Behind the source's last document the target should have none.
                None => vec![None],
            };
            let ask = Ask {
                after: after.clone(),
                ranges: Ranges::Ending(ends),
            };
            // The source reads on while the target reads the same ranges.
            let ahead = Ask {
                after: last.clone().flatten(),
                ranges: each.clone(),
            };
            let (there, ahead) = match &last {
                Some(_) => {
                    let (there, ahead) =
                        tokio::try_join!(self.target.digests(ask), self.source.digests(ahead))?;
                    (there, Some(ahead))
                }
                None => (self.target.digests(ask).await?, None),
            };
            self.ranges(after.clone(), &here, &there).await?;
            let (Some(ahead), Some(last)) = (ahead, last) else {
                return Ok(());
            };
            after = last;
            next = Box::pin(std::future::ready(Ok(ahead)));
        }
    }

    /// Holds ranges with the same ends against each other.
    async fn ranges(
        &mut self,
        after: Option<Box<str>>,
        here: &[Range],
        there: &[Range],
    ) -> Result<(), PeerError> {
        let nothing = [Range {
            last_id: None,
            docs: 0,
            digest: [0; 16],
        }];
        let here = if here.is_empty() { &nothing[..] } else { here };
        if here.len() != there.len() {
            let reason = format!("{} digests in answer to {} ranges", there.len(), here.len());
            return Err(PeerError::new(
                self.target.label(),
                PeerErrorKind::Protocol,
                reason,
            ));
        }
        let mut after = after;
        for (one, other) in here.iter().zip(there) {
            if (one.docs, one.digest) == (other.docs, other.digest) || one.docs + other.docs == 0 {
                self.verified.documents += one.docs;
            } else {
                self.list(after.clone(), one.last_id.clone()).await?;
            }
            after.clone_from(&one.last_id);
        }
        Ok(())
    }

    /// Lists what differs in a range, document by document.
    async fn list(&mut self, after: Option<Box<str>>, until: Option<Box<str>>) -> Result<(), PeerError> {
        let mut here = Listing::new(&self.source, after.clone(), until.clone());
        let mut there = Listing::new(&self.target, after, until);
        loop {
            tokio::try_join!(here.fill(), there.fill())?;
            let (one, other) = match (here.rows.front(), there.rows.front()) {
                (None, None) => return Ok(()),
                (Some(_), None) => (here.rows.pop_front(), None),
                (None, Some(_)) => (None, there.rows.pop_front()),
                (Some(one), Some(other)) => match one.0.cmp(&other.0) {
                    Ordering::Less => (here.rows.pop_front(), None),
                    Ordering::Greater => (None, there.rows.pop_front()),
                    Ordering::Equal => (here.rows.pop_front(), there.rows.pop_front()),
                },
            };
            let id = one.as_ref().or(other.as_ref()).map(|(id, _)| id.clone());
            let revs = |row: Option<(Box<str>, Vec<Rev>)>| row.map(|(_, revs)| revs).unwrap_or_default();
            if let Some(id) = id {
                self.compare(id, &revs(one), &revs(other));
            }
        }
    }

    fn compare(&mut self, id: Box<str>, here: &[Rev], there: &[Rev]) {
        self.verified.documents += 1;
        let without = |these: &[Rev], others: &[Rev]| -> Vec<Rev> {
            these
                .iter()
                .filter(|rev| !others.contains(rev))
                .cloned()
                .collect()
        };
        let difference = Difference {
            id,
            only_source: without(here, there),
            only_target: without(there, here),
        };
        if !(difference.only_source.is_empty() && difference.only_target.is_empty()) {
            self.verified.differences += 1;
            (self.differs)(difference);
        }
    }

    async fn by_changes(&mut self) -> Result<(), PeerError> {
        let (source, target) = (Arc::clone(&self.source), Arc::clone(&self.target));
        let documents = self
            .one_way(&*source, &*target, |id, revs| Difference {
                id,
                only_source: revs,
                only_target: Vec::new(),
            })
            .await?;
        let others = self
            .one_way(&*target, &*source, |id, revs| Difference {
                id,
                only_source: Vec::new(),
                only_target: revs,
            })
            .await?;
        self.verified.documents = documents.max(others);
        Ok(())
    }

    /// Tells of every leaf of one that the other lacks; answers how many documents the one has. A document that differs
    /// both ways is told of, and counted, once for each.
    async fn one_way(
        &mut self,
        of: &dyn Peer,
        lacks: &dyn Peer,
        difference: fn(Box<str>, Vec<Rev>) -> Difference,
    ) -> Result<u64, PeerError> {
        let mut feed = of.changes(ChangesAsk::default()).await?;
        let mut documents = 0;
        while let Some(changes) = feed.next().await {
            let rows: Vec<Change> = changes?.rows;
            documents += rows.len() as u64;
            if rows.is_empty() {
                continue;
            }
            for missing in lacks.revs_diff(&rows).await? {
                self.verified.differences += 1;
                (self.differs)(difference(missing.id, missing.revs));
            }
        }
        Ok(documents)
    }
}

/// One side's documents in a range, read in pieces.
struct Listing {
    peer: Arc<dyn Peer>,
    ask: LeavesAsk,
    rows: VecDeque<(Box<str>, Vec<Rev>)>,
    ended: bool,
}

impl Listing {
    fn new(peer: &Arc<dyn Peer>, after: Option<Box<str>>, until: Option<Box<str>>) -> Listing {
        Listing {
            peer: Arc::clone(peer),
            ask: LeavesAsk {
                after,
                until,
                limit: LEAVES_AT_ONCE,
            },
            rows: VecDeque::new(),
            ended: false,
        }
    }

    /// Reads the next piece when there is nothing left of the one before.
    async fn fill(&mut self) -> Result<(), PeerError> {
        if !self.rows.is_empty() || self.ended {
            return Ok(());
        }
        let rows = self.peer.leaves(self.ask.clone()).await?;
        self.ended = rows.len() < self.ask.limit;
        self.ask.after = rows.last().map(|(id, _)| id.clone()).or(self.ask.after.take());
        self.rows = rows.into();
        Ok(())
    }
}
