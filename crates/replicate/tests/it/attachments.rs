//! Documents with attachments.

use crate::world::{World, attachment, edit, put};
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_replicate::Spec;

#[tokio::test]
async fn attachments_arrive_whole_whatever_their_length() {
    let world = World::new();
    let source = world.database("source");
    let long: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    for (at, length) in [0, 1, 65_535, 65_536, 65_537, long.len()].into_iter().enumerate() {
        let files = vec![
            attachment(&source, "a", &long[..length]),
            attachment(&source, "ü/+", b"second"),
        ];
        edit(
            &source,
            &format!("mail-{at}"),
            None,
            "{\"from\":\"7\"}",
            false,
            files,
        );
    }
    let report = world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
    assert_eq!(report.progress.docs_written, 6);
}

#[tokio::test]
async fn what_the_target_has_is_not_sent_again() {
    let world = World::new();
    let source = world.database("source");
    let rev = edit(
        &source,
        "m",
        None,
        "{}",
        false,
        vec![attachment(&source, "a", &[7; 100_000])],
    );
    world.replicate(Spec::default()).await.unwrap();
    let stub = AttachmentEdit {
        name: "a".into(),
        content_type: None,
        revpos: None,
        source: AttachmentSource::Stub { md5: None },
    };
    edit(&source, "m", Some(&rev), "{\"heard\":true}", false, vec![stub]);
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
    put(&source, "other", None, "{}");
    world.replicate(Spec::default()).await.unwrap();
    world.assert_equal();
}
