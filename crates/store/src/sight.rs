//! What a handle sees of its database: all of it, or what the one on whose behalf it is used may see.
//!
//! A document is there when its winner is seen, and of its other leaves those that are seen themselves; of what is not
//! there nothing is told, as if it had never been. Reads of documents take what they read from a [`Sight`]. Whatever needs
//! all of the database takes a snapshot, which handles that do not see all are refused.

use crate::read::Snapshot;
use crate::{Database, Error, Leaf, Tree};
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::attachment::Attachment;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;

/// A leaf of a document that may be seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The document's id.
    pub id: &'a str,
    /// The leaf's revision.
    pub rev: &'a Rev,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// JSON text as in [`trunkline_core::doc::Body`].
    pub body: &'a str,
    /// In document order.
    pub attachments: &'a [Attachment],
}

/// Says whether a leaf is seen. The same leaf must get the same answer for as long as a handle is used.
pub type Sees = Arc<dyn Fn(&Seen<'_>) -> bool + Send + Sync>;

/// A snapshot, and what is seen of it.
pub(crate) struct Sight<'a> {
    pub(crate) snapshot: Arc<Snapshot>,
    /// `None` sees all.
    pub(crate) sees: Option<&'a Sees>,
}

impl Sight<'_> {
    /// Whether a leaf is seen by itself.
    pub(crate) fn sees(&self, id: &str, leaf: &Leaf) -> bool {
        self.sees.is_none_or(|sees| {
            sees(&Seen {
                id,
                rev: &leaf.rev,
                deleted: leaf.deleted,
                body: leaf.body.as_str(),
                attachments: &leaf.attachments,
            })
        })
    }

    /// What is seen of a document's tree, and how many bytes were read to tell; `None` where the document is not seen.
    pub(crate) fn seen(
        &self,
        id: &str,
        seq: Seq,
        mut revs: RevTree,
    ) -> Result<(Option<RevTree>, usize), Error> {
        let mut bytes = 0;
        if self.sees.is_none() {
            return Ok((Some(revs), bytes));
        }
        let mut hidden = Vec::new();
        for (place, (rev, state)) in revs.leaves().into_iter().enumerate() {
            let leaf = self.snapshot.leaf(rev, state, seq)?;
            bytes += leaf.body.as_str().len();
            match self.sees(id, &leaf) {
                true => {}
                false if place == 0 => return Ok((None, bytes)),
                false => hidden.push(leaf.rev),
            }
        }
        revs.purge(&hidden);
        Ok((Some(revs), bytes))
    }

    /// A document's tree, as far as it is seen.
    pub(crate) fn tree(&self, id: &str) -> Result<Option<Tree>, Error> {
        let Some(Tree { revs, seq }) = self.snapshot.tree(id)? else {
            return Ok(None);
        };
        let (revs, _) = self.seen(id, seq, revs)?;
        Ok(revs.map(|revs| Tree { revs, seq }))
    }
}

impl Database {
    /// Whether it sees all of the database.
    pub fn is_whole(&self) -> bool {
        self.sees().is_none()
    }

    fn sees(&self) -> Option<&Sees> {
        self.asker.as_ref()?.sees.as_ref()
    }

    /// For what tells of all documents, or is done to them.
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        match self.is_whole() {
            true => Ok(()),
            false => Err(Error::NotWhole),
        }
    }

    /// What one read of documents sees.
    pub(crate) fn sight(&self) -> Result<Sight<'_>, Error> {
        Ok(Sight {
            snapshot: self.moment()?,
            sees: self.sees(),
        })
    }

    /// What one read of the whole database sees.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        self.check_whole()?;
        self.moment()
    }
}
