//! Rows of the tables of named feeds: what each takes and how far it is built, and which changes are in it.

use super::VERSION;
use super::bytes::{Malformed, Reader};
use redb::{ReadOnlyTable, ReadTransaction, TableDefinition, TableError};
use trunkline_core::Seq;
use trunkline_core::varint;

/// Feed's name -> its number, what it takes, and how far it is built. Made by the first feed, as [`FEED_ROWS`] is.
pub(crate) const FEEDS: super::Table = TableDefinition::new("feeds");

/// Feed's number and seq -> nothing more. Each names a row of `by_seq`.
pub(crate) const FEED_ROWS: TableDefinition<'static, &'static [u8; 12], &'static [u8; 1]> =
    TableDefinition::new("feed_rows");

/// [`FEED_ROWS`] in a write transaction.
pub(crate) type FeedRows<'t> = redb::Table<'t, &'static [u8; 12], &'static [u8; 1]>;
/// [`FEED_ROWS`] in a snapshot.
pub(crate) type StoredFeedRows = ReadOnlyTable<&'static [u8; 12], &'static [u8; 1]>;

const FRESH: u8 = 1;
const DROPPED: u8 = 2;

/// A row of [`FEEDS`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeedRow<'a> {
    pub(crate) number: u32,
    /// Never built: nobody has read it.
    pub(crate) fresh: bool,
    /// Seqs up to here were looked at for what it takes.
    pub(crate) cursor: Seq,
    /// It is built when the cursor is here: what comes later is looked at when it is written.
    pub(crate) goal: Seq,
    /// JSON text; `None` when nobody declares it any more.
    pub(crate) selector: Option<&'a str>,
}

impl<'a> FeedRow<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = u8::from(self.fresh) * FRESH + u8::from(self.selector.is_none()) * DROPPED;
        let mut out = vec![VERSION, flags];
        varint::write(self.number.into(), &mut out);
        varint::write(self.cursor, &mut out);
        varint::write(self.goal, &mut out);
        out.extend_from_slice(self.selector.unwrap_or_default().as_bytes());
        out
    }

    pub(crate) fn decode(row: &'a [u8]) -> Result<FeedRow<'a>, Malformed> {
        let mut row = Reader(row);
        row.version()?;
        let flags = row.u8()?;
        let number = u32::try_from(row.varint()?).map_err(|_| Malformed)?;
        let (cursor, goal) = (row.varint()?, row.varint()?);
        let selector = match flags & DROPPED == 0 {
            true => Some(std::str::from_utf8(row.0)?),
            false => {
                row.end()?;
                None
            }
        };
        if flags & !(FRESH | DROPPED) != 0 {
            return Err(Malformed);
        }
        Ok(FeedRow {
            number,
            fresh: flags & FRESH != 0,
            cursor,
            goal,
            selector,
        })
    }
}

/// A key of [`FEED_ROWS`].
pub(crate) fn key(number: u32, seq: Seq) -> [u8; 12] {
    let mut key = [0; 12];
    let (feed, place) = key.split_at_mut(4);
    feed.copy_from_slice(&number.to_be_bytes());
    place.copy_from_slice(&seq.to_be_bytes());
    key
}

/// The seq in a key.
pub(crate) fn seq_of(key: &[u8; 12]) -> Seq {
    let [_, _, _, _, seq @ ..] = *key;
    Seq::from_be_bytes(seq)
}

/// The number in a key.
pub(crate) fn number_of(key: &[u8; 12]) -> u32 {
    let [a, b, c, d, ..] = *key;
    u32::from_be_bytes([a, b, c, d])
}

/// A table that is there only where there were feeds.
pub(crate) fn opened<K: redb::Key + 'static, V: redb::Value + 'static>(
    txn: &ReadTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, crate::Error> {
    match txn.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(cause) => Err(cause.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() {
        for (fresh, selector) in [
            (true, Some("{\"a\":1}")),
            (false, Some("")),
            (false, None),
            (true, None),
        ] {
            let row = FeedRow {
                number: u32::MAX,
                fresh,
                cursor: 7,
                goal: Seq::MAX,
                selector,
            };
            assert_eq!(FeedRow::decode(&row.encode()), Ok(row));
        }
        let row = [VERSION, 4, 1, 1, 1];
        assert_eq!(FeedRow::decode(&row), Err(Malformed));
        assert_eq!(
            FeedRow::decode(&[VERSION, DROPPED, 1, 1, 1, b'{']),
            Err(Malformed)
        );
        let key = key(7, Seq::MAX - 1);
        assert_eq!((number_of(&key), seq_of(&key)), (7, Seq::MAX - 1));
    }
}
