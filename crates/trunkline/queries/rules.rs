//! Rules of this program for what is written.

use crate::doc::value_of;
use crate::{Result, Store};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use trunkline_core::attachment::Attachment;
use trunkline_core::rev::Rev;
use trunkline_store::{Candidate, Guard, Guarded, Leaf, Refused};

/// An edit that a rule decides about.
#[derive(Clone, Copy, Debug)]
pub struct Proposed<'a> {
    /// The database.
    pub database: &'a str,
    /// The document.
    pub id: &'a str,
    /// The revision it would get.
    pub rev: &'a Rev,
    /// Whether it deletes the document.
    pub deleted: bool,
    /// The body as JSON text.
    pub json: &'a str,
    /// Its attachments.
    pub attachments: &'a [Attachment],
    /// What it replaces, if anything.
    pub old: Option<&'a Leaf>,
}

/// Why an edit is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden(pub String);

impl<T: std::fmt::Display> From<T> for Forbidden {
    fn from(reason: T) -> Forbidden {
        Forbidden(reason.to_string())
    }
}

impl Proposed<'_> {
    /// The body as a value.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T> {
        value_of(self.id, self.json)
    }

    /// The body of what it replaces, as a value.
    pub fn old_value<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let old = self.old.map(|old| value_of(self.id, old.body.as_str()));
        old.transpose()
    }
}

impl Store {
    /// Adds a rule: from now on, and for as long as the store is open, no edit of a document is taken that `rule` forbids,
    /// wherever it comes from: this program, HTTP, or another node. It is asked inside the write path, before the
    /// `validate_doc_update` functions of design documents, on whichever thread commits, and must neither block nor write
    /// to the store. Design documents and local documents are not asked about. A rule that panics forbids.
    ///
    /// What a replication brings and a rule forbids does not come, and is listed in the
    /// [`Report`](crate::replicate::Report) of the replication.
    pub fn validate(
        &self,
        rule: impl Fn(&Proposed<'_>) -> std::result::Result<(), Forbidden> + Send + Sync + 'static,
    ) {
        let rule = Arc::new(rule);
        self.engine()
            .add_guard_maker(Arc::new(move |guarded: &Guarded<'_>| {
                let (rule, database) = (rule.clone(), guarded.name.clone());
                Some(Arc::new(move |candidate: &Candidate<'_>| {
                    let proposed = Proposed {
                        database: database.as_str(),
                        id: candidate.id,
                        rev: candidate.rev,
                        deleted: candidate.deleted,
                        json: candidate.body,
                        attachments: candidate.attachments,
                        old: candidate.old,
                    };
                    let judge = std::panic::AssertUnwindSafe(|| rule(&proposed));
                    match std::panic::catch_unwind(judge) {
                        Ok(judged) => judged.map_err(|Forbidden(reason)| Refused::Forbidden(reason)),
                        Err(_) => Err(Refused::GuardFailed("a rule panicked".to_owned())),
                    }
                }) as Guard)
            }));
    }
}
