//! The rows of a feed, rendered chunk by chunk on threads that may block. Between two chunks nothing is held but a seq.

use super::judge::{Docket, Held, Judge};
use super::options::{Filter, Options};
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::function_request::FunctionRequest;
use crate::show::{self, RowDoc};
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Work;
use trunkline_store::{ChangeRow, ChangesScan, Database, ScanEnd, Want, WantRevs, WinnerBody};
use trunkline_wire::changes::{Framing, Row, Writer};
use trunkline_wire::document::Pieces;
use trunkline_wire::seq::{self, Since};

/// Bytes of rows after which a chunk is sent, whatever was read for them: attachments come with their documents.
const CHUNK_BYTES: usize = 2 * SCAN_CHUNK_BYTES;

/// A feed's place in the changes, and what it still may send.
#[derive(Clone)]
pub(super) struct Scan {
    pub(super) db: Database,
    options: Arc<Options>,
    suffix: String,
    /// Rows behind (descending: before) this seq are still to come.
    since: Seq,
    until: Seq,
    left: usize,
    /// Every row up to here was seen.
    reached: Seq,
    /// Where `filter=_doc_ids` finds its documents, while that spares a walk over the others.
    looked_up: Option<LookedUp>,
    inline_bytes_max: u64,
    judge: Option<Judge>,
}

/// The places of documents that were looked up.
#[derive(Clone)]
struct LookedUp {
    /// In the feed's direction.
    seqs: Arc<[Seq]>,
    /// The newest seq then: the feed goes on behind it.
    newest: Seq,
}

/// What a chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more.
    More,
    /// Nothing more for now.
    CaughtUp,
    /// The feed is at its limit or its `until`.
    Over,
    /// The named feed is to be built first.
    Unbuilt,
}

impl Scan {
    pub(super) fn start(
        db: Database,
        options: Arc<Options>,
        request: &FunctionRequest,
        posted: Option<&str>,
        inline_bytes_max: u64,
    ) -> Result<Scan> {
        let info = db.info()?;
        let suffix = seq::suffix(&info.uuid).to_owned();
        let resolve = |place: &Since| match place {
            Since::Start => Ok(0),
            Since::Now => Ok(info.update_seq),
            Since::Time(ms) => Ok(db.seq_at(*ms)?),
            Since::Seq {
                suffix: Some(theirs), ..
            } if **theirs != *suffix => Err(Error::StaleSeq(format!(
                "This seq belongs to an earlier database of the name '{}'; start again with since=0.",
                db.name().as_str()
            ))),
            Since::Seq { seq, .. } => Ok(*seq),
        };
        let until = options.until.as_ref().map_or(Ok(Seq::MAX), resolve)?;
        // Backwards, a feed starts at its bound; as in CouchDB, `since` says nothing then.
        let since = match options.descending {
            true => until,
            false => resolve(&options.since)?,
        };
        let judge = match &options.filter {
            Filter::Function {
                design,
                name,
                is_view,
            } => {
                let filter = match is_view {
                    true => trunkline_query::Filter::view(&db, design, name)?,
                    false => trunkline_query::Filter::function(&db, design, name)?,
                };
                Some(Judge::new(filter, request.json(&db, None, posted)?))
            }
            _ => None,
        };
        let left = options.limit;
        Ok(Scan {
            db,
            options,
            suffix,
            since,
            until,
            left,
            reached: since,
            looked_up: None,
            inline_bytes_max,
            judge,
        })
    }

    pub(super) fn open(&self, out: &mut Vec<u8>) -> Writer {
        let framing = match self.options.feed {
            Feed::Normal | Feed::Longpoll => Framing::Normal,
            Feed::Continuous => Framing::Continuous,
            Feed::EventSource => Framing::EventSource,
        };
        Writer::open(out, framing)
    }

    /// Appends the rows of one chunk.
    pub(super) fn chunk(&mut self, writer: &mut Writer, out: &mut Vec<u8>) -> Result<Progress> {
        if self.left == 0 || (!self.options.descending && self.since >= self.until) {
            return Ok(Progress::Over);
        }
        // Read before the snapshot is taken: the snapshot holds at least this much.
        let newest = self.db.last_seq()?;
        if self.looked_up.is_none() {
            self.looked_up = self.look_up(newest)?;
        }
        if let Some(LookedUp { seqs, newest }) = self.looked_up.clone() {
            let done = self.rows(writer, out, Some(&seqs))?.done;
            if self.left == 0 || (done && self.options.descending) {
                return Ok(Progress::Over);
            }
            if !done {
                return Ok(Progress::More);
            }
            // What came meanwhile, documents that moved included, comes behind.
            self.looked_up = None;
            self.since = newest;
            self.reached = newest;
        }
        let end = match self.rows(writer, out, None) {
            Err(Error::FeedUnbuilt) => return Ok(Progress::Unbuilt),
            end => end?,
        };
        Ok(match (end.done, self.left) {
            (_, 0) => Progress::Over,
            (false, _) => Progress::More,
            (true, _) if self.options.descending => Progress::Over,
            (true, _) => {
                // What was there is seen, rows or not; a `since` from the future is brought back to the present.
                self.reached = newest.min(self.until).max(end.last.unwrap_or(0));
                if self.reached >= self.until {
                    Progress::Over
                } else {
                    Progress::CaughtUp
                }
            }
        })
    }

