//! One document as a commit sees it: as stored, as it is after the edits so far, and the bodies those brought.

use crate::Error;
use crate::tables::DocsRow;
use crate::tables::bytes::Malformed;
use std::collections::{BTreeSet, HashMap};
use trunkline_core::Seq;
use trunkline_core::attachment::Attachment;
use trunkline_core::doc::RevPath;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{EncodedTree, LeafState, Merged, RevTree};

/// A document in a commit.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) id: &'a str,
    /// Its row before this commit.
    pub(super) old: Option<Old>,
    /// What changes when a batch is rolled back.
    pub(super) now: Now<'a>,
}

/// A stored docs row.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) seq: Seq,
    pub(super) tree: Vec<u8>,
    /// Bytes of the row's key and value.
    pub(super) row_bytes: u64,
}

/// The document after the edits so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Now<'a> {
    pub(super) tree: Tree,
    /// Differs from the stored seq once the document changed.
    pub(super) seq: Seq,
    /// Whether older ancestors were learnt: the tree is to be written although the document did not change.
    pub(super) learnt: bool,
    /// Whether the tree, decoded, was stemmed in this commit.
    pub(super) stemmed: bool,
    /// How old the oldest of the edits taken was on arrival.
    pub(super) age_ms: u64,
    /// Bodies that edits of this commit brought, by their [`LeafState::body`]. Those of revisions that are no leaf any more are ignored.
    pub(super) fresh: HashMap<u64, Fresh<'a>>,
}

/// A document's tree in the shape that the edits so far needed.
#[derive(Clone, Debug, Default)]
pub(super) enum Tree {
    /// There is no document.
    #[default]
    Absent,
    /// As stored.
    Stored,
    /// One branch, extended without decoding it.
    Linear(Vec<u8>),
    /// Anything else.
    Decoded(RevTree),
}

/// A body that is not stored yet.
#[derive(Clone, Debug)]
pub(super) struct Fresh<'a> {
    pub(super) body: &'a str,
    pub(super) attachments: Vec<Attachment>,
}

/// What a decision needs to know of a document.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) winner: Rev,
    pub(super) state: LeafState,
    pub(super) linear: bool,
}

impl Old {
    pub(super) fn decode(id: &str, row: &[u8]) -> Result<Old, Malformed> {
        let decoded = DocsRow::decode(row)?;
        Ok(Old {
            seq: decoded.seq,
            tree: decoded.tree_bytes.to_vec(),
            row_bytes: (id.len() + row.len()) as u64,
        })
    }

    pub(super) fn winner(&self) -> Result<(Rev, LeafState), Error> {
        Ok(EncodedTree::new(&self.tree).map_err(Malformed::from)?.winner())
    }

    pub(super) fn leaves(&self) -> Result<Vec<(Rev, LeafState)>, Error> {
        let tree = RevTree::decode(&self.tree).map_err(Malformed::from)?;
        Ok(owned_leaves(&tree))
    }
}

pub(super) fn owned_leaves(tree: &RevTree) -> Vec<(Rev, LeafState)> {
    tree.leaves()
        .into_iter()
        .map(|(rev, state)| (rev.clone(), state))
        .collect()
}

/// What some of the entries are now. A tree may be long, and a batch may edit it very often.
pub(super) fn copies<'a>(entries: &[Entry<'a>], indices: BTreeSet<usize>) -> Vec<(usize, Now<'a>)> {
    let copy = |index: usize| entries.get(index).map(|entry| (index, entry.now.clone()));
    indices.into_iter().filter_map(copy).collect()
}

impl<'a> Entry<'a> {
    pub(super) fn new(id: &'a str, old: Option<Old>) -> Entry<'a> {
        let now = Now {
            tree: if old.is_some() { Tree::Stored } else { Tree::Absent },
            seq: old.as_ref().map_or(0, |old| old.seq),
            learnt: false,
            stemmed: false,
            age_ms: 0,
            fresh: HashMap::new(),
        };
        Entry { id, old, now }
    }

    /// Whether an edit was taken.
    pub(super) fn is_changed(&self) -> bool {
        self.old.as_ref().map_or(0, |old| old.seq) != self.now.seq
    }

    /// The tree's bytes while it was not decoded.
    pub(super) fn encoded(&self) -> Result<Option<EncodedTree<'_>>, Error> {
        let bytes = match (&self.now.tree, &self.old) {
            (Tree::Stored, Some(old)) => &old.tree,
            (Tree::Linear(bytes), _) => bytes,
            _ => return Ok(None),
        };
        Ok(Some(EncodedTree::new(bytes).map_err(Malformed::from)?))
    }

