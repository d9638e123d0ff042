//! The replication id: what a replication's checkpoints are found by.

use crate::peer::{PeerError, PeerErrorKind, PeerInfo, PeerKind};
use crate::session::{AttachmentMode, Spec};

/// Both ends as a run found them.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) source: PeerInfo,
    pub(crate) target: PeerInfo,
    pub(crate) replication_id: String,
}

impl Ends {
    pub(crate) fn new(source: PeerInfo, target: PeerInfo, spec: &Spec) -> Ends {
        let replication_id = digest(&source.identity, &target.identity, spec);
        Ends {
            source,
            target,
            replication_id,
        }
    }

    /// Whether nothing was ever written to the target.
    pub(crate) fn target_is_empty(&self) -> bool {
        super::number(&self.target.update_seq) == Some(0)
    }

    /// Whether both take part in the exchange between our own nodes.
    pub(crate) fn exchange(&self) -> bool {
        self.source.exchanges && self.target.exchanges
    }

    /// About how many changes the source has behind a seq, as JSON text; 0 where its seqs do not tell.
    pub(crate) fn changes_since(&self, seq: Option<&str>) -> u64 {
        if !self.source.exchanges {
            return 0;
        }
        let there = super::number(&self.source.update_seq).unwrap_or(0);
        there.saturating_sub(seq.and_then(super::number).unwrap_or(0))
    }

    /// Whether a seq, as JSON text, is where the source stood.
    pub(crate) fn source_is_at(&self, seq: Option<&str>) -> bool {
        seq == Some(&*self.source.update_seq)
    }
}

/// 32 hexadecimal digits naming a replication between two ends. Stable over restarts; of the options, those that
/// decide which documents are moved take part.
pub(crate) fn digest(source: &str, target: &str, spec: &Spec) -> String {
    let mut hasher = blake3::Hasher::new();
    // Each part with its length, so that no two lists of parts spell the same bytes.
    let mut part = |name: &str, value: &str| {
        for text in [name, value] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    };
    part("version", "1");
    part("source", source);
    part("target", target);
    if let Some(ids) = &spec.doc_ids {
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().for_each(|id| part("doc_id", id));
        part("doc_ids", "");
    }
    if let Some((_, selector)) = &spec.selector {
        part("selector", &selector.canonical());
    }
    if let Some(filter) = &spec.filter {
        part("filter", &filter.name);
        part("filter code", filter.code.as_deref().unwrap_or_default());
        for (name, value) in &filter.params {
            part("query_param", name);
            part("value", value);
        }
    }
    if let Some(name) = &spec.feed_name {
        part("feed_name", name);
    }
    if spec.winning_revs_only {
        part("winning_revs_only", "");
    }
    if let Some(since) = &spec.since_seq {
        part("since_seq", since);
    }
    if spec.archive {
        part("archive", "");
    }
    match spec.attachments {
        AttachmentMode::Eager => {}
        AttachmentMode::Lazy => part("attachments", "lazy"),
        AttachmentMode::None => part("attachments", "none"),
    }
    hasher.finalize().to_hex().as_str().chars().take(32).collect()
}

/// Whether a database is the one that the run began with.
pub(crate) fn same_incarnation(peer: &str, begun: &PeerInfo, now: &str) -> Result<(), PeerError> {
    // PouchDB Server tells when its process started, which says nothing about the database.
    if begun.kind == PeerKind::PouchDbServer
        || &*begun.instance_start_time == "0"
        || now == "0"
        || &*begun.instance_start_time == now
    {
        return Ok(());
    }
    let reason = "the database was deleted and made again; the replication starts over";
    Err(PeerError::new(peer, PeerErrorKind::Recreated, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_depends_on_what_is_moved_and_on_nothing_else() {
        let plain = Spec::default();
        let id = digest("a", "b", &plain);
        assert_eq!(id.len(), 32);
        assert_eq!(
            id,
            digest(
                "a",
                "b",
                &Spec {
                    continuous: true,
                    create_target: true,
                    // What came before a seq is complete up to there, wherever the run was to end.
                    until: Some("9".to_owned()),
                    strict: true,
                    ..plain.clone()
                }
            )
        );
        assert_ne!(id, digest("b", "a", &plain));
        assert_ne!(id, digest("ab", "", &plain));
        assert_ne!(
            id,
            digest(
                "a",
                "b",
                &Spec {
                    winning_revs_only: true,
                    ..plain.clone()
                }
            )
        );
        assert_ne!(
            id,
            digest(
                "a",
                "b",
                &Spec {
                    since_seq: Some("5".to_owned()),
                    ..plain.clone()
                }
            )
        );
        let archive = Spec {
            archive: true,
            ..plain.clone()
        };
        let lazy = Spec {
            attachments: AttachmentMode::Lazy,
            ..plain.clone()
        };
        let feed = Spec {
            feed_name: Some("d/f".to_owned()),
            ..plain.clone()
        };
        assert_ne!(id, digest("a", "b", &feed));
        assert_ne!(id, digest("a", "b", &archive));
        assert_ne!(id, digest("a", "b", &lazy));
        let of = |ids: &[&str]| {
            let doc_ids = Some(ids.iter().map(|id| (*id).to_owned()).collect());
            digest(
                "a",
                "b",
                &Spec {
                    doc_ids,
                    ..Spec::default()
                },
            )
        };
        assert_eq!(of(&["x", "y", "x"]), of(&["y", "x"]));
        assert_ne!(of(&["x", "y"]), of(&["xy"]));
        assert_ne!(of(&[]), id);
    }

    #[test]
    fn notices_a_database_made_again_where_the_peer_tells() {
        let info = |kind, start: &str| PeerInfo {
            identity: String::new(),
            instance_start_time: start.into(),
            update_seq: "0".into(),
            kind,
            exchanges: false,
            remote: false,
        };
        let trunkline = info(PeerKind::Trunkline, "5");
        assert!(same_incarnation("p", &trunkline, "5").is_ok());
        assert!(same_incarnation("p", &trunkline, "0").is_ok());
        let error = same_incarnation("p", &trunkline, "6").unwrap_err();
        assert_eq!(error.kind, PeerErrorKind::Recreated);
        assert!(same_incarnation("p", &info(PeerKind::PouchDbServer, "5"), "6").is_ok());
    }
}
