//! The documents that rows of a view are shown with.

use crate::error::{Error, Result};
use crate::request::view_query::ViewQuery;
use crate::show::{self, Members};
use trunkline_core::rev::Rev;
use trunkline_store::{Database, Want, WantRevs};
use trunkline_wire::view::linked;

/// The text of the document that a row names, or of the one that emitted it; `null` when it is not there.
pub(super) fn of_row(
    db: &Database,
    (id, value): (&str, &str),
    asked: &ViewQuery,
    inline_bytes_max: u64,
) -> Result<Vec<u8>, Error> {
    let null = || Ok(b"null".to_vec());
    let linked = linked(value);
    let rev = match linked.rev.as_deref().map(Rev::parse) {
        Some(Err(_)) => return null(),
        rev => rev.and_then(Result::ok),
    };
    let id = linked.id.unwrap_or_else(|| id.to_owned());
    let (leaf, tree) = match &rev {
        Some(_) => match db.get(&id, rev.as_ref())? {
            Some(leaf) => (leaf, None),
            None => return null(),
        },
        None => {
            let want = Want {
                id: id.clone(),
                revs: WantRevs::Winner,
            };
            let found = db.bulk_get(&[want])?.into_iter().next().flatten();
            let found = found.and_then(|found| Some((found.leaves.into_iter().next()?, found.revs)));
            match found {
                Some((leaf, _)) if leaf.deleted => return null(),
                Some((leaf, tree)) => (leaf, Some(tree)),
                None => return null(),
            }
        }
    };
    let members = Members {
        conflicts: asked.conflicts(),
        attachments: asked.attachments,
        att_encoding_info: asked.att_encoding_info,
        ..Members::default()
    };
    let all = vec![asked.attachments; leaf.attachments.len()];
    let forms = show::inline(db, (&id, &leaf.rev), &leaf.attachments, &all, inline_bytes_max)?;
    let mut text = Vec::with_capacity(leaf.body.as_str().len() + 128);
    show::write(&mut text, &id, &leaf, tree.as_ref(), members, &forms);
    Ok(text)
}
