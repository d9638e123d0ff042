//! A revision with the ancestors that its sender knows.

use crate::limits::GENERATION_MAX;
use crate::rev::{Digest, Rev};

/// The newest revision of a replicated edit with its ancestors: `_revisions`. `digests` runs newest to oldest and is
/// never empty; `digests[i]` has generation `generation - i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevPath {
    /// Generation of `digests[0]`; at least `digests.len()`.
    pub generation: u64,
    /// Newest first.
    pub digests: Vec<Digest>,
}

impl RevPath {
    /// A path, unless it is empty, longer than its generation, or over [`GENERATION_MAX`].
    pub fn new(generation: u64, digests: Vec<Digest>) -> Option<RevPath> {
        let length = u64::try_from(digests.len()).ok()?;
        (1..=generation)
            .contains(&length)
            .then_some(RevPath { generation, digests })
            .filter(|path| path.generation <= GENERATION_MAX)
    }

    /// The newest revision; `None` for the empty path that [`RevPath::new`] refuses.
    pub fn rev(&self) -> Option<Rev> {
        self.revs().next()
    }

    /// All revisions, newest first.
    pub fn revs(&self) -> impl Iterator<Item = Rev> {
        let generations = (1..=self.generation).rev();
        generations.zip(&self.digests).map(|(generation, digest)| Rev {
            generation,
            digest: digest.clone(),
        })
    }
}

/// A path of one revision without known ancestors.
impl From<Rev> for RevPath {
    fn from(rev: Rev) -> RevPath {
        RevPath {
            generation: rev.generation,
            digests: vec![rev.digest],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_empty_nor_longer_than_its_generation() {
        let digests = |count: usize| vec![Digest::from([7; 16]); count];
        assert!(RevPath::new(1, digests(0)).is_none());
        assert!(RevPath::new(0, digests(1)).is_none());
        assert!(RevPath::new(2, digests(3)).is_none());
        assert!(RevPath::new(GENERATION_MAX + 1, digests(1)).is_none());
        let path = RevPath::new(3, digests(2)).expect("valid");
        let generations: Vec<u64> = path.revs().map(|rev| rev.generation).collect();
        assert_eq!(generations, [3, 2]);
        assert_eq!(path.rev().map(|rev| rev.generation), Some(3));
    }
}