    /// Finds the documents that the filter names, unless reading every row that is left takes no longer.
    fn look_up(&self, newest: Seq) -> Result<Option<LookedUp>> {
        let Filter::DocIds(ids) = &self.options.filter else {
            return Ok(None);
        };
        let newest = newest.min(self.until);
        let descending = self.options.descending;
        let from = if descending { 0 } else { self.since };
        if newest.saturating_sub(from) <= ids.len() as u64 {
            return Ok(None);
        }
        let mut seqs = self.db.seqs_of(ids.iter().map(String::as_str))?;
        seqs.retain(|seq| *seq > from && (*seq <= newest || descending));
        seqs.sort_unstable();
        if descending {
            seqs.reverse();
        }
        Ok(Some(LookedUp {
            seqs: seqs.into(),
            newest,
        }))
    }

    /// Appends the rows of one chunk: of those at `seqs` that are left, or of all.
    fn rows(&mut self, writer: &mut Writer, out: &mut Vec<u8>, seqs: Option<&[Seq]>) -> Result<ScanEnd<Seq>> {
        let options = Arc::clone(&self.options);
        let mut render = Render {
            options: &options,
            suffix: &self.suffix,
            inline_bytes_max: self.inline_bytes_max,
            seq: Vec::new(),
            leaves: Vec::new(),
            passing: Vec::new(),
            work: Work::default(),
        };
        let (db, left) = (&self.db, &mut self.left);
        let mut failed = None;
        let mut docket = self.judge.is_some().then(Docket::default);
        let mut take = |row: ChangeRow<'_>| {
            if let Some(docket) = &mut docket {
                return match docket.hold(db, row, options.all_leaves) {
                    Ok(flow) => flow,
                    Err(error) => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
                };
            }
            match render.row(db, writer, out, row) {
                Ok(false) if render.work.is_enough() => return ControlFlow::Break(()),
                Ok(false) => return ControlFlow::Continue(()),
                Ok(true) => *left -= 1,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            if *left == 0 || out.len() >= CHUNK_BYTES || render.work.is_enough() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let bodies =
            options.include_docs || matches!(options.filter, Filter::Selector(_) | Filter::Function { .. });
        let mut end = match seqs {
            Some(seqs) => {
                let seen = seqs.partition_point(|seq| match options.descending {
                    true => *seq > self.since,
                    false => *seq <= self.since,
                });
                db.changes_at(seqs.get(seen..).unwrap_or_default(), bodies, &mut take)
            }
            None => {
                let scan = ChangesScan {
                    since: self.since,
                    until: self.until,
                    descending: options.descending,
                    bodies,
                    limit: usize::MAX,
                };
                match &options.feed_name {
                    Some(name) => db.feed_changes(name, &scan, &mut take),
                    None => db.changes(&scan, &mut take),
                }
            }
        }?;
        if let Some(error) = failed {
            return Err(error);
        }
        if let (Some(judge), Some(docket)) = (&self.judge, docket) {
            let passing = judge.verdicts(&docket)?;
            for (held, passing) in docket.rows.into_iter().zip(passing) {
                if passing.is_empty() {
                    continue;
                }
                let seq = held.seq;
                render.held(db, writer, out, held, passing)?;
                *left -= 1;
                if *left == 0 || out.len() >= CHUNK_BYTES || render.work.is_enough() {
                    end = ScanEnd {
                        last: Some(seq),
                        done: false,
                    };
                    break;
                }
            }
        }
        if let Some(last) = end.last {
            // Descending, `since` is the next place to look at.
            self.since = if options.descending {
                last.saturating_sub(1)
            } else {
                last
            };
            self.reached = last;
        }
        Ok(end)
    }

    /// What was asked for.
    pub(super) fn options(&self) -> &Arc<Options> {
        &self.options
    }

    /// The named feed that it reads.
    pub(super) fn feed_name(&self) -> Option<&str> {
        self.options.feed_name.as_deref()
    }

    /// Where the feed stands, as JSON text.
    pub(super) fn last_seq(&self) -> String {
        let seq = if self.reached == Seq::MAX { 0 } else { self.reached };
        seq::json(seq, &self.suffix)
    }

    /// Changes behind this place; `None` for one who does not see all of them, for whom each would have to be read.
    pub(super) fn pending(&self) -> Result<Option<u64>> {
        if self.options.descending {
            return Ok(Some(0));
        }
        if !self.db.is_whole() {
            return Ok(None);
        }
        Ok(Some(match &self.options.feed_name {
            Some(name) => self.db.count_feed(name, self.reached)?,
            None => self.db.count_changes(self.reached)?,
        }))
    }
}

struct Render<'a> {
    options: &'a Options,
    suffix: &'a str,
    inline_bytes_max: u64,
    /// Filled anew for each row, so that rows allocate nothing.
    seq: Vec<u8>,
    leaves: Vec<(Rev, bool)>,
    passing: Vec<Rev>,
    /// What the filter took.
    work: Work,
}

