//! Stored revisions as clients ask to see them: which special members, which attachments with their bytes.

use crate::absent;
use crate::error::{Error, Result, rev};
use crate::request::Query;
use std::io::Read;
use trunkline_core::attachment::{Attachment, Encoding};
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;
use trunkline_store::{ContentReader, Database, Leaf, WinnerBody};
use trunkline_wire::attachments::identity_bytes;
use trunkline_wire::document::{self, AttachmentForm, Pieces, Shown};
use trunkline_wire::open_revs::{self, OpenRevs};

/// Read options of a document. As in CouchDB, a flag is set by `true` and by nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadOptions {
    pub(crate) rev: Option<Rev>,
    pub(crate) open_revs: Option<OpenRevs>,
    pub(crate) latest: bool,
    /// A winner that is deleted is shown all the same.
    pub(crate) deleted: bool,
    pub(crate) atts_since: Option<Vec<Rev>>,
    pub(crate) members: Members,
}

/// Which special members a document is shown with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Members {
    pub(crate) revs: bool,
    pub(crate) revs_info: bool,
    pub(crate) conflicts: bool,
    pub(crate) deleted_conflicts: bool,
    pub(crate) local_seq: bool,
    pub(crate) attachments: bool,
    pub(crate) att_encoding_info: bool,
}

impl ReadOptions {
    pub(crate) fn parse(query: &Query) -> Result<ReadOptions> {
        let mut options = ReadOptions::default();
        for (name, value) in query.pairs() {
            let members = &mut options.members;
            match (name, value) {
                ("rev", value) => options.rev = Some(rev(value)?),
                ("open_revs", value) => options.open_revs = Some(open_revs::parse(value)?),
                ("atts_since", value) => options.atts_since = Some(open_revs::parse_revs(value)?),
                ("latest", "true") => options.latest = true,
                ("deleted", "true") => options.deleted = true,
                ("revs", "true") => members.revs = true,
                ("revs_info", "true") => members.revs_info = true,
                ("conflicts", "true") => members.conflicts = true,
                ("deleted_conflicts", "true") => members.deleted_conflicts = true,
                ("local_seq", "true") => members.local_seq = true,
                ("attachments", "true") => members.attachments = true,
                ("att_encoding_info", "true") => members.att_encoding_info = true,
                ("meta", "true") => {
                    members.revs_info = true;
                    members.conflicts = true;
                    members.deleted_conflicts = true;
                }
                _ => {}
            }
        }
        options.members.attachments |= options.atts_since.is_some();
        Ok(options)
    }

    /// Whether nothing but the winner as it is stored was asked for.
    pub(crate) fn is_plain(&self) -> bool {
        let Members {
            revs,
            revs_info,
            conflicts,
            deleted_conflicts,
            local_seq,
            attachments,
            ..
        } = self.members;
        self.rev.is_none()
            && !(revs
                || revs_info
                || conflicts
                || deleted_conflicts
                || local_seq
                || attachments
                || self.latest
                || self.deleted)
    }
}

/// Which of a leaf's attachments come with their bytes: all, or those newer than the newest ancestor the asker has.
pub(crate) fn with_bytes(leaf: &Leaf, tree: &RevTree, since: &[Rev]) -> Vec<bool> {
    let ancestor = if since.is_empty() {
        None
    } else {
        tree.path(&leaf.rev)
    };
    let known = ancestor.and_then(|path| path.revs().find(|rev| since.contains(rev)));
    let known = known.map_or(0, |rev| rev.generation);
    leaf.attachments
        .iter()
        .map(|attachment| attachment.revpos > known || known == 0)
        .collect()
}

/// The forms of a leaf's attachments for a multipart answer.
pub(crate) fn following(with_bytes: &[bool]) -> Vec<AttachmentForm> {
    let form = |sent: &bool| {
        if *sent {
            AttachmentForm::Follows
        } else {
            AttachmentForm::Stub
        }
    };
    with_bytes.iter().map(form).collect()
}

/// The forms of a leaf's attachments for a JSON answer, their bytes read here.
pub(crate) fn inline(
    db: &Database,
    (id, rev): (&str, &Rev),
    attachments: &[Attachment],
    with_bytes: &[bool],
    bytes_max: u64,
) -> Result<Vec<AttachmentForm>> {
    let mut left = bytes_max;
    let form = |(attachment, sent): (&Attachment, &bool)| {
        if !sent {
            return Ok(AttachmentForm::Stub);
        }
        // A document that is held in memory has a bound; multipart streams without one.
        let too_large = || Error::AttachmentTooLarge(attachment.name.to_string());
        let content = &attachment.content;
        if content.length.max(content.stored_bytes()) > left {
            return Err(too_large());
        }
        let stored = absent::open(db, id, rev, attachment)?;
        let bytes = identity(stored, content.encoding, left)?;
        // What an encoded one decodes to counts, whatever its document says.
        left = left.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
        Ok(AttachmentForm::Data(bytes))
    };
    attachments.iter().zip(with_bytes).map(form).collect()
}

