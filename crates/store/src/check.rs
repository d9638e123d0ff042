//! Verifies every invariant of the file format, as `docs/file-format.md` numbers them.

use crate::contents::absent_table;
use crate::file::{OpenFile, content_path};
use crate::read::Snapshot;
use crate::tables::attachment::decode_attachments;
use crate::tables::by_seq::{BodyRow, RowBody, SeqRow, put_leaf};
use crate::tables::content::{ContentBytes, ContentRow};
use crate::tables::{self, DocsRow, State};
use crate::{Database, Error};
use redb::{ReadableTable, ReadableTableMetadata};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use trunkline_core::attachment::{Attachment, ContentHash};
use trunkline_core::json;
use trunkline_core::limits::INLINE_BODY_BYTES_MAX;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::{LeafState, RevTree};

impl Database {
    /// Checks every invariant of the file format; what is wrong, a line each.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        self.check_whole()?;
        let mut wrong = Vec::new();
        self.file()?;
        // The pages' own checksums, which only an exclusive user can have verified.
        let pages = self.inner.with_idle_file(|file| file.redb.check_integrity());
        match pages {
            Some(Ok(true)) | None => {}
            Some(Ok(false)) => {
                wrong.push("the pages of the file do not match their checksums; redb can repair them".into())
            }
            Some(Err(cause)) => wrong.push(format!(
                "the pages of the file do not match their checksums: {cause}"
            )),
        }
        let file = self.file()?;
        let snapshot = Snapshot::of(file.clone())?;
        let mut check = Check {
            file: &file,
            snapshot: &snapshot,
            wrong,
            counted: State::default(),
            bodies: HashSet::new(),
            refs: BTreeMap::new(),
        };
        check.run()?;
        Ok(check.wrong)
    }
}

struct Check<'a> {
    file: &'a OpenFile,
    snapshot: &'a Snapshot,
    wrong: Vec<String>,
    /// What the state row should say.
    counted: State,
    /// Numbers of bodies that leaves name.
    bodies: HashSet<u64>,
    /// References by leaves, and stored length.
    refs: BTreeMap<ContentHash, (u64, u64)>,
}

