//! A tree's bytes, version 1.
//!
//! ```text
//! tree    = branch, branch, ...                 to the end of the bytes; at least one
//! branch  = flags body generation count [joined] digest * count
//! flags   = one byte: 1 deleted, 2 joined, 4 uniform; other bits 0
//! body    = varint, the leaf's LeafState::body
//! generation, count = varint; 1 <= count <= generation
//! joined  = varint, only when flagged: a branch before this one, counted from 0
//! digest  = uniform: 16 bytes. Otherwise: varint length, and so many bytes, as in Digest::as_bytes
//! ```
//!
//! A branch runs from a leaf of `generation` through `count` revisions, newest first, each the parent of the one
//! before. Branches are in the order of leaves, so that the winner's comes first, and each revision is in the first
//! branch that reaches it. The parent of a joined branch's oldest revision, of generation `generation - count`, is the
//! revision of that generation in branch `joined`, where it is not the leaf. Varints are those of [`crate::varint`].
//!
//! The version is the first byte of the value that holds a tree.

use super::{LeafState, Node, RevTree, rank};
use crate::rev::{Digest, Rev};
use crate::varint;
use std::collections::HashMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// The bytes are no encoded tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl RevTree {
    /// Appends the tree's bytes; the winner's branch comes first. An empty tree has none.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut branch_of: HashMap<&Rev, u64> = HashMap::new();
        for ((leaf, state), branch) in self.leaves().into_iter().zip(0_u64..) {
            let mut digests = Vec::new();
            let mut joined = None;
            for rev in self.ancestry(leaf) {
                joined = branch_of.get(rev).copied();
                if joined.is_some() {
                    break;
                }
                branch_of.insert(rev, branch);
                digests.push(&rev.digest);
            }
            let head = Head {
                state,
                joined,
                uniform: digests.iter().all(|digest| is_md5(digest)),
                generation: leaf.generation,
                count: digests.len() as u64,
            };
            head.write(out);
            digests
                .iter()
                .for_each(|digest| head.write_digest(digest.as_bytes(), out));
        }
    }

    /// Reads what [`RevTree::encode`] wrote. Any other bytes are refused, never a panic; allocates no more than a
    /// small multiple of their length.
    pub fn decode(bytes: &[u8]) -> Result<RevTree, Corrupt> {
        RevTree::read(bytes).ok_or(Corrupt)
    }

    fn read(mut bytes: &[u8]) -> Option<RevTree> {
        let mut tree = RevTree::default();
        let mut branches: Vec<Branch<'_>> = Vec::new();
        while !bytes.is_empty() {
            let branch = Branch::read(&mut bytes)?;
            if let Some(before) = branches.last()
                && rank((&before.leaf(), before.head.state)) <= rank((&branch.leaf(), branch.head.state))
            {
                return None;
            }
            let parent = match branch.head.joined {
                Some(joined) => Some(
                    branches
                        .get(usize::try_from(joined).ok()?)?
                        .inner(branch.head.root_parent())?,
                ),
                None => None,
            };
            tree.insert(&branch, parent)?;
            branches.push(branch);
        }
        (!tree.is_empty()).then_some(tree)
    }

    fn insert(&mut self, branch: &Branch<'_>, root_parent: Option<Rev>) -> Option<()> {
        let mut leaf = Some(branch.head.state);
        let mut revs = branch.revs().peekable();
        while let Some(rev) = revs.next() {
            let parent = revs.peek().cloned().or_else(|| root_parent.clone());
            let Entry::Vacant(place) = self.nodes.entry(rev) else {
                return None;
            };
            place.insert(Node {
                parent,
                leaf: leaf.take(),
            });
        }
        Some(())
    }
}

/// What precedes a branch's digests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) state: LeafState,
    pub(super) joined: Option<u64>,
    pub(super) uniform: bool,
    pub(super) generation: u64,
    pub(super) count: u64,
}

const DELETED: u8 = 1;
const JOINED: u8 = 2;
const UNIFORM: u8 = 4;
pub(super) const MD5_BYTES: usize = 16;

pub(super) fn is_md5(digest: &Digest) -> bool {
    digest.as_bytes().len() == MD5_BYTES
}

