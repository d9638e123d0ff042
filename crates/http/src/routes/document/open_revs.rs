//! `open_revs`: several revisions of one document, read slice by slice.

use super::{not_there, stream};
use crate::app::App;
use crate::error::Result;
use crate::request::accepts;
use crate::routes::listed::{self, Listed};
use crate::show::{self, ReadOptions};
use axum::http::HeaderMap;
use axum::response::Response;
use std::collections::VecDeque;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;
use trunkline_store::{Database, Leaf, Want, WantRevs};
use trunkline_wire as wire;
use trunkline_wire::open_revs::OpenRevs;

/// A revision that is there, or one that is missing.
pub(super) type Opened = std::result::Result<Leaf, Rev>;

pub(super) async fn read(
    app: App,
    db: Database,
    id: String,
    options: ReadOptions,
    headers: &HeaderMap,
) -> Result<Response> {
    let streams = accepts(headers, "multipart/mixed");
    let bytes_max = app.config().request_buffer_bytes_max as u64;
    let share = app.unsent.share_of(&db);
    if streams {
        let opened = app.render(&share, move || {
            let mut opening = Opening::new(db, id, options, false)?;
            let first = opening.read_to_send()?;
            Ok((opening, first))
        });
        let (opening, first) = opened.await?;
        return Ok(stream::mixed(app, share, opening, first));
    }
    let opened = app.render(&share, move || {
        let mut listing = Listing {
            opening: Opening::new(db, id, options, true)?,
            is_first: true,
            bytes_max,
        };
        let mut out = b"[".to_vec();
        listing.chunk(&mut out)?;
        Ok((listing, out))
    });
    let (listing, out) = opened.await?;
    Ok(listed::answer(app, share, listing, out))
}

/// What is still to be read.
pub(super) struct Opening {
    pub(super) db: Database,
    pub(super) id: String,
    pub(super) options: ReadOptions,
    /// Leaves, and what is missing, in the order asked for.
    left: VecDeque<std::result::Result<Rev, Rev>>,
    /// Whether attachments are shown with their bytes within the document.
    inlines: bool,
}

/// Revisions with their document's tree.
pub(super) type Slice = (Vec<Opened>, RevTree);

/// Revisions looked at in one go.
const SLICE_MAX: usize = 1024;

