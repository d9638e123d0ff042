//! Attachment bytes that a database here waits for: which nodes have them, and asking for some of them first.

use super::Replications;
use super::job::Entry;
use crate::http::attachment_url;
use crate::session::AttachmentMode;
use std::sync::Arc;
use trunkline_core::attachment::Content;
use trunkline_core::rev::Rev;

/// The source of a replication into a database: it has the attachment bytes that have not come yet, or knows who does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The replication's job.
    pub job: String,
    /// The source, without credentials: a URL, or the name of a database of this store.
    pub source: String,
    /// Whether that replication brings the bytes at all.
    pub attachments: AttachmentMode,
}

impl Holder {
    /// Where an attachment is read there; `None` for a database of this store, which others may know by any URL.
    pub fn attachment_url(&self, id: &str, rev: &Rev, name: &str) -> Option<String> {
        attachment_url(&self.source, id, rev, name)
    }
}

impl Replications {
    /// Who has the attachment bytes that a database here waits for: the sources of its replications, those first that
    /// go well and leave bytes for later. Only replications that this process drives are known.
    pub fn holders(&self, database: &str) -> Vec<Holder> {
        let mut jobs = self.jobs_into(database);
        jobs.sort_by_cached_key(|job| {
            let fails = job.progress.borrow().failed_attempts > 0;
            (fails, job.definition.spec.attachments == AttachmentMode::Eager)
        });
        let holder = |job: Arc<Entry>| Holder {
            job: job.id.clone(),
            source: job.definition.source.label(),
            attachments: job.definition.spec.attachments,
        };
        jobs.into_iter().map(holder).collect()
    }

    /// Asks the replications into a database for these bytes of a document before all others; answers whether any of them
    /// brings bytes behind their documents now.
    pub fn fetch_first(&self, database: &str, id: &str, content: &Content) -> bool {
        let mut asked = false;
        for job in self.jobs_into(database) {
            // What an ended attempt left here hears nothing any more.
            let first = job.progress.borrow().contents.clone();
            asked |= first.is_some_and(|first| first.ask(id, content.clone()));
        }
        asked
    }

    fn jobs_into(&self, database: &str) -> Vec<Arc<Entry>> {
        let jobs = self.node().jobs.lock();
        let into = jobs.by_number.values();
        into.filter(|job| job.definition.target.is_here(database))
            .cloned()
            .collect()
    }
}
