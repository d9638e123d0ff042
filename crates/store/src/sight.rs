//! What a handle sees of its database: all of it, or what the one on whose behalf it is used may see.
//!
//! A document is there when its winner is seen, and of its other leaves those that are seen themselves; of what is not
//! there nothing is told, as if it had never been. Tombstones seldom have the members by which their documents were
//! seen: of a document in a named feed that its asker follows they are seen bare, without members. Reads of documents take
//! what they read from a [`Sight`]. Whatever needs all of the database takes a snapshot, which handles that do not see all
//! are refused.

use crate::feeds::Followed;
use crate::read::Snapshot;
use crate::{Database, Error, Leaf, Tree};
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::Body;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{LeafState, RevTree};

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
    followed: Option<Followed>,
}

/// How much of a leaf is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Whole,
    /// That it is a tombstone.
    Bare,
    Nothing,
}

impl Sight<'_> {
    /// How much is seen of a leaf of the document at a seq, by itself.
    pub(crate) fn shown(&self, seq: Seq, leaf: &Seen<'_>) -> Result<Shown, Error> {
        if self.sees.is_none_or(|sees| sees(leaf)) {
            return Ok(Shown::Whole);
        }
        Ok(match &self.followed {
            Some(followed) if leaf.deleted && followed.holds(seq)? => Shown::Bare,
            _ => Shown::Nothing,
        })
    }

    /// A leaf of the document at a seq, as far as it is seen by itself, and how many bytes were read to tell.
    pub(crate) fn leaf(
        &self,
        id: &str,
        rev: &Rev,
        state: LeafState,
        seq: Seq,
    ) -> Result<(Option<Leaf>, usize), Error> {
        let leaf = self.snapshot.leaf(rev, state, seq)?;
        let seen = Seen {
            id,
            rev: &leaf.rev,
            deleted: leaf.deleted,
            body: leaf.body.as_str(),
            attachments: &leaf.attachments,
        };
        let shown = self.shown(seq, &seen)?;
        let bytes = leaf.body.as_str().len();
        let leaf = match shown {
            Shown::Whole => Some(leaf),
            Shown::Bare => Some(Leaf {
                body: Body::empty(),
                attachments: Vec::new(),
                ..leaf
            }),
            Shown::Nothing => None,
        };
        Ok((leaf, bytes))
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
            let (leaf, read) = self.leaf(id, rev, state, seq)?;
            bytes += read;
            match leaf {
                Some(_) => {}
                None if place == 0 => return Ok((None, bytes)),
                None => hidden.push(rev.clone()),
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
        let snapshot = self.moment()?;
        let names = self
            .asker()
            .map_or(&[][..], |asker| asker.tombstones_of.as_slice());
        Ok(Sight {
            followed: Followed::of(&snapshot, names)?,
            snapshot,
            sees: self.sees(),
        })
    }

    /// What one read of the whole database sees.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        self.check_whole()?;
        self.moment()
    }
}
