//! Documents with attachments.

use crate::behind::{faulty, spec};
use crate::faults::Call;
use crate::world::{World, attachment, edit, leaves, name, put, replicate};
use std::sync::Arc;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource};
use trunkline_replicate::{AttachmentMode, LocalPeer, Peer, PeerErrorKind, Spec};

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

#[tokio::test(start_paused = true)]
async fn nothing_is_put_off_to_a_target_that_cannot_tell_what_it_waits_for() {
    let world = World::new();
    let origin = world.store.create(&name("origin")).unwrap();
    let files = vec![attachment(&origin, "voice", b"hello")];
    edit(&origin, "mail", None, "{}", false, files);
    let from: Arc<dyn Peer> = Arc::new(LocalPeer::new(world.store.clone(), name("origin")).inline());
    replicate(
        Arc::clone(&from),
        world.peer("source"),
        spec(AttachmentMode::None),
    )
    .await
    .unwrap();
    // The source waits for the bytes itself.
    let target = faulty(&world, "target", |call| {
        matches!(call, Call::Absent).then_some(PeerErrorKind::Protocol)
    });
    for (mode, kind) in [
        (AttachmentMode::Eager, PeerErrorKind::Unavailable),
        (AttachmentMode::Lazy, PeerErrorKind::Invalid),
        (AttachmentMode::None, PeerErrorKind::Invalid),
    ] {
        let moved = replicate(world.peer("source"), Arc::clone(&target), spec(mode)).await;
        assert_eq!(moved.unwrap_err().kind, kind, "{mode:?}");
        assert!(leaves(&world.database("target")).is_empty());
    }
    replicate(from, world.peer("source"), spec(AttachmentMode::Lazy))
        .await
        .unwrap();
    replicate(world.peer("source"), target, Spec::default())
        .await
        .unwrap();
    world.assert_equal();
}
