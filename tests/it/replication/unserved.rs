//! A source that has lost the bytes of an attachment.

use super::attachments::{attach, pattern};
use super::world::{create, http, leaves, local, node, put, replicate, url};
use serde_json::json;
use std::path::{Path, PathBuf};
use trunkline_replicate::Spec;
use trunkline_store::Store;

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    below.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_attachment_is_lost_holds_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (node(dir.path(), "near"), node(dir.path(), "far"));
    let source = url(&near, "source");
    create(&source).await;
    for (id, length) in [("mail-1", 30_000), ("mail-2", 40_000), ("mail-3", 50_000)] {
        let rev = put(&source, json!({"_id": id})).await;
        attach(&source, id, &rev, "voice.wav", pattern(length)).await;
    }
    let spec = Spec {
        create_target: true,
        ..Spec::default()
    };
    let embedded = dir.path().join("embedded");
    let store = Store::open(&embedded).unwrap();
    replicate(http(&source), local(&store, "source"), spec.clone())
        .await
        .unwrap();
    let lose = |dir: &Path| {
        let lost: Vec<PathBuf> = files(dir)
            .into_iter()
            .filter(|file| std::fs::metadata(file).unwrap().len() == 40_000)
            .collect();
        assert_eq!(lost.len(), 1);
        std::fs::remove_file(&lost[0]).unwrap();
    };
    lose(&near.dir);
    lose(&embedded);
    let ends = [
        (http(&source), url(&far, "over-http")),
        (local(&store, "source"), url(&far, "embedded")),
    ];
    for (source, target) in ends {
        let report = replicate(source, http(&target), spec.clone()).await.unwrap();
        assert_eq!(
            leaves(&target).await.into_keys().collect::<Vec<_>>(),
            ["mail-1", "mail-3"]
        );
        assert_eq!((report.refused.len(), report.progress.doc_write_failures), (1, 1));
        let refused = &report.refused[0];
        assert_eq!(
            (refused.id.as_str(), refused.error.as_str()),
            ("mail-2", "unserved")
        );
        assert!(refused.rev.starts_with("2-"), "{refused:?}");
        assert_eq!(
            report.progress.checkpointed_source_seq,
            report.progress.through_seq
        );
    }
}
