//! Local documents: a number and a text per id, outside of the changes, never replicated.

use crate::tables::{self, decode_local};
use crate::write::{Answer, Work};
use crate::{Database, Durability, Error};
use redb::ReadableDatabase;
use std::ops::Bound;
use trunkline_core::doc_id::LocalId;

impl Database {
    /// Writes a local document; `None` as body deletes it. Answers its new number (`_rev` is `0-N`): one more than
    /// `given` (0 when none is given), 0 for a deletion. `Refused::Missing` for deleting what is not there.
    pub fn put_local(&self, id: &LocalId, given: u64, body: Option<&str>) -> Result<u64, Error> {
        let work = Work::Local {
            id: id.clone(),
            given,
            body: body.map(str::to_owned),
        };
        match self.do_work(work, Durability::Durable)? {
            Answer::Local(answer) => answer.map_err(Error::Refused),
            _ => Err(Error::Corrupt(
                "a local write was answered as something else".into(),
            )),
        }
    }

    /// A local document: its number N (`_rev` is `0-N`) and JSON text.
    pub fn local(&self, id: &LocalId) -> Result<Option<(u64, String)>, Error> {
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::LOCAL)?;
        let Some(row) = table.get(id.as_str().as_bytes())? else {
            return Ok(None);
        };
        let (number, json) = decode_local(row.value())?;
        Ok(Some((number, json.to_owned())))
    }

    /// Local documents in id order from `start` on: (id, number, JSON text).
    pub fn locals(&self, start: &str, limit: usize) -> Result<Vec<(String, u64, String)>, Error> {
        self.check_whole()?;
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::LOCAL)?;
        let from = (Bound::Included(start.as_bytes()), Bound::Unbounded);
        let rows = table.range::<&[u8]>(from)?.take(limit).map(|row| {
            let (key, value) = row?;
            let (number, json) = decode_local(value.value())?;
            let id = std::str::from_utf8(key.value()).map_err(tables::bytes::Malformed::from)?;
            Ok((id.to_owned(), number, json.to_owned()))
        });
        rows.collect()
    }
}
