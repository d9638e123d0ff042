//! One document spliced together from stored pieces.

use super::{AttachmentForm, Pieces, Shown};
use crate::{attachments, rev_text};
use std::io::Write;
use trunkline_core::doc::RevPath;
use trunkline_core::json;
use trunkline_core::rev::Rev;
use trunkline_core::revtree::RevTree;
use trunkline_core::selector::{Selector, TooMuchWork, Work};

/// Appends a document: `{"_id":..,"_rev":..[,"_deleted":true][..special members..],` and the body's members.
/// `forms` gives the form of each attachment, in order; missing ones are stubs.
pub fn write(out: &mut Vec<u8>, doc: Pieces<'_>, forms: &[AttachmentForm], shown: &Shown<'_>) {
    open(out, &doc);
    if (shown.revs || shown.revs_info)
        && let Some(tree) = shown.tree
        && let Some(path) = tree.path(doc.rev)
    {
        if shown.revs {
            revisions(out, &path);
        }
        if shown.revs_info {
            revs_info(out, tree, &path);
        }
    }
    if shown.conflicts || shown.deleted_conflicts {
        conflicts(out, doc.rev, shown);
    }
    if let Some(seq) = shown.local_seq {
        // Writing to a Vec cannot fail.
        let _ = write!(out, ",\"_local_seq\":{seq}");
    }
    close(out, &doc, forms, shown.att_encoding_info);
}

/// Appends a revision made elsewhere, as `_bulk_docs` with `new_edits=false` and a replicating PUT take it: as
/// [`write()`], with `_revisions` from a path and no tree.
pub fn write_replicated(out: &mut Vec<u8>, doc: Pieces<'_>, path: &RevPath, forms: &[AttachmentForm]) {
    open(out, &doc);
    revisions(out, path);
    close(out, &doc, forms, false);
}

/// Whether a feed's selector takes a document. As in CouchDB it sees attachments as stubs, and in `leaves`, winner
/// first, the conflicts of a winner that is listed alone.
pub fn is_selected(selector: &Selector, doc: Pieces<'_>, leaves: &[(Rev, bool)]) -> bool {
    selector.matches_parts(doc.id, doc.rev, doc.deleted, doc.body, || attached(doc, leaves))
}

/// The same, where a document that takes too much work is an error, and all that is done is counted.
pub fn judged(
    selector: &Selector,
    doc: Pieces<'_>,
    leaves: &[(Rev, bool)],
    work: &Work,
) -> Result<bool, TooMuchWork> {
    let attached = || attached(doc, leaves);
    selector.judge(doc.id, doc.rev, doc.deleted, doc.body, attached, work)
}

/// A document without its body, JSON text: what selectors see of attachments and conflicts.
pub fn attached(doc: Pieces<'_>, leaves: &[(Rev, bool)]) -> String {
    let shown = Shown {
        leaves,
        conflicts: true,
        ..Shown::default()
    };
    let mut out = Vec::new();
    write(&mut out, Pieces { body: "{}", ..doc }, &[], &shown);
    String::from_utf8(out).unwrap_or_default()
}

fn open(out: &mut Vec<u8>, doc: &Pieces<'_>) {
    out.reserve(doc.id.len() + doc.body.len() + 96);
    out.extend_from_slice(b"{\"_id\":");
    json::quote(doc.id, out);
    out.extend_from_slice(b",\"_rev\":");
    rev_text::write(out, doc.rev);
    if doc.deleted {
        out.extend_from_slice(b",\"_deleted\":true");
    }
}

fn close(out: &mut Vec<u8>, doc: &Pieces<'_>, forms: &[AttachmentForm], encoding_info: bool) {
    if !doc.attachments.is_empty() {
        out.extend_from_slice(b",\"_attachments\":");
        attachments::write(out, doc.attachments, forms, encoding_info);
    }
    let members = doc.body.as_bytes().get(1..).unwrap_or(b"}");
    if members != b"}" {
        out.push(b',');
    }
    out.extend_from_slice(members);
}

fn revisions(out: &mut Vec<u8>, path: &RevPath) {
    let _ = write!(out, ",\"_revisions\":{{\"start\":{},\"ids\":[", path.generation);
    for (index, digest) in path.digests.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        rev_text::write_digest(out, digest);
    }
    out.extend_from_slice(b"]}");
}

/// Only leaves keep their bodies, so every older revision is `missing`.
fn revs_info(out: &mut Vec<u8>, tree: &RevTree, path: &RevPath) {
    out.extend_from_slice(b",\"_revs_info\":[");
    for (index, rev) in path.revs().enumerate() {
        let status = match tree.leaf(&rev) {
            Some(leaf) if leaf.deleted => "deleted",
            Some(_) => "available",
            None => "missing",
        };
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"rev\":");
        rev_text::write(out, &rev);
        let _ = write!(out, ",\"status\":\"{status}\"}}");
    }
    out.push(b']');
}

/// The leaves beside the one shown, live and deleted apart.
fn conflicts(out: &mut Vec<u8>, shown_rev: &Rev, shown: &Shown<'_>) {
    let mut live = Vec::new();
    let mut deleted = Vec::new();
    let mut leaf = |rev: &Rev, is_deleted: bool| {
        if rev != shown_rev {
            let list = if is_deleted { &mut deleted } else { &mut live };
            list.push(rev.clone());
        }
    };
    match shown.tree {
        Some(tree) => tree
            .leaves()
            .into_iter()
            .for_each(|(rev, state)| leaf(rev, state.deleted)),
        None => shown.leaves.iter().for_each(|(rev, deleted)| leaf(rev, *deleted)),
    }
    let mut member = |wanted: bool, name: &str, revs: &[Rev]| {
        if wanted && !revs.is_empty() {
            let _ = write!(out, ",\"{name}\":");
            crate::open_revs::write_revs(out, revs);
        }
    };
    member(shown.conflicts, "_conflicts", &live);
    member(shown.deleted_conflicts, "_deleted_conflicts", &deleted);
}
