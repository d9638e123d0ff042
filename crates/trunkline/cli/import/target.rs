//! Where imported documents go: a database of this machine, or one behind a URL.

use super::plan::Item;
use crate::cli::Failure;
use crate::cli::location::Location;
use crate::cli::remote::{Remote, runtime};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use tokio::runtime::Runtime;
use trunkline::core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline::core::doc::{Edit, InteractiveEdit, ReplicatedEdit};
use trunkline::core::doc_id::DocId;
use trunkline::core::rev::Rev;
use trunkline::engine::{Batch, Database, Durability, Refused};
use trunkline::wire::attachments::{IncomingAttachment, IncomingData};
use trunkline::wire::bulk_docs;

/// An open target.
#[derive(Debug)]
pub(crate) enum Target {
    Local(Database),
    Remote(Remote, Runtime),
}

impl Target {
    /// Opens a database, and creates it when it is not there.
    pub(crate) fn open(location: &Location) -> Result<Target, Failure> {
        match location {
            Location::Local { dir, name } => Ok(Target::Local(Location::open(dir, name, true)?)),
            Location::Remote(url) => {
                let (remote, runtime) = (Remote::new(url)?, runtime()?);
                runtime.block_on(remote.create())?;
                Ok(Target::Remote(remote, runtime))
            }
        }
    }

    /// For each revision, whether it is there already, be it as a leaf or below one.
    pub(crate) fn known(&self, revisions: &[(DocId, Rev)]) -> Result<Vec<bool>, Failure> {
        match self {
            Target::Local(database) => {
                let asked: Vec<_> = revisions
                    .iter()
                    .map(|(id, rev)| (id.clone(), vec![rev.clone()]))
                    .collect();
                let told = database.revs_diff(&asked)?;
                Ok(told.into_iter().map(|(missing, _)| missing.is_empty()).collect())
            }
            Target::Remote(remote, runtime) => {
                let mut asked: HashMap<&str, Vec<String>> = HashMap::new();
                for (id, rev) in revisions {
                    asked.entry(id.as_str()).or_default().push(rev.to_string());
                }
                let body = json!(asked).to_string();
                let told: Value =
                    runtime.block_on(remote.ask_json(Method::POST, "/_revs_diff", Some(body)))?;
                let lacks = |(id, rev): &(DocId, Rev)| {
                    let missing = told.get(id.as_str()).and_then(|doc| doc.get("missing"));
                    let rev = rev.to_string();
                    missing
                        .and_then(Value::as_array)
                        .is_some_and(|missing| missing.iter().any(|one| one.as_str() == Some(&rev)))
                };
                Ok(revisions.iter().map(|revision| !lacks(revision)).collect())
            }
        }
    }

    /// Writes items; for each, why it was refused, or `None`.
    pub(crate) fn write(&self, items: Vec<Item>) -> Result<Vec<Option<String>>, Failure> {
        match self {
            Target::Local(database) => write_local(database, items),
            Target::Remote(remote, runtime) => runtime.block_on(write_remote(remote, &items)),
        }
    }

    pub(crate) fn close(&self) -> Result<(), Failure> {
        match self {
            Target::Local(database) => Ok(database.store().close()?),
            Target::Remote(..) => Ok(()),
        }
    }
}

fn write_local(database: &Database, items: Vec<Item>) -> Result<Vec<Option<String>>, Failure> {
    let mut edits = Vec::with_capacity(items.len());
    for item in items {
        let mut attachments = Vec::with_capacity(item.doc.attachments.len());
        for attachment in item.doc.attachments {
            attachments.push(staged(database, attachment)?);
        }
        edits.push(match item.path {
            Some(path) => Edit::Replicated(ReplicatedEdit {
                id: item.id,
                path,
                deleted: item.doc.deleted,
                body: item.doc.body,
                attachments,
                age_ms: 0,
            }),
            None => Edit::Interactive(InteractiveEdit {
                id: item.id,
                parent: None,
                deleted: item.doc.deleted,
                body: item.doc.body,
                attachments,
            }),
        });
    }
    let outcomes = database.update(Batch {
        edits,
        durability: Durability::Durable,
        atomic: false,
        ..Batch::default()
    })?;
    Ok(outcomes
        .into_iter()
        .map(|outcome| outcome.err().map(|refused| reason(&refused)))
        .collect())
}

fn staged(database: &Database, attachment: IncomingAttachment) -> Result<AttachmentEdit, Failure> {
    let source = match attachment.data {
        IncomingData::Inline(bytes) => {
            let mut staging = database.stage(u64::try_from(bytes.len()).ok())?;
            staging.write_all(&bytes)?;
            AttachmentSource::Staged(staging.finish()?)
        }
        IncomingData::Stub | IncomingData::Follows { .. } => AttachmentSource::Stub { md5: attachment.md5 },
    };
    Ok(AttachmentEdit {
        name: attachment.name.into(),
        content_type: attachment.content_type.map(Into::into),
        revpos: attachment.revpos,
        source,
    })
}

fn reason(refused: &Refused) -> String {
    match refused {
        Refused::Conflict => CONFLICT.to_owned(),
        Refused::MissingStub(name) => {
            format!("the bytes of attachment {name:?} are not in the file: export with --attachments")
        }
        refused => refused.to_string(),
    }
}

const CONFLICT: &str = "a document of this id with other content is there";

/// Creates and restores in one request each; answers in the order of the items.
async fn write_remote(remote: &Remote, items: &[Item]) -> Result<Vec<Option<String>>, Failure> {
    let mut reasons = vec![None; items.len()];
    for new_edits in [true, false] {
        let sent = || {
            items
                .iter()
                .enumerate()
                .filter(|(_, item)| item.path.is_none() == new_edits)
        };
        let texts: Vec<&str> = sent().map(|(_, item)| item.text.as_str()).collect();
        if texts.is_empty() {
            continue;
        }
        let body = format!("{{\"new_edits\":{new_edits},\"docs\":[{}]}}", texts.join(","));
        let told = remote.ask(Method::POST, "/_bulk_docs", Some(body)).await?;
        for (row, told) in bulk_docs::parse_response(told.as_bytes())?
            .into_iter()
            .enumerate()
        {
            let Some((error, reason)) = told.error else {
                continue;
            };
            let names = |item: &Item| {
                item.id.as_str() == told.id
                    && told.rev.as_ref().is_none_or(|rev| *rev == item.rev.to_string())
            };
            let place = match new_edits {
                // A row for each document, in order.
                true => sent().nth(row),
                // Rows for the refused ones only.
                false => sent().find(|(_, item)| names(item)),
            };
            let reason = match error.as_str() {
                "conflict" => CONFLICT.to_owned(),
                _ => format!("{error}: {reason}"),
            };
            if let Some(slot) = place.and_then(|(index, _)| reasons.get_mut(index)) {
                *slot = Some(reason);
            }
        }
    }
    Ok(reasons)
}
