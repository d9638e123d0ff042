//! What a commit does to named feeds: rows for the documents it writes, feeds that it declares, steps of building one.

use super::apply::Commit;
use super::plan::{Planned, Replaced};
use crate::Error;
use crate::feeds::{Feed, Feeds, redefined};
use crate::guard::DESIGN;
use crate::tables::VERSION;
use crate::tables::bytes::Reader;
use crate::tables::feed::{FeedRow, FeedRows, key, number_of, seq_of};
use crate::{Leaves, tables};
use redb::ReadableTable;
use std::collections::BTreeMap;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::limits::FEEDS_MAX;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Glance;
use trunkline_wire::document::Pieces;
use trunkline_wire::feeds::{self, Selected};

/// A step of building a feed, decided outside of the commit. What it says of a seq holds as long as a document is there.
#[derive(Debug)]
pub(crate) struct FeedStep {
    /// The feed, as it was declared then.
    pub(crate) number: u32,
    pub(crate) goal: Seq,
    /// Its cursor, before and after.
    pub(crate) from: Seq,
    pub(crate) to: Seq,
    /// Rows that go.
    pub(crate) remove: Vec<Seq>,
    /// Rows that come.
    pub(crate) insert: Vec<Seq>,
    /// Documents that get a new seq.
    pub(crate) moved: Vec<(Box<str>, Seq)>,
}

const ROW: &[u8; 1] = &[VERSION];

