//! Putting documents in: into a store of this process, and over HTTP into any server.

use crate::bench::{BATCH_DOCS, BULK_CONNECTIONS, DATABASE, all};
use crate::cdr::{self, Cdr, Ids};
use crate::client::{self, Connection};
use crate::measure::Failure;
use crate::target::Target;
use std::path::Path;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::{Body, Edit, InteractiveEdit};
use trunkline_core::doc_id::DocId;
use trunkline_store::{Batch, Database, Store};

/// Deletes a database when it is there, and creates it.
pub(crate) async fn recreate(target: &Target, database: &str) -> Result<(), Failure> {
    let path = format!("/{database}");
    client::once(target, "DELETE", &path, b"").await?;
    let created = client::once(target, "PUT", &path, b"").await?;
    if created.status != 201 && created.status != 202 {
        return Err(format!("PUT {path}: {}", created.status).into());
    }
    Ok(())
}

/// Opens a store in a fresh directory, with an empty database.
pub(crate) fn create(dir: &Path) -> Result<(Store, Database), Failure> {
    let store = Store::open(dir)?;
    let name = DbName::parse(DATABASE).map_err(|_| "no database name")?;
    let database = store.create(&name)?;
    Ok((store, database))
}

/// Writes records as new documents in one durable batch, as an embedder with JSON text in hand would.
pub(crate) fn update(database: &Database, records: &[Cdr]) -> Result<(), Failure> {
    let mut edits = Vec::with_capacity(records.len());
    for record in records {
        edits.push(Edit::Interactive(InteractiveEdit {
            id: DocId::parse(&record.id).map_err(|cause| format!("{}: {cause:?}", record.id))?,
            parent: None,
            deleted: false,
            body: Body::parse(&record.body).map_err(|cause| format!("{}: {cause:?}", record.id))?,
            attachments: Vec::new(),
        }));
    }
    let outcomes = database.update(Batch {
        edits,
        ..Batch::default()
    })?;
    match outcomes.into_iter().find_map(Result::err) {
        Some(refused) => Err(format!("refused: {refused:?}").into()),
        None => Ok(()),
    }
}

/// Writes records `0..docs` by `_bulk_docs`, [`BULK_CONNECTIONS`] batches in flight.
pub(crate) async fn bulk_docs(target: &Target, database: &str, docs: u64) -> Result<(), Failure> {
    let path = format!("/{database}/_bulk_docs");
    let writers = (0..BULK_CONNECTIONS).map(|writer| {
        let path = &path;
        async move {
            let mut connection = Connection::open(target).await?;
            let starts = (0..docs)
                .step_by(BATCH_DOCS as usize)
                .skip(writer as usize)
                .step_by(BULK_CONNECTIONS as usize);
            for start in starts {
                let mut body = b"{\"docs\":[".to_vec();
                for number in start..docs.min(start + BATCH_DOCS) {
                    if number > start {
                        body.push(b',');
                    }
                    cdr::write_document(Ids::Sequential, number, &mut body);
                }
                body.extend_from_slice(b"]}");
                connection
                    .expect(&target.request("POST", &path.clone(), &body))
                    .await?;
            }
            Ok::<_, Failure>(())
        }
    });
    all(writers).await
}
