//! What an index file says of itself.

use super::seal::{seal, unseal};
use super::{Malformed, block};
use trunkline_core::Seq;
use trunkline_core::varint;

/// Up to where an index has read its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexState {
    /// Every change up to it is in the index.
    pub seq: Seq,
    /// Every purge up to it is, too.
    pub purge_seq: u64,
    /// The incarnation of the database.
    pub database: [u8; 16],
}

/// What the file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) state: IndexState,
    /// The highest level of heads of each view.
    pub(super) tops: Vec<u8>,
}

impl Stored {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![block::VERSION];
        varint::write(self.state.seq, &mut out);
        varint::write(self.state.purge_seq, &mut out);
        out.extend(self.state.database);
        out.extend_from_slice(&self.tops);
        seal(super::STATE, &mut out);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Stored, Malformed> {
        let read = || {
            let mut rest = unseal(super::STATE, bytes).ok()?;
            rest = rest.strip_prefix(&[block::VERSION])?;
            let seq = varint::read(&mut rest)?;
            let purge_seq = varint::read(&mut rest)?;
            let (database, tops) = rest.split_first_chunk()?;
            let state = IndexState {
                seq,
                purge_seq,
                database: *database,
            };
            let tops = tops.to_vec();
            Some(Stored { state, tops })
        };
        read().ok_or(Malformed)
    }
}