impl<'a> Commit<'a, '_> {
    /// Declares the feeds of the design documents that this commit changes.
    pub(super) fn define_feeds(&mut self, planned: &[Planned<'a>]) -> Result<(), Error> {
        let first = self.entries.partition_point(|entry| entry.id < DESIGN);
        let designs = self.entries.iter().enumerate().skip(first);
        let designs = designs.take_while(|(_, entry)| entry.id.starts_with(DESIGN));
        let changed: Vec<(usize, &'a str)> = designs
            .filter(|(_, entry)| entry.is_changed())
            .filter_map(|(index, entry)| Some((index, entry.id.strip_prefix(DESIGN)?)))
            .collect();
        for (index, design) in changed {
            let body = planned.iter().find(|plan| plan.index == index && !plan.deleted);
            let declared = body.map_or_else(BTreeMap::new, |plan| declared(design, &plan.body));
            let known = self.feeds.iter().filter(|feed| of_design(feed, design).is_some());
            let gone: Vec<String> = known
                .map(|feed| feed.name.to_string())
                .filter(|name| !declared.contains_key(name))
                .collect();
            // One that is declared wrongly stays as it was: whoever reads it is not to lose his place for a typo.
            let declared = declared
                .into_iter()
                .filter_map(|(name, selected)| Some((name, Some(selected?))));
            for (name, selected) in gone.into_iter().map(|name| (name, None)).chain(declared) {
                self.define_feed(&name, selected)?;
            }
        }
        Ok(())
    }

    fn define_feed(&mut self, name: &str, selector: Option<Selected>) -> Result<(), Error> {
        let mut before = self.feeds.iter().find(|feed| *feed.name == *name).cloned();
        let (mut next, mut damaged) = (0, false);
        if before.is_none() {
            // It may have been one before.
            for row in self.tables.feeds()?.iter()? {
                let (stored, row) = row?;
                let Ok(known) = FeedRow::decode(row.value()) else {
                    damaged = true;
                    continue;
                };
                next = next.max(known.number.saturating_add(1));
                if stored.value() == name.as_bytes() {
                    before = Some(Arc::new(Feed::decode(name, row.value())?));
                }
            }
        }
        if damaged {
            // The number that it does not tell any more is not to be another's, whose rows those of the first would be.
            let last = self.tables.feed_rows()?.last()?;
            next = next.max(last.map_or(0, |(key, _)| number_of(key.value()).saturating_add(1)));
        }
        let live = self.feeds.iter().filter(|feed| feed.selector.is_some()).count();
        let is_new = before.as_ref().is_none_or(|feed| feed.selector.is_none());
        if selector.is_some() && is_new && live >= FEEDS_MAX {
            tracing::warn!(
                "{}: no more than {FEEDS_MAX} feeds: not {name}",
                self.database.name().as_str()
            );
            return Ok(());
        }
        let at = self.state.update_seq;
        match redefined(before.as_deref(), name, selector, at, || next) {
            // It may be the damaged one, and somebody may have read that.
            Some(feed) => self.put_feed(Feed {
                fresh: feed.fresh && !damaged,
                ..feed
            }),
            None => Ok(()),
        }
    }

    fn put_feed(&mut self, feed: Feed) -> Result<(), Error> {
        let row = feed.encode();
        self.tables
            .feeds()?
            .insert(feed.name.as_bytes(), row.as_slice())?;
        let feeds = Arc::make_mut(&mut self.feeds);
        feeds.retain(|other| other.number != feed.number);
        if !feed.is_gone() {
            let place = feeds.partition_point(|other| other.number < feed.number);
            feeds.insert(place, Arc::new(feed));
        }
        self.feeds_changed = true;
        self.wrote = true;
        Ok(())
    }

    /// Takes the rows out of feeds whose documents moved on, and puts those in that it plans.
    pub(super) fn write_feed_rows(
        &mut self,
        planned: &[Planned<'a>],
        replaced: &[Replaced],
    ) -> Result<(), Error> {
        if self.feeds.is_empty() {
            return Ok(());
        }
        let feeds: Feeds = self.feeds.clone();
        let mut were_in: Vec<Vec<usize>> = Vec::with_capacity(feeds.len());
        for feed in feeds.iter() {
            let mut were = match replaced.is_empty() {
                true => Vec::new(),
                false => remove_rows(self.tables.feed_rows()?, feed.number, replaced)?,
            };
            were.sort_unstable();
            were_in.push(were);
        }
        let mut come: Vec<(usize, Seq)> = Vec::new();
        for plan in planned {
            let glance = Glance::at(&plan.body);
            for (at, (feed, were)) in feeds.iter().zip(&were_in).enumerate() {
                let stays =
                    || plan.deleted && feed.selector.is_some() && were.binary_search(&plan.index).is_ok();
                if self.takes(feed, &glance, plan)? || stays() {
                    come.push((at, plan.seq));
                }
            }
        }
        come.sort_unstable();
        for (at, seq) in come {
            if let Some(feed) = feeds.get(at) {
                self.tables.feed_rows()?.insert(&key(feed.number, seq), ROW)?;
            }
        }
        Ok(())
    }

    /// Whether a row of some feed says that the document at a seq is in it.
    pub(super) fn is_followed(&mut self, names: &[Box<str>], seq: Seq) -> Result<bool, Error> {
        if names.is_empty() {
            return Ok(false);
        }
        let feeds = self.feeds.clone();
        let declared = feeds.iter().filter(|feed| feed.selector.is_some());
        for feed in declared.filter(|feed| names.contains(&feed.name)) {
            let row = self.tables.feed_rows()?.get(&key(feed.number, seq))?;
            if row.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn takes(&self, feed: &Feed, body: &Glance<'_>, plan: &Planned<'a>) -> Result<bool, Error> {
        // Nearly every document is in no feed.
        if feed.rules_out(body) {
            return Ok(false);
        }
        let leaves: Vec<(Rev, bool)> = Leaves(Reader(&plan.leaves)).collect();
        let (Some((rev, deleted)), Some(entry)) = (leaves.first(), self.entries.get(plan.index)) else {
            return Ok(false);
        };
        let attachments = match plan.attachments.is_empty() {
            true => Vec::new(),
            false => tables::attachment::decode_attachments(&plan.attachments)?,
        };
        let pieces = Pieces {
            id: entry.id,
            rev,
            deleted: *deleted,
            body: &plan.body,
            attachments: &attachments,
        };
        Ok(feed.takes(pieces, &leaves))
    }

    /// A step of building a feed; nothing when the feed is not any more what the step was made for.
    pub(super) fn feed_step(&mut self, step: &FeedStep) -> Result<(), Error> {
        let feed = self.feeds.iter().find(|feed| {
            (feed.number, feed.goal, feed.cursor) == (step.number, step.goal, step.from) && !feed.is_built()
        });
        let Some(feed) = feed.cloned() else {
            return Ok(());
        };
        for seq in &step.remove {
            self.tables.feed_rows()?.remove(&key(feed.number, *seq))?;
        }
        for seq in &step.insert {
            // An edit may have taken the document away; where one of this commit does, the row goes with it.
            if self.tables.by_seq_get(*seq)?.is_some() {
                self.tables.feed_rows()?.insert(&key(feed.number, *seq), ROW)?;
            }
        }
        for (id, seq) in &step.moved {
            let index = self.entry_index(id)?;
            let entry = self.entry_mut(index)?;
            if !entry.is_changed() && entry.old.as_ref().is_some_and(|old| old.seq == *seq) {
                let next = self.next_seq();
                self.entry_mut(index)?.now.seq = next;
            }
        }
        let ends = step.to >= feed.goal;
        self.put_feed(Feed {
            fresh: feed.fresh && !(ends && feed.selector.is_some()),
            cursor: step.to,
            ..Feed::clone(&feed)
        })
    }
}

/// The feeds that a design document declares, by their whole names; `None` where the declaration is wrong.
fn declared(design: &str, body: &str) -> BTreeMap<String, Option<Selected>> {
    let wrong = |name: &str, invalid| tracing::warn!("the feeds of {DESIGN}{design}{name}: {invalid}");
    let feeds = feeds::parse(body).unwrap_or_else(|invalid| {
        wrong("", invalid);
        BTreeMap::new()
    });
    let feeds = feeds.into_iter().map(|(name, selected)| {
        let selected = selected.map_err(|invalid| wrong(&format!("/{name}"), invalid));
        (format!("{design}/{name}"), selected.ok())
    });
    feeds.collect()
}

/// The feed's own name where it is of a design document.
fn of_design<'f>(feed: &'f Feed, design: &str) -> Option<&'f str> {
    let (of, name) = feed.name.rsplit_once('/')?;
    (of == design).then_some(name)
}

/// Removes the rows of a feed at these seqs, in order; answers whose they were. Goes from row to row and from seq to seq,
/// whichever are fewer.
fn remove_rows(table: &mut FeedRows<'_>, feed: u32, replaced: &[Replaced]) -> Result<Vec<usize>, Error> {
    let mut found = Vec::new();
    let mut rest = replaced;
    let last = key(feed, Seq::MAX);
    while let Some(next) = rest.first() {
        let row = table.range::<&[u8; 12]>(&key(feed, next.seq)..=&last)?.next();
        let Some(row) = row.transpose()?.map(|(key, _)| seq_of(key.value())) else {
            break;
        };
        rest = rest
            .get(rest.partition_point(|replaced| replaced.seq < row)..)
            .unwrap_or_default();
        if let Some(hit) = rest.first().filter(|replaced| replaced.seq == row) {
            found.push((hit.seq, hit.index));
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    for (seq, _) in &found {
        table.remove(&key(feed, *seq))?;
    }
    Ok(found.into_iter().map(|(_, index)| index).collect())
}