    /// The winner; `None` when there is no document.
    pub(super) fn head(&self) -> Result<Option<Head>, Error> {
        if let Some(tree) = self.encoded()? {
            let (winner, state) = tree.winner();
            let linear = tree.is_linear();
            return Ok(Some(Head {
                winner,
                state,
                linear,
            }));
        }
        let Tree::Decoded(tree) = &self.now.tree else {
            return Ok(None);
        };
        Ok(tree.winner().map(|(winner, state)| Head {
            winner: winner.clone(),
            state,
            linear: false,
        }))
    }

    /// The tree, decoded from here on.
    pub(super) fn decoded(&mut self) -> Result<&mut RevTree, Error> {
        let decoded = match (&self.now.tree, &self.old) {
            (Tree::Stored, Some(old)) => Some(RevTree::decode(&old.tree).map_err(Malformed::from)?),
            (Tree::Linear(bytes), _) => Some(RevTree::decode(bytes).map_err(Malformed::from)?),
            (Tree::Decoded(_), _) => None,
            (Tree::Absent | Tree::Stored, _) => Some(RevTree::default()),
        };
        if let Some(tree) = decoded {
            self.now.tree = Tree::Decoded(tree);
        }
        match &mut self.now.tree {
            Tree::Decoded(tree) => Ok(tree),
            _ => Err(Malformed.into()),
        }
    }

    /// The way of nearly every edit, which decodes nothing: the document is new, or the path goes on from its only
    /// leaf. `None`, and nothing done, for anything else.
    pub(super) fn grow_linear(
        &mut self,
        path: &RevPath,
        state: LeafState,
        limit: u32,
    ) -> Result<Option<Merged>, Error> {
        let mut bytes = Vec::with_capacity(64);
        let merged = match self.encoded()? {
            Some(tree) => tree.merge(path, state, limit, &mut bytes),
            None if matches!(self.now.tree, Tree::Absent) => {
                EncodedTree::encode_path(path, state, limit, &mut bytes);
                Some(Merged::NewLeaf)
            }
            None => None,
        };
        if merged.is_some_and(|merged| merged != Merged::Known) {
            self.now.tree = Tree::Linear(bytes);
        }
        Ok(merged)
    }

    /// Whether no revision is left, or ever was.
    pub(super) fn is_empty(&self) -> bool {
        match &self.now.tree {
            Tree::Absent => true,
            Tree::Decoded(tree) => tree.is_empty(),
            Tree::Stored | Tree::Linear(_) => false,
        }
    }

    /// Appends the document's docs row.
    pub(super) fn encode_row(&self, out: &mut Vec<u8>) {
        DocsRow::begin(out, self.now.seq);
        match (&self.now.tree, &self.old) {
            (Tree::Linear(bytes), _) => out.extend_from_slice(bytes),
            (Tree::Decoded(tree), _) => tree.encode(out),
            (Tree::Stored, Some(old)) => out.extend_from_slice(&old.tree),
            (Tree::Absent | Tree::Stored, _) => {}
        }
    }

    /// The body of a leaf if an edit of this commit brought it.
    pub(super) fn fresh(&self, number: u64) -> Option<&Fresh<'a>> {
        self.now.fresh.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_copied_once_however_often_it_is_edited() {
        let entries = ["a", "b", "c"].map(|id| Entry::new(id, None));
        let indices = std::iter::repeat_n([0, 2], 1500).flatten().collect();
        let copied: Vec<_> = copies(&entries, indices)
            .iter()
            .map(|(index, _)| *index)
            .collect();
        assert_eq!(copied, [0, 2]);
    }
}