impl Render<'_> {
    /// As in CouchDB, with `style=all_docs` a selector judges every leaf by its own body.
    fn passing(&mut self, db: &Database, id: &str) -> Result<()> {
        let wants = [Want {
            id: id.to_owned(),
            revs: WantRevs::All,
        }];
        let found = db.bulk_get(&wants)?.into_iter().next().flatten();
        let leaves = found.map(|found| found.leaves).unwrap_or_default();
        let filter = &self.options.filter;
        self.passing.clear();
        for leaf in leaves {
            if filter.takes_doc(show::pieces(id, &leaf), &[], &self.work)? {
                self.passing.push(leaf.rev);
            }
        }
        Ok(())
    }

    /// Appends a row, unless the filter holds it back.
    fn row(
        &mut self,
        db: &Database,
        writer: &mut Writer,
        out: &mut Vec<u8>,
        row: ChangeRow<'_>,
    ) -> Result<bool> {
        let options = self.options;
        if !options.filter.takes_id(row.id) {
            return Ok(false);
        }
        self.leaves.clear();
        self.leaves.extend(row.leaves.clone());
        let Some((winner, deleted)) = self.leaves.first() else {
            return Ok(false);
        };
        let deleted = *deleted;
        let others: &[_] = if options.all_leaves { &[] } else { &self.leaves };
        let takes_winner = match &row.winner {
            None => true,
            Some(body) => {
                let doc = Pieces {
                    id: row.id,
                    rev: winner,
                    deleted,
                    body: body.body,
                    attachments: &body.attachments,
                };
                options.filter.takes_doc(doc, others, &self.work)?
            }
        };
        let takes_some = match options.filter {
            Filter::Selector(_) if options.all_leaves && self.leaves.len() > 1 => {
                self.passing(db, row.id)?;
                !self.passing.is_empty()
            }
            _ => {
                let shown = if options.all_leaves { usize::MAX } else { 1 };
                self.passing.clear();
                self.passing
                    .extend(self.leaves.iter().take(shown).map(|(rev, _)| rev.clone()));
                takes_winner
            }
        };
        if !takes_some {
            return Ok(false);
        }
        self.put(db, writer, out, (row.seq, row.id, deleted), row.winner)?;
        Ok(true)
    }

    /// Appends a row that a function let pass.
    fn held(
        &mut self,
        db: &Database,
        writer: &mut Writer,
        out: &mut Vec<u8>,
        held: Held,
        passing: Vec<Rev>,
    ) -> Result<()> {
        self.leaves = held.leaves;
        self.passing = passing;
        let deleted = self.leaves.first().is_some_and(|(_, deleted)| *deleted);
        let winner = WinnerBody {
            body: &held.body,
            attachments: held.attachments,
        };
        self.put(db, writer, out, (held.seq, &held.id, deleted), Some(winner))
    }

    /// Appends a row of the revisions that pass.
    fn put(
        &mut self,
        db: &Database,
        writer: &mut Writer,
        out: &mut Vec<u8>,
        (seq, id, deleted): (Seq, &str, bool),
        winner: Option<WinnerBody<'_>>,
    ) -> Result<()> {
        let options = self.options;
        self.seq.clear();
        if (writer.rows() + 1).is_multiple_of(options.seq_interval) {
            seq::write(&mut self.seq, seq, self.suffix);
        } else {
            self.seq.extend_from_slice(b"null");
        }
        let line = Row {
            seq: std::str::from_utf8(&self.seq).unwrap_or("null"),
            id,
            deleted,
        };
        let revs = self.passing.drain(..);
        let Some(body) = winner.filter(|_| options.include_docs) else {
            writer.row(out, line, revs, None);
            return Ok(());
        };
        let doc = RowDoc {
            id,
            leaves: &self.leaves,
            winner: &body,
            conflicts: options.conflicts,
            att_encoding_info: options.att_encoding_info,
        };
        let forms = if options.attachments {
            doc.inline(db, self.inline_bytes_max)?
        } else {
            Vec::new()
        };
        writer.row(out, line, revs, Some(&mut |out| doc.write(out, &forms)));
        Ok(())
    }
}
