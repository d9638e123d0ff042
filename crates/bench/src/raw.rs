//! The floor of everything that is stored: redb itself, with one table of id -> body, the same bytes, and the same cache.

use crate::cdr::Cdr;
use crate::measure::Failure;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::Path;

const DOCUMENTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("documents");

/// One redb file.
pub(crate) struct Raw {
    database: Database,
}

impl Raw {
    pub(crate) fn create(file: &Path, cache_bytes: usize) -> Result<Raw, Failure> {
        let database = Database::builder().set_cache_size(cache_bytes).create(file)?;
        let transaction = database.begin_write()?;
        transaction.open_table(DOCUMENTS)?;
        transaction.commit()?;
        Ok(Raw { database })
    }

    /// Writes records in one durable commit.
    pub(crate) fn commit(&self, records: &[Cdr]) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(DOCUMENTS)?;
            for record in records {
                table.insert(record.id.as_bytes(), record.body.as_bytes())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Reads every record, touching each byte of it; answers how many bytes there were.
    pub(crate) fn scan(&self) -> Result<u64, Failure> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(DOCUMENTS)?;
        let mut bytes = 0;
        let mut copy = Vec::new();
        for row in table.iter()? {
            let (id, body) = row?;
            copy.clear();
            copy.extend_from_slice(id.value());
            copy.extend_from_slice(body.value());
            bytes += std::hint::black_box(&copy).len() as u64;
        }
        Ok(bytes)
    }
}
