//! What a `_bulk_get` asks, read slice by slice, so that memory does not grow with the request.

use crate::error::Result;
use crate::show::{self, Members, ReadOptions};
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_store::{Database, Found, Want, WantRevs};
use trunkline_wire::bulk_get::{Ask, BadAsk};

/// One entry of a request, as far as it can be answered.
pub(super) type Asked = std::result::Result<Ask, BadAsk>;

/// Entries looked at in one go: at first, and at most. Between, some more than were answered before.
const SLICE_FIRST: usize = 128;
const SLICE_MAX: usize = 1024;

pub(super) struct Reader {
    pub(super) db: Database,
    pub(super) options: ReadOptions,
    asks: Vec<Asked>,
    next: usize,
    slice: usize,
    /// Leaves of the next one that are still to come.
    rest: Vec<Rev>,
    /// Whether attachments are shown with their bytes within the document.
    inlines: bool,
}

/// What was found for an entry: all of it, or some of its leaves.
pub(super) struct Part {
    pub(super) ask: Asked,
    /// `None` for a document that was never here.
    pub(super) found: Option<Found>,
    /// Whether nothing of it was shown before, and nothing comes behind.
    pub(super) begins: bool,
    pub(super) ends: bool,
}

impl Reader {
    pub(super) fn new(db: Database, options: ReadOptions, asks: Vec<Asked>, inlines: bool) -> Reader {
        Reader {
            db,
            options,
            asks,
            next: 0,
            slice: SLICE_FIRST,
            rest: Vec::new(),
            inlines,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.next >= self.asks.len()
    }

    /// Which members a document that was asked for is shown with.
    pub(super) fn members(&self, ask: &Ask) -> Members {
        let members = self.options.members;
        Members {
            attachments: members.attachments || !ask.atts_since.is_empty(),
            ..members
        }
    }

    /// The next part of what is asked: about a chunk of the answer, or one leaf that is longer.
    pub(super) fn read(&mut self) -> Result<Vec<Part>> {
        let rest = std::mem::take(&mut self.rest);
        let begins = rest.is_empty();
        let most = if begins { self.slice } else { 1 };
        let asks: Vec<Asked> = self.asks.iter().skip(self.next).take(most).cloned().collect();
        let good: Vec<&Ask> = asks.iter().filter_map(|ask| ask.as_ref().ok()).collect();
        let wants: Vec<Want> = good.iter().map(|ask| self.want(ask, &rest)).collect();
        let found = self
            .db
            .bulk_get_within(&wants, SCAN_CHUNK_BYTES, &mut |place, tree, leaf| {
                let (Some(leaf), Some(ask)) = (leaf, good.get(place)) else {
                    return show::tree_bytes(tree);
                };
                let members = self.members(ask);
                let with_bytes = show::with_bytes(leaf, tree, &ask.atts_since);
                match self.inlines {
                    true if members.attachments => members.leaf_bytes(leaf, tree, &with_bytes),
                    // Attachments that follow may take long: nothing waits behind them in memory.
                    false if with_bytes.contains(&true) => SCAN_CHUNK_BYTES,
                    _ => members.leaf_bytes(leaf, tree, &[]),
                }
            })?;
        let mut found = found.into_iter();
        let mut parts = Vec::with_capacity(asks.len());
        for ask in asks {
            let found = match &ask {
                Err(_) => None,
                Ok(_) => match found.next() {
                    Some(found) => found,
                    None => break,
                },
            };
            self.rest = found.as_ref().map_or(Vec::new(), |found| found.unread.clone());
            let ends = self.rest.is_empty();
            parts.push(Part {
                ask,
                found,
                begins,
                ends,
            });
            if !ends {
                break;
            }
            self.next += 1;
        }
        if begins {
            self.slice = (parts.len() * 2).clamp(1, SLICE_MAX);
        }
        Ok(parts)
    }

    fn want(&self, ask: &Ask, rest: &[Rev]) -> Want {
        let revs = match &ask.rev {
            // One that was edited meanwhile has others below it.
            _ if !rest.is_empty() => WantRevs::These {
                revs: rest.to_vec(),
                latest: true,
            },
            Some(rev) => WantRevs::These {
                revs: vec![rev.clone()],
                latest: self.options.latest,
            },
            None => WantRevs::All,
        };
        Want {
            id: ask.id.clone(),
            revs,
        }
    }
}
