//! Documents and revisions whose ids are none here: listed and counted, never asked for.

use super::RefusedDoc;
use super::batch::Finished;
use crate::peer::Change;
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::{ODD_ID_CHARS_MAX, REFUSED_LISTED_MAX};

/// Whether anything of a row can be moved; the rest is refused.
pub(super) fn sort_out(row: &mut Change, finished: &mut Finished) -> bool {
    if let Err(invalid) = DocId::parse(&row.id) {
        let odd = row.odd_revs.iter().map(|rev| rev.to_string());
        for rev in row.revs.iter().map(ToString::to_string).chain(odd) {
            finished.refuse_odd(|| refused(&row.id, &rev, "illegal_docid", invalid.to_string()));
        }
        return false;
    }
    for rev in std::mem::take(&mut row.odd_revs) {
        finished.refuse_odd(|| RefusedDoc::of_odd_rev(&row.id, &rev));
    }
    !row.revs.is_empty()
}

impl Finished {
    /// Lists one, as long as a run may list any: a single row can name very many.
    fn refuse_odd(&mut self, refused: impl FnOnce() -> RefusedDoc) {
        if self.refused.len() < REFUSED_LISTED_MAX {
            self.refused.push(refused());
        } else {
            self.unlisted += 1;
        }
    }
}

impl RefusedDoc {
    /// A revision that is none here.
    pub(crate) fn of_odd_rev(id: &str, rev: &str) -> RefusedDoc {
        refused(id, rev, "bad_request", "Invalid rev format".to_owned())
    }
}

fn refused(id: &str, rev: &str, error: &str, reason: String) -> RefusedDoc {
    let start = |text: &str| text.chars().take(ODD_ID_CHARS_MAX).collect();
    RefusedDoc {
        id: start(id),
        rev: start(rev),
        error: error.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::limits::DOC_ID_BYTES_MAX;
    use trunkline_core::rev::Rev;

    fn row(id: &str, odd_revs: usize) -> Change {
        Change {
            id: id.into(),
            revs: vec![Rev::parse("1-a").unwrap()],
            odd_revs: vec!["1-\u{e9}".into(); odd_revs],
            docs: Vec::new(),
        }
    }

    #[test]
    fn ids_that_are_none_are_refused_with_all_their_revisions() {
        for (id, kept) in [
            ("", false),
            ("_odd", false),
            ("_design/x", true),
            (&*"x".repeat(DOC_ID_BYTES_MAX), true),
            (&*"x".repeat(DOC_ID_BYTES_MAX + 1), false),
        ] {
            let mut finished = Finished::default();
            assert_eq!(sort_out(&mut row(id, 1), &mut finished), kept);
            let refused: Vec<_> = finished
                .refused
                .iter()
                .map(|doc| (&*doc.rev, &*doc.error))
                .collect();
            match kept {
                true => assert_eq!(refused, [("1-\u{e9}", "bad_request")]),
                false => assert_eq!(refused, [("1-a", "illegal_docid"), ("1-\u{e9}", "illegal_docid")]),
            }
            assert!(
                finished
                    .refused
                    .iter()
                    .all(|doc| doc.id.len() <= ODD_ID_CHARS_MAX)
            );
        }
    }

    #[test]
    fn what_a_row_lists_without_end_is_counted() {
        let mut finished = Finished::default();
        assert!(sort_out(&mut row("a", REFUSED_LISTED_MAX + 7), &mut finished));
        assert_eq!(
            (finished.refused.len(), finished.unlisted),
            (REFUSED_LISTED_MAX, 7)
        );
    }
}
