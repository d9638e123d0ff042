//! Local documents: a number and a text per id, outside of the changes, never replicated.

use crate::tables::{self, decode_local};
use crate::write::{Answer, Work};
use crate::{Asker, Database, Durability, Error, Refused};
use redb::ReadableDatabase;
use std::ops::{Bound, ControlFlow};
use trunkline_core::doc_id::LocalId;
use trunkline_core::limits::{LOCAL_DOC_OF_ASKER_BYTES_MAX, LOCAL_DOCS_OF_ASKER_MAX};

impl Database {
    /// The id under which a local document is kept. Some have local documents of their own, and who of them has no name
    /// none.
    pub(crate) fn local_key(&self, id: &LocalId) -> Option<LocalId> {
        match self.asker().filter(|asker| asker.own_locals.is_some()) {
            None => Some(id.clone()),
            Some(asker) => LocalId::parse(&(own_prefix(asker)? + id.as_str())).ok(),
        }
    }

    /// Whether a local document may be written: of one who has its own, not too much is kept.
    pub(crate) fn may_put_local(&self, id: &LocalId, body: &str) -> Result<Result<(), Refused>, Error> {
        let Some(asker) = self.asker().filter(|asker| asker.own_locals.is_some()) else {
            return Ok(Ok(()));
        };
        let Some(prefix) = own_prefix(asker) else {
            let reason = "Who has no name has no local documents here.";
            return Ok(Err(Refused::Unauthorized(reason.to_owned())));
        };
        let Some(key) = self.local_key(id) else {
            let reason = "The id of a local document is too long.";
            return Ok(Err(Refused::Forbidden(reason.to_owned())));
        };
        if body.len() > LOCAL_DOC_OF_ASKER_BYTES_MAX {
            return Ok(Err(Refused::DocumentTooLarge));
        }
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::LOCAL)?;
        if table.get(key.as_str().as_bytes())?.is_some() {
            return Ok(Ok(()));
        }
        let mut own = 0;
        for row in table.range::<&[u8]>(prefix.as_bytes()..)? {
            if !row?.0.value().starts_with(prefix.as_bytes()) {
                break;
            }
            own += 1;
            if own >= LOCAL_DOCS_OF_ASKER_MAX {
                let reason = "You have too many local documents in this database.";
                return Ok(Err(Refused::Forbidden(reason.to_owned())));
            }
        }
        Ok(Ok(()))
    }

    /// Writes a local document; `None` as body deletes it. Answers its new number (`_rev` is `0-N`): one more than
    /// `given` (0 when none is given), 0 for a deletion. `Refused::Missing` for deleting what is not there.
    pub fn put_local(&self, id: &LocalId, given: u64, body: Option<&str>) -> Result<u64, Error> {
        if let Some(body) = body
            && let Err(refused) = self.may_put_local(id, body)?
        {
            return Err(Error::Refused(refused));
        }
        let work = Work::Local {
            id: self.local_key(id).ok_or(Error::Refused(Refused::Missing))?,
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
        let Some(id) = self.local_key(id) else {
            return Ok(None);
        };
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::LOCAL)?;
        let Some(row) = table.get(id.as_str().as_bytes())? else {
            return Ok(None);
        };
        let (number, json) = decode_local(row.value())?;
        Ok(Some((number, json.to_owned())))
    }

    /// Local documents in id order, behind one if it is given: each is shown with its number and JSON text, until `row`
    /// breaks. Answers whether none is left. Of one who has its own, those.
    pub fn locals(
        &self,
        behind: Option<&str>,
        descending: bool,
        row: &mut dyn FnMut(&str, u64, &str) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        self.check_whole()?;
        let file = self.file()?;
        let table = file.redb.begin_read()?.open_table(tables::LOCAL)?;
        let own = self.asker().filter(|asker| asker.own_locals.is_some());
        let Some(prefix) = own.map_or(Some(String::new()), |asker| own_prefix(asker)) else {
            return Ok(true);
        };
        let behind = behind.map(|id| format!("{prefix}{id}"));
        let first = Bound::Included(prefix.as_bytes());
        let mut rows = match behind.as_deref().map(str::as_bytes) {
            Some(id) if descending => table.range::<&[u8]>((first, Bound::Excluded(id)))?,
            Some(id) => table.range::<&[u8]>((Bound::Excluded(id), Bound::Unbounded))?,
            None => table.range::<&[u8]>((first, Bound::Unbounded))?,
        };
        loop {
            let next = if descending { rows.next_back() } else { rows.next() };
            let Some((key, value)) = next.transpose()? else {
                return Ok(true);
            };
            let id = std::str::from_utf8(key.value()).map_err(tables::bytes::Malformed::from)?;
            let Some(id) = id.strip_prefix(&prefix) else {
                match descending {
                    // Those of others, behind one's own.
                    true => continue,
                    false => return Ok(true),
                }
            };
            let (number, json) = decode_local(value.value())?;
            if row(id, number, json).is_break() {
                return Ok(false);
            }
        }
    }
}

/// Begins the ids of the local documents of somebody with a name; with lengths, so that none begins another's.
fn own_prefix(asker: &Asker) -> Option<String> {
    let name = asker.user.name()?;
    let by = asker.own_locals.as_deref().unwrap_or_default();
    Some(format!("of:{}:{name}:{}:{by}:", name.len(), by.len()))
}