impl Head {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let deleted = if self.state.deleted { DELETED } else { 0 };
        let joined = if self.joined.is_some() { JOINED } else { 0 };
        let uniform = if self.uniform { UNIFORM } else { 0 };
        out.push(deleted | joined | uniform);
        varint::write(self.state.body, out);
        varint::write(self.generation, out);
        varint::write(self.count, out);
        if let Some(joined) = self.joined {
            varint::write(joined, out);
        }
    }

    pub(super) fn write_digest(&self, digest: &[u8], out: &mut Vec<u8>) {
        if !self.uniform {
            varint::write(digest.len() as u64, out);
        }
        out.extend_from_slice(digest);
    }

    fn read(bytes: &mut &[u8]) -> Option<Head> {
        let (&flags, rest) = bytes.split_first()?;
        *bytes = rest;
        if flags & !(DELETED | JOINED | UNIFORM) != 0 {
            return None;
        }
        let body = varint::read(bytes)?;
        let generation = varint::read(bytes)?;
        let count = varint::read(bytes)?;
        let joined = if flags & JOINED != 0 {
            Some(varint::read(bytes)?)
        } else {
            None
        };
        (1..=generation).contains(&count).then_some(Head {
            state: LeafState {
                deleted: flags & DELETED != 0,
                body,
            },
            joined,
            uniform: flags & UNIFORM != 0,
            generation,
            count,
        })
    }

    // Generation of the parent of the branch's oldest revision.
    fn root_parent(&self) -> u64 {
        self.generation.saturating_sub(self.count)
    }
}

/// One branch where it lies in a tree's bytes, checked as far as it can be without the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch<'a> {
    pub(super) head: Head,
    newest: &'a [u8],
    pub(super) digests: Digests<'a>,
}

impl<'a> Branch<'a> {
    /// Takes a branch off the front. Digests of one length, the rule, are not looked at.
    pub(super) fn read(bytes: &mut &'a [u8]) -> Option<Branch<'a>> {
        let head = Head::read(bytes)?;
        let from = *bytes;
        let mut rest = from;
        if head.uniform {
            let length = usize::try_from(head.count).ok()?.checked_mul(MD5_BYTES)?;
            rest = rest.get(length..)?;
        } else {
            let mut all = Digests {
                bytes: from,
                uniform: false,
            };
            for _ in 0..head.count {
                Digest::is_stored(all.next()?).then_some(())?;
            }
            rest = all.bytes;
        }
        *bytes = rest;
        let mut digests = Digests {
            bytes: from.get(..from.len() - rest.len())?,
            uniform: head.uniform,
        };
        let branch_digests = digests;
        Some(Branch {
            head,
            newest: digests.next()?,
            digests: branch_digests,
        })
    }

    pub(super) fn leaf(&self) -> Rev {
        Rev {
            generation: self.head.generation,
            digest: Digest::from_bytes(self.newest),
        }
    }

    pub(super) fn newest(&self) -> &'a [u8] {
        self.newest
    }

    /// The branch's revision of a generation.
    pub(super) fn at(&self, generation: u64) -> Option<&'a [u8]> {
        let offset = usize::try_from(self.head.generation.checked_sub(generation)?).ok()?;
        if self.head.uniform {
            let start = offset.checked_mul(MD5_BYTES)?;
            return self.digests.bytes.get(start..)?.get(..MD5_BYTES);
        }
        self.digests.clone().nth(offset)
    }

    // The branch's revision of a generation, unless that is its leaf.
    fn inner(&self, generation: u64) -> Option<Rev> {
        (generation < self.head.generation).then_some(())?;
        Some(Rev {
            generation,
            digest: Digest::from_bytes(self.at(generation)?),
        })
    }

    fn revs(&self) -> impl Iterator<Item = Rev> {
        let generations = (1..=self.head.generation).rev();
        generations.zip(self.digests).map(|(generation, digest)| Rev {
            generation,
            digest: Digest::from_bytes(digest),
        })
    }
}

/// A branch's digests, newest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digests<'a> {
    pub(super) bytes: &'a [u8],
    uniform: bool,
}

impl<'a> Iterator for Digests<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut rest = self.bytes;
        let length = if self.uniform {
            MD5_BYTES
        } else {
            usize::try_from(varint::read(&mut rest)?).ok()?
        };
        let (digest, rest) = rest.split_at_checked(length)?;
        self.bytes = rest;
        Some(digest)
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are no revision tree")
    }
}

impl std::error::Error for Corrupt {}
