//! Into the store: what follows is staged, then the revision is written.

use crate::local::LocalPeer;
use crate::local::documents::{Unfit, edit};
use crate::peer::{OpenRev, PeerError, PeerErrorKind};
use crate::session::RefusedDoc;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::mpsc;
use trunkline_core::attachment::Content;
use trunkline_core::doc::Edit;
use trunkline_store::{Batch, Database, Durability, Error, Refused, StagedContents, Staging};
use trunkline_wire::attachments::{IncomingAttachment, IncomingData};
use trunkline_wire::document::{self, IncomingDoc};

/// Stages what follows and writes the revision.
pub(in crate::local) async fn take(
    peer: &LocalPeer,
    open: OpenRev,
) -> Result<Result<(), RefusedDoc>, PeerError> {
    let OpenRev { id, rev, json, parts } = open;
    let database = peer.with_database(|_, database| Ok(database)).await?;
    let mut parts = Parts {
        peer,
        database: &database,
        chunks: parts,
        left: Bytes::new(),
    };
    match parts.write(&json).await {
        Ok(()) => Ok(Ok(())),
        Err(Unfit::Refused(Refused::MissingStub(name))) => {
            let reason = format!("the bytes of attachment {name} of {id} are not here");
            Err(PeerError::new(
                peer.name.as_str(),
                PeerErrorKind::MissingStub,
                reason,
            ))
        }
        Err(unfit) => unfit.refusal(&id, &rev).map(Err),
    }
}

/// The bytes of several attachments, one behind the other.
struct Parts<'a> {
    peer: &'a LocalPeer,
    database: &'a Database,
    chunks: mpsc::Receiver<Result<Bytes, PeerError>>,
    left: Bytes,
}

impl Parts<'_> {
    async fn write(&mut self, json: &[u8]) -> Result<(), Unfit> {
        let doc = document::parse(json).map_err(Unfit::Invalid)?;
        let mut staged = StagedContents::new(self.database);
        let mut contents = VecDeque::new();
        for attachment in &doc.attachments {
            if let IncomingData::Follows { part_bytes, gzip } = attachment.data {
                let content = self.stage(attachment, part_bytes, gzip).await?;
                staged.add(content.clone());
                contents.push_back(content);
            }
        }
        let (peer, database) = (self.peer.clone(), self.database.clone());
        self.peer
            .blocking(move || update(&peer, &database, doc, contents, staged))
            .await
    }

    async fn stage(
        &mut self,
        attachment: &IncomingAttachment,
        part_bytes: Option<u64>,
        gzip: bool,
    ) -> Result<Content, Unfit> {
        let Some(mut rest) = part_bytes else {
            let reason = format!("attachment {} comes without its length", attachment.name);
            return Err(Unfit::Refused(Refused::BadAttachment(reason)));
        };
        let database = self.database.clone();
        let mut staging: Staging = self
            .peer
            .blocking(self.failing(move || database.stage(Some(rest))))
            .await?;
        while rest > 0 {
            let mut chunk = self.next().await?;
            let now = chunk.split_to(chunk.len().min(usize::try_from(rest).unwrap_or(usize::MAX)));
            rest -= now.len() as u64;
            self.left = chunk;
            let write = move || match staging.write_all(&now) {
                Ok(()) => Ok(staging),
                Err(error) => Err(Error::Io("staging an attachment".to_owned(), Arc::new(error))),
            };
            staging = self.peer.blocking(self.failing(write)).await?;
        }
        let finish = move || {
            if gzip {
                staging.finish_gzip()
            } else {
                staging.finish()
            }
        };
        // Damaged on the way, or for good where it came from: it is asked for again before it is passed over.
        let damaged = |reason| {
            let peer = self.peer.name.as_str();
            Unfit::Failed(PeerError::new(peer, PeerErrorKind::Unserved, reason))
        };
        let content = match self.peer.blocking(self.failing(finish)).await {
            Err(Unfit::Refused(Refused::BadAttachment(reason))) => return Err(damaged(reason)),
            content => content?,
        };
        if attachment.md5.is_some_and(|md5| md5 != content.md5) {
            self.database.unstage(&content);
            let reason = format!("attachment {} is not what its digest says", attachment.name);
            return Err(damaged(reason));
        }
        Ok(content)
    }

    /// Tells what the store refuses from what fails.
    fn failing<T>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> impl FnOnce() -> Result<T, Unfit> + Send + 'static {
        let peer = self.peer.clone();
        move || work().map_err(|error| unfit(&peer, error))
    }

    async fn next(&mut self) -> Result<Bytes, Unfit> {
        if !self.left.is_empty() {
            return Ok(std::mem::take(&mut self.left));
        }
        match self.chunks.recv().await {
            Some(chunk) => chunk.map_err(Unfit::Failed),
            None => {
                let reason = "an attachment ended early";
                Err(Unfit::Failed(PeerError::new(
                    self.peer.name.as_str(),
                    PeerErrorKind::Unavailable,
                    reason,
                )))
            }
        }
    }
}

fn unfit(peer: &LocalPeer, error: Error) -> Unfit {
    match error {
        Error::Refused(refused) => Unfit::Refused(refused),
        error => Unfit::Failed(peer.error(&error)),
    }
}

fn update(
    peer: &LocalPeer,
    database: &Database,
    doc: IncomingDoc,
    mut contents: VecDeque<Content>,
    mut staged: StagedContents,
) -> Result<(), Unfit> {
    let edit = edit(peer, &mut staged, doc, |attachment| {
        let none = || {
            Unfit::Refused(Refused::BadAttachment(format!(
                "attachment {} did not come",
                attachment.name
            )))
        };
        contents.pop_front().ok_or_else(none)
    })?;
    let batch = Batch {
        edits: vec![Edit::Replicated(edit)],
        durability: Durability::Durable,
        atomic: false,
        ..Batch::default()
    };
    staged.taken();
    let outcomes = database.update(batch).map_err(|error| unfit(peer, error))?;
    if let Some(Err(refused)) = outcomes.into_iter().next() {
        return Err(Unfit::Refused(refused));
    }
    Ok(())
}