impl Check<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let meta = self.snapshot.table(tables::META)?;
        let state = meta
            .get(tables::meta::STATE)?
            .map(|row| State::decode(row.value()));
        let Some(Ok(state)) = state else {
            self.wrong
                .push("meta: the state row is missing or damaged".into());
            return Ok(());
        };
        for row in self.snapshot.docs.iter()? {
            let (id, row) = row?;
            let name = String::from_utf8_lossy(id.value()).into_owned();
            self.counted.active_bytes += (id.value().len() + row.value().len()) as u64;
            if self.document(id.value(), row.value(), &state).is_none() {
                self.wrong.push(format!(
                    "document {name}: its docs row, or a row it names, is missing or damaged"
                ));
            }
        }
        self.by_seq(&state)?;
        self.all_bodies(&state)?;
        self.attachments()?;
        self.others(&state)?;
        crate::feeds::check(self.snapshot, &state, &mut self.wrong)?;
        self.compare(&state);
        Ok(())
    }

    fn say(&mut self, id: &str, what: &str) {
        self.wrong.push(format!("document {id}: {what}"));
    }

    /// One document with all rows it names; `None` when one does not decode.
    fn document(&mut self, id: &[u8], row: &[u8], state: &State) -> Option<()> {
        let id = std::str::from_utf8(id).ok()?;
        let row = DocsRow::decode(row).ok()?;
        let tree = RevTree::decode(row.tree_bytes).ok()?;
        let leaves = tree.leaves();
        let (winner, winner_state) = *leaves.first()?;
        if row.tree().ok()?.winner() != (winner.clone(), winner_state) {
            self.say(id, "the tree does not begin with its winner");
        }
        let count = if winner_state.deleted {
            &mut self.counted.doc_del_count
        } else {
            &mut self.counted.doc_count
        };
        *count += 1;
        if row.seq > state.update_seq {
            self.say(id, "its seq is past the newest");
        }
        let value = self.snapshot.by_seq_row(row.seq).ok()?;
        let seq_row = SeqRow::decode(value.value()).ok()?;
        if seq_row.id != id.as_bytes() {
            self.say(id, "its by_seq row is another document's");
        }
        if seq_row.deleted != winner_state.deleted || seq_row.leaves != leaves_bytes(&leaves) {
            self.say(id, "its by_seq row lists other leaves than its tree has");
        }
        self.winner(id, winner_state, &seq_row)?;
        for (rev, leaf) in leaves.iter().skip(1) {
            if leaf.body == 0 {
                self.say(
                    id,
                    &format!("leaf {rev} is not the winner, but has its body in the by_seq row"),
                );
            } else {
                let (body, attachments) = self.stored_body(leaf.body)?;
                self.leaf(id, &body, &attachments);
            }
        }
        Some(())
    }

    fn winner(&mut self, id: &str, state: LeafState, row: &SeqRow<'_>) -> Option<()> {
        let attachments = row.attachments().ok()?;
        match row.body {
            RowBody::Inline(body) => {
                if state.body != 0 {
                    self.say(
                        id,
                        "the winner's body is in its by_seq row, but its tree says otherwise",
                    );
                }
                if body.len() > INLINE_BODY_BYTES_MAX {
                    self.say(id, "the winner's body is too long for its by_seq row");
                }
                self.leaf(id, body, &attachments);
            }
            RowBody::Elsewhere { number, length } => {
                if number != state.body {
                    self.say(id, "its by_seq row and its tree name different bodies");
                }
                let (body, stored) = self.stored_body(number)?;
                if body.len() as u64 != length || body.len() <= INLINE_BODY_BYTES_MAX || stored != attachments
                {
                    self.say(id, "the winner's body is not what its by_seq row says");
                }
                self.leaf(id, &body, &attachments);
            }
        }
        Some(())
    }

    fn stored_body(&mut self, number: u64) -> Option<(Vec<u8>, Vec<Attachment>)> {
        if !self.bodies.insert(number) {
            self.wrong
                .push(format!("bodies: row {number} is named by two leaves"));
        }
        let value = self.snapshot.body_row(number).ok()?;
        let row = BodyRow::decode(value.value()).ok()?;
        Some((row.body.to_vec(), decode_attachments(row.attachments).ok()?))
    }

    fn leaf(&mut self, id: &str, body: &[u8], attachments: &[Attachment]) {
        if !body.starts_with(b"{") || json::validate(body).is_err() {
            self.say(id, "a body is not a JSON object");
        }
        self.counted.external_bytes += body.len() as u64;
        for Attachment { content, .. } in attachments {
            self.counted.external_bytes += content.length;
            let (refs, stored) = self.refs.entry(content.hash).or_default();
            *refs += 1;
            *stored = content.stored_bytes();
        }
    }

    /// Exactly one row per document, in the order of time.
    fn by_seq(&mut self, state: &State) -> Result<(), Error> {
        if self.snapshot.by_seq.len()? != self.snapshot.docs.len()? {
            self.wrong.push("by_seq: has rows that no document names".into());
        }
        let mut time_ms = 0;
        for row in self.snapshot.by_seq.iter()? {
            let (seq, value) = row?;
            let seq = u64::from_be_bytes(*seq.value());
            self.counted.active_bytes += value.value().len() as u64 + 8;
            match SeqRow::decode(value.value()) {
                Ok(row) if row.time_ms < time_ms || row.time_ms > state.time_ms => {
                    self.wrong
                        .push(format!("by_seq: row {seq} is out of the order of time"));
                }
                Ok(row) => time_ms = row.time_ms,
                Err(_) => self.wrong.push(format!("by_seq: row {seq} is damaged")),
            }
        }
        Ok(())
    }

    fn all_bodies(&mut self, state: &State) -> Result<(), Error> {
        for row in self.snapshot.table(tables::BODIES)?.iter()? {
            let (number, value) = row?;
            let number = u64::from_be_bytes(*number.value());
            self.counted.active_bytes += value.value().len() as u64 + 8;
            if !self.bodies.contains(&number) {
                self.wrong.push(format!("bodies: no leaf names row {number}"));
            }
            if number > state.last_body {
                self.wrong
                    .push(format!("bodies: row {number} is past the highest number given"));
            }
        }
        Ok(())
    }

    fn attachments(&mut self) -> Result<(), Error> {
        let mut refs = std::mem::take(&mut self.refs);
        let mut absent = BTreeSet::new();
        for row in self.snapshot.table(tables::ATTACHMENTS)?.iter()? {
            let (key, value) = row?;
            let name = crate::file::hex(key.value());
            let (Ok(hash), Ok(row)) = (
                ContentHash::try_from(key.value()),
                ContentRow::decode(value.value()),
            ) else {
                self.wrong.push(format!("attachments: row {name} is damaged"));
                continue;
            };
            if row.is_absent() {
                absent.insert(hash);
            } else {
                self.counted.active_bytes += row.stored_bytes;
            }
            if refs.remove(&hash) != Some((row.refs, row.stored_bytes)) {
                self.wrong.push(format!(
                    "attachments: row {name} does not count the leaves that name it"
                ));
            }
            if row.bytes == ContentBytes::File {
                self.counted.file_content_bytes += row.stored_bytes;
            }
            if !self.content_is_whole(&hash, &row) {
                self.wrong
                    .push(format!("attachments: the bytes of {name} are missing or damaged"));
            }
        }
        for hash in refs.keys() {
            let name = crate::file::hex(hash);
            self.wrong
                .push(format!("attachments: {name} has no row although a leaf names it"));
        }
        self.absent(absent)
    }

    /// Exactly the contents whose rows say that their bytes are still to come.
    fn absent(&mut self, mut expected: BTreeSet<ContentHash>) -> Result<(), Error> {
        if let Some(table) = absent_table(&self.snapshot.txn)? {
            for row in table.iter()? {
                let (key, value) = row?;
                let hash = ContentHash::try_from(key.value()).ok();
                let is_expected = hash.is_some_and(|hash| expected.remove(&hash));
                if !is_expected || value.value() != [tables::VERSION] {
                    let name = crate::file::hex(key.value());
                    self.wrong.push(format!(
                        "absent: {name} is listed although it is not to come, or its row is damaged"
                    ));
                }
            }
        }
        for hash in expected {
            let name = crate::file::hex(&hash);
            self.wrong.push(format!("absent: {name} is not listed"));
        }
        Ok(())
    }

    fn content_is_whole(&self, hash: &ContentHash, row: &ContentRow<'_>) -> bool {
        match row.bytes {
            ContentBytes::Inline(bytes) => {
                return bytes.len() as u64 == row.stored_bytes && blake3::hash(bytes) == *hash;
            }
            ContentBytes::Absent { .. } => return true,
            ContentBytes::File => {}
        }
        let Ok(file) = File::open(content_path(&self.file.dir, hash)) else {
            return false;
        };
        let length = file.metadata().map_or(0, |data| data.len());
        let mut hasher = blake3::Hasher::new();
        length == row.stored_bytes && hasher.update_reader(file).is_ok() && hasher.finalize() == *hash
    }

    fn others(&mut self, state: &State) -> Result<(), Error> {
        for row in self.snapshot.table(tables::LOCAL)?.iter()? {
            let (id, value) = row?;
            let fine = tables::decode_local(value.value())
                .is_ok_and(|(_, text)| json::validate(text.as_bytes()).is_ok());
            if !fine {
                self.wrong.push(format!(
                    "local: row {} is damaged",
                    String::from_utf8_lossy(id.value())
                ));
            }
        }
        for row in self.snapshot.table(tables::PURGES)?.iter()? {
            let (number, value) = row?;
            let number = u64::from_be_bytes(*number.value());
            if tables::decode_purge(value.value()).is_err() || number > state.purge_seq {
                self.wrong
                    .push(format!("purges: row {number} is damaged or past the newest"));
            }
        }
        Ok(())
    }

    fn compare(&mut self, state: &State) {
        let counted = &self.counted;
        let pairs = [
            ("doc_count", state.doc_count, counted.doc_count),
            ("doc_del_count", state.doc_del_count, counted.doc_del_count),
            ("external_bytes", state.external_bytes, counted.external_bytes),
            ("active_bytes", state.active_bytes, counted.active_bytes),
            (
                "file_content_bytes",
                state.file_content_bytes,
                counted.file_content_bytes,
            ),
        ];
        for (name, says, is) in pairs {
            if says != is {
                self.wrong
                    .push(format!("meta: {name} says {says}, but it is {is}"));
            }
        }
    }
}

fn leaves_bytes(leaves: &[(&Rev, LeafState)]) -> Vec<u8> {
    let mut out = Vec::new();
    leaves
        .iter()
        .for_each(|(rev, state)| put_leaf(&mut out, rev, *state));
    out
}