impl Opening {
    /// Finds what is to be read. All of a document that was never here is 404, each named one is `missing`.
    fn new(db: Database, id: String, options: ReadOptions, inlines: bool) -> Result<Opening> {
        let tree = db.tree(&id)?.map(|tree| tree.revs);
        let left = match (&options.open_revs, &tree) {
            (Some(OpenRevs::These(revs)), tree) => {
                let none = RevTree::default();
                named(revs, tree.as_ref().unwrap_or(&none), options.latest)
            }
            (_, Some(tree)) => tree
                .leaves()
                .into_iter()
                .map(|(rev, _)| Ok(rev.clone()))
                .collect(),
            (_, None) => return Err(not_there(&db, &id)?),
        };
        Ok(Opening {
            db,
            id,
            options,
            left,
            inlines,
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// The next revisions: about a chunk of the answer, or one that is longer.
    fn read(&mut self) -> Result<Slice> {
        let (wants_all, members) = (self.wants_all(), self.options.members);
        let since = self.options.atts_since.as_deref().unwrap_or_default();
        let names = self.left.iter().take(SLICE_MAX);
        let revs: Vec<Rev> = names.filter_map(|name| name.clone().ok()).collect();
        let want = Want {
            id: self.id.clone(),
            revs: WantRevs::These {
                revs,
                // One that was edited meanwhile has others below it.
                latest: wants_all || self.options.latest,
            },
        };
        let found = self
            .db
            .bulk_get_within(&[want], SCAN_CHUNK_BYTES, &mut |_, tree, leaf| {
                let Some(leaf) = leaf else { return 0 };
                let with_bytes = show::with_bytes(leaf, tree, since);
                match self.inlines {
                    true if members.attachments => members.leaf_bytes(leaf, tree, &with_bytes),
                    // Attachments that follow may take long: nothing waits behind them in memory.
                    false if with_bytes.contains(&true) => SCAN_CHUNK_BYTES,
                    _ => members.leaf_bytes(leaf, tree, &[]),
                }
            })?;
        let Some(found) = found.into_iter().next().flatten() else {
            // It was never here, or was purged meanwhile.
            let missing = self
                .left
                .drain(..)
                .map(|name| Err(name.unwrap_or_else(|rev| rev)));
            return Ok((missing.collect(), RevTree::default()));
        };
        let mut opened = Vec::with_capacity(found.leaves.len());
        let mut leaves = found.leaves.into_iter().peekable();
        for _ in 0..SLICE_MAX.min(self.left.len()) {
            let rev = match self.left.pop_front() {
                Some(Ok(rev)) if !found.missing.contains(&rev) => rev,
                Some(Ok(rev) | Err(rev)) => {
                    opened.push(Err(rev));
                    continue;
                }
                None => break,
            };
            if leaves.peek().is_none() && !found.unread.is_empty() {
                self.left.push_front(Ok(rev));
                break;
            }
            if let Some(leaf) = leaves.next_if(|leaf| leaf.rev == rev) {
                opened.push(Ok(leaf));
                continue;
            }
            let below = found.revs.descendant_leaves(&rev);
            let is_below = |leaf: &Leaf| below.iter().any(|(below, _)| **below == leaf.rev);
            while let Some(leaf) = leaves.next_if(is_below) {
                opened.push(Ok(leaf));
            }
        }
        Ok((opened, found.revs))
    }

    /// The same, whose attachments can be sent: while nothing was sent, a status tells which cannot.
    pub(super) fn read_to_send(&mut self) -> Result<Slice> {
        let (opened, tree) = self.read()?;
        let since = self.options.atts_since.as_deref().unwrap_or_default();
        for leaf in opened.iter().flatten() {
            super::readable(&self.db, &self.id, leaf, &show::with_bytes(leaf, &tree, since))?;
        }
        Ok((opened, tree))
    }

    fn wants_all(&self) -> bool {
        !matches!(self.options.open_revs, Some(OpenRevs::These(_)))
    }
}

/// The leaves that are named; with `latest`, those below what is named. None comes twice.
fn named(revs: &[Rev], tree: &RevTree, latest: bool) -> VecDeque<std::result::Result<Rev, Rev>> {
    let mut named = VecDeque::with_capacity(revs.len());
    let mut seen = std::collections::HashSet::new();
    for rev in revs {
        let leaves = match tree.leaf(rev) {
            Some(_) => vec![rev],
            None if latest => tree
                .descendant_leaves(rev)
                .into_iter()
                .map(|(leaf, _)| leaf)
                .collect(),
            None => Vec::new(),
        };
        if leaves.is_empty() {
            named.push_back(Err(rev.clone()));
        }
        let new = leaves.into_iter().filter(|leaf| seen.insert((*leaf).clone()));
        named.extend(new.cloned().map(Ok));
    }
    named
}

/// An answer in JSON.
struct Listing {
    opening: Opening,
    is_first: bool,
    bytes_max: u64,
}

impl Listed for Listing {
    fn is_done(&self) -> bool {
        self.opening.is_done()
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let (opened, tree) = self.opening.read()?;
        let Opening { db, id, options, .. } = &self.opening;
        for opened in opened {
            if !std::mem::take(&mut self.is_first) {
                out.push(b',');
            }
            let leaf = match opened {
                Ok(leaf) => leaf,
                Err(rev) => {
                    wire::open_revs::write_missing(out, &rev);
                    continue;
                }
            };
            let with_bytes = if options.members.attachments {
                show::with_bytes(&leaf, &tree, options.atts_since.as_deref().unwrap_or_default())
            } else {
                Vec::new()
            };
            let names = (id.as_str(), &leaf.rev);
            let forms = show::inline(db, names, &leaf.attachments, &with_bytes, self.bytes_max)?;
            wire::open_revs::write_ok(out, |out| {
                show::write(out, id, &leaf, Some(&tree), options.members, &forms);
            });
        }
        Ok(())
    }

    fn close(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]\n");
    }
}
