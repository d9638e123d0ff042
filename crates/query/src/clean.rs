//! Deleting index files that no design document makes any more.

use crate::Error;
use crate::design::{Design, Signature};
use crate::indexes::Indexes;
use crate::remembered::{self, remembered};
use std::collections::BTreeSet;
use std::path::Path;
use trunkline_store::Database;

impl Indexes {
    /// Deletes what is in a database's folder of indexes but for those of these design documents, by id, of native
    /// views, and those that a pass works on; answers how many files.
    pub fn clean(&self, db: &Database, live: &[(String, Design)]) -> Result<u64, Error> {
        if !db.is_whole() {
            return Err(trunkline_store::Error::NotWhole.into());
        }
        let dir = db.indexes_dir();
        let mut keep = BTreeSet::new();
        for (id, design) in live {
            keep.insert(design.signature.to_string());
            keep.insert(file_name(&remembered::path(&dir, id)));
            if !dir.join(design.signature.to_string()).exists() {
                keep.extend(remembered(db, id).map(|before| before.signature.to_string()));
            }
        }
        let natives = self.natives();
        keep.extend(natives.values().map(|design| design.signature.to_string()));
        let uuid = db.info()?.uuid;
        // No index is taken up, and none is brought up to date, while files go.
        self.with_open(|open| {
            let mut of_database = Vec::new();
            for ((incarnation, signature), index) in open.iter() {
                if *incarnation == uuid {
                    match index.try_hold() {
                        Some(held) => of_database.push((*signature, held)),
                        None => {
                            keep.insert(signature.to_string());
                            keep.insert(format!("{signature}.building"));
                        }
                    }
                }
            }
            let gone: BTreeSet<Signature> = of_database
                .iter()
                .map(|(signature, _)| *signature)
                .filter(|signature| !keep.contains(&signature.to_string()))
                .collect();
            let deleted = delete_but(&dir, &keep);
            drop(of_database);
            open.retain(|(incarnation, signature), _| *incarnation != uuid || !gone.contains(signature));
            deleted
        })
    }
}

fn delete_but(dir: &Path, keep: &BTreeSet<String>) -> Result<u64, Error> {
    let mut deleted = 0;
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !keep.contains(&file_name(&path)) {
            std::fs::remove_file(&path)?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
