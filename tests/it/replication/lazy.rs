//! Attachment bytes that come behind their documents, to a target over HTTP.

use super::attachments::{attach, pattern};
use super::world::{create, http, node, put, replicate, url};
use crate::node::ask;
use serde_json::json;
use trunkline_replicate::{AttachmentMode, Spec};

#[tokio::test(flavor = "multi_thread")]
async fn a_push_may_leave_bytes_behind_and_bring_them_later() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let (source, target) = (url(&near, "mail"), url(&far, "mail"));
    create(&source).await;
    create(&target).await;
    for at in 0..3 {
        let id = format!("message-{at}");
        let rev = put(&source, json!({"_id": id})).await;
        attach(&source, &id, &rev, "voice", pattern(100_000 + at)).await;
    }
    let push = |attachments| {
        let spec = Spec {
            attachments,
            ..Spec::default()
        };
        replicate(http(&source), http(&target), spec)
    };
    assert_eq!(push(AttachmentMode::None).await.unwrap().progress.docs_written, 3);
    let to = http(&target);
    assert!(to.info().await.unwrap().exchanges);
    assert_eq!(to.absent(None, 100).await.unwrap().len(), 3);
    let (status, answer) = ask("GET", &format!("{target}/message-0/voice"), None).await;
    assert_eq!(
        (status, answer["error"].as_str()),
        (503, Some("content_absent")),
        "{answer}"
    );

    push(AttachmentMode::Lazy).await.unwrap();
    assert_eq!(to.absent(None, 100).await.unwrap(), []);
    for at in 0..3 {
        let answer = crate::node::client()
            .get(format!("{target}/message-{at}/voice"))
            .send()
            .await;
        let bytes = answer.unwrap().bytes().await.unwrap();
        assert!(bytes == pattern(100_000 + at));
    }
}