fn identity(mut reader: ContentReader, encoding: Encoding, bytes_max: u64) -> Result<Vec<u8>> {
    let mut stored = Vec::new();
    reader.read_to_end(&mut stored)?;
    match encoding {
        Encoding::Identity => Ok(stored),
        encoding => Ok(identity_bytes(stored, encoding, bytes_max)?),
    }
}

/// Bytes that are counted for a revision of a tree: what it takes in memory, or in an answer that lists it.
const REV_BYTES: usize = 64;
/// Bytes that are counted for what stands around a body, and for an attachment.
const FRAME_BYTES: usize = 256;

/// Bytes that are counted for a tree in memory.
pub(crate) fn tree_bytes(tree: &RevTree) -> usize {
    tree.len() * REV_BYTES
}

impl Members {
    /// Bytes that are counted for a leaf in memory and in an answer, those of attachments that are inlined included.
    pub(crate) fn leaf_bytes(self, leaf: &Leaf, tree: &RevTree, with_bytes: &[bool]) -> usize {
        let lists_revs = self.revs || self.revs_info || self.conflicts || self.deleted_conflicts;
        let inlined = leaf.attachments.iter().zip(with_bytes).filter(|(_, sent)| **sent);
        let inlined: u64 = inlined.map(|(attachment, _)| attachment.content.length).sum();
        // As base64.
        let inlined = usize::try_from(inlined / 3 * 4).unwrap_or(usize::MAX);
        let frames = FRAME_BYTES * (1 + leaf.attachments.len());
        let revs = if lists_revs { tree_bytes(tree) } else { 0 };
        inlined.saturating_add(leaf.body.as_str().len() + frames + revs)
    }
}

/// Appends a leaf's JSON text.
pub(crate) fn write(
    out: &mut Vec<u8>,
    id: &str,
    leaf: &Leaf,
    tree: Option<&RevTree>,
    members: Members,
    forms: &[AttachmentForm],
) {
    let shown = Shown {
        tree,
        leaves: &[],
        revs: members.revs,
        revs_info: members.revs_info,
        conflicts: members.conflicts,
        deleted_conflicts: members.deleted_conflicts,
        local_seq: members.local_seq.then_some(leaf.seq),
        att_encoding_info: members.att_encoding_info,
    };
    document::write(out, pieces(id, leaf), forms, &shown);
}

/// A leaf in borrowed pieces.
pub(crate) fn pieces<'a>(id: &'a str, leaf: &'a Leaf) -> Pieces<'a> {
    Pieces {
        id,
        rev: &leaf.rev,
        deleted: leaf.deleted,
        body: leaf.body.as_str(),
        attachments: &leaf.attachments,
    }
}

/// The winner in a row of a feed or a listing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowDoc<'a> {
    pub(crate) id: &'a str,
    /// Winner first.
    pub(crate) leaves: &'a [(Rev, bool)],
    pub(crate) winner: &'a WinnerBody<'a>,
    pub(crate) conflicts: bool,
    pub(crate) att_encoding_info: bool,
}

impl RowDoc<'_> {
    /// The forms of its attachments, all with their bytes.
    pub(crate) fn inline(&self, db: &Database, bytes_max: u64) -> Result<Vec<AttachmentForm>> {
        let attachments = &self.winner.attachments;
        let Some((rev, _)) = self.leaves.first() else {
            return Ok(Vec::new());
        };
        let all = vec![true; attachments.len()];
        inline(db, (self.id, rev), attachments, &all, bytes_max)
    }

    /// Appends its JSON text.
    pub(crate) fn write(&self, out: &mut Vec<u8>, forms: &[AttachmentForm]) {
        let Some((rev, deleted)) = self.leaves.first() else {
            return;
        };
        let shown = Shown {
            leaves: self.leaves,
            conflicts: self.conflicts,
            att_encoding_info: self.att_encoding_info,
            ..Shown::default()
        };
        let pieces = Pieces {
            id: self.id,
            rev,
            deleted: *deleted,
            body: self.winner.body,
            attachments: &self.winner.attachments,
        };
        document::write(out, pieces, forms, &shown);
    }
}
