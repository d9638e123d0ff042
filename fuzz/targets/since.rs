//! Small texts of a query: places in a feed, times, lists of revisions, digests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_wire::seq::{self, Since};
use trunkline_wire::{attachments, local_doc, multipart, open_revs};

fuzz_target!(|text: &str| {
    if let Ok(Since::Seq {
        seq,
        suffix: Some(suffix),
    }) = seq::parse(text)
    {
        let again = seq::parse(&seq::json(seq, &suffix));
        assert_eq!(
            again,
            Ok(Since::Seq {
                seq,
                suffix: Some(suffix)
            })
        );
    }
    if let Some(md5) = attachments::parse_digest(text) {
        assert_eq!(attachments::parse_digest(&attachments::digest(&md5)), Some(md5));
    }
    if let Ok(revs) = open_revs::parse_revs(text) {
        let mut out = Vec::new();
        open_revs::write_revs(&mut out, &revs);
        assert_eq!(out.first(), Some(&b'['));
    }
    let _ = (
        seq::parse_time(text),
        open_revs::parse(text),
        local_doc::parse_rev(text),
    );
    let _ = (multipart::boundary(text), attachments::check_name(text));
});
