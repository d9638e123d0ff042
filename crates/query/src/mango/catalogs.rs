//! The catalogs of databases, kept until one of their design documents changes.
//!
//! What is kept is of one state of the database, or of several that have the same design documents: whoever asks in
//! another state has the revisions of the design documents compared, which reads no body.

use super::catalog::{Catalog, designs};
use crate::Error;
use crate::build::state_of;
use crate::index::IndexState;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use trunkline_core::limits::CATALOGS_KEPT_MAX;
use trunkline_core::rev::Rev;
use trunkline_store::Database;

/// By incarnation of the database.
#[derive(Debug, Default)]
pub(crate) struct Catalogs(Mutex<HashMap<[u8; 16], Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    state: IndexState,
    /// Of the database: after one, the same state may be another.
    losses: u64,
    /// The design documents that it was made of.
    revs: Vec<(String, Rev)>,
    catalog: Arc<Catalog>,
}

impl Catalogs {
    /// The Mango indexes of a database as it is now.
    pub(crate) fn catalog(&self, db: &Database) -> Result<Arc<Catalog>, Error> {
        let db = &db.whole();
        let losses = db.losses();
        let state = state_of(db)?;
        let kept = self.0.lock().get(&state.database).cloned();
        let kept = kept.filter(|kept| kept.losses == losses);
        if let Some(kept) = &kept
            && kept.state == state
        {
            return Ok(kept.catalog.clone());
        }
        let mut revs = Vec::new();
        designs(db, false, &mut |row| {
            revs.push((row.id.to_owned(), row.rev.clone()))
        })?;
        let catalog = match kept {
            Some(kept) if kept.revs == revs => kept.catalog,
            _ => {
                revs.clear();
                let mut catalog = Catalog {
                    partitioned: db.is_partitioned()?,
                    ..Catalog::default()
                };
                designs(db, true, &mut |row| {
                    revs.push((row.id.to_owned(), row.rev.clone()));
                    catalog.add_row(row);
                })?;
                Arc::new(catalog)
            }
        };
        // Not if it may be of a later state.
        if state_of(db)? == state {
            let kept = Kept {
                catalog: catalog.clone(),
                revs,
                state,
                losses,
            };
            let mut all = self.0.lock();
            if all.len() >= CATALOGS_KEPT_MAX {
                all.clear();
            }
            all.insert(kept.state.database, kept);
        }
        Ok(catalog)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::db_name::DbName;
    use trunkline_core::doc::{Body, Edit, InteractiveEdit};
    use trunkline_core::doc_id::DocId;
    use trunkline_store::{Batch, Store};
    use trunkline_wire::find::{add_index, parse_index};

    fn write(db: &Database, id: &str, body: Option<&str>) {
        let edit = InteractiveEdit {
            id: DocId::parse(id).unwrap(),
            parent: db.get(id, None).unwrap().map(|leaf| leaf.rev),
            deleted: body.is_none(),
            body: Body::from_stored(body.unwrap_or("{}")),
            attachments: Vec::new(),
        };
        let batch = Batch {
            edits: vec![Edit::Interactive(edit)],
            ..Batch::default()
        };
        db.update(batch).unwrap().remove(0).unwrap();
    }

    #[test]
    fn a_catalog_is_kept_until_a_design_document_changes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("calls").unwrap()).unwrap();
        let body = |field: &str| {
            let index =
                parse_index(format!("{{\"index\":{{\"fields\":[\"{field}\"]}}}}").as_bytes()).unwrap();
            add_index(("_design/i", None), "i", &index).unwrap().unwrap()
        };
        let catalogs = Catalogs::default();
        let columns = |catalog: &Catalog| {
            let columns = catalog.indexes.iter().flat_map(|index| index.columns().to_vec());
            columns.collect::<Vec<_>>()
        };
        assert!(catalogs.catalog(&db).unwrap().indexes.is_empty());
        write(&db, "_design/i", Some(&body("a")));
        let first = catalogs.catalog(&db).unwrap();
        assert_eq!(columns(&first), ["a"]);
        assert!(Arc::ptr_eq(&first, &catalogs.catalog(&db).unwrap()));
        let before = db.pin().unwrap();
        write(&db, "call", Some("{}"));
        assert!(Arc::ptr_eq(&first, &catalogs.catalog(&db).unwrap()));
        write(&db, "_design/i", Some(&body("b")));
        assert_eq!(columns(&catalogs.catalog(&db).unwrap()), ["b"]);
        assert_eq!(columns(&catalogs.catalog(&before).unwrap()), ["a"]);
        write(&db, "_design/j", Some(&body("c")));
        assert_eq!(columns(&catalogs.catalog(&db).unwrap()), ["b", "c"]);
        write(&db, "_design/i", None);
        assert_eq!(columns(&catalogs.catalog(&db).unwrap()), ["c"]);
    }
}
