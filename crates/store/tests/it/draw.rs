//! Random edits, and the store beside the model under them.

use crate::model::Model;
use crate::support::*;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::collections::HashMap;
use std::io::Read;
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, ContentHash};
use trunkline_core::doc::{Body, Edit, InteractiveEdit, ReplicatedEdit, RevPath};
use trunkline_core::rev::{Digest, Rev};
use trunkline_store::*;
use trunkline_testkit::seed::with_seeds;

/// Draws edits that often meet: few documents, few digests.
pub(crate) struct Draw<'a> {
    pub(crate) rng: &'a mut StdRng,
    pub(crate) database: &'a Database,
    /// Longest attachment; 0 for none.
    pub(crate) attachment_bytes_max: usize,
}

impl Draw<'_> {
    pub(crate) fn batch(&mut self, model: &Model) -> Batch {
        let count = self.rng.random_range(1..6);
        Batch {
            edits: (0..count).map(|_| self.edit(model)).collect(),
            durability: if self.rng.random_bool(0.2) {
                Durability::Relaxed
            } else {
                Durability::Durable
            },
            atomic: self.rng.random_bool(0.2),
            ..Batch::default()
        }
    }

    fn id(&mut self) -> String {
        format!("doc{}", self.rng.random_range(0..8))
    }

    fn body(&mut self) -> Body {
        let pad = if self.rng.random_bool(0.1) {
            self.rng.random_range(3000..9000)
        } else {
            self.rng.random_range(0..50)
        };
        Body::from_stored(format!(
            r#"{{"n":{},"pad":"{}"}}"#,
            self.rng.random_range(0..1000),
            "p".repeat(pad)
        ))
    }

    fn edit(&mut self, model: &Model) -> Edit {
        let id_text = self.id();
        let deleted = self.rng.random_bool(0.2);
        let body = self.body();
        if self.rng.random_bool(0.4) {
            let generation = self.rng.random_range(1..5);
            let length = self.rng.random_range(1..=generation);
            let digests = (0..length)
                .map(|_| Digest::from_bytes(&[self.rng.random_range(b'a'..b'd')]))
                .collect();
            let attachments = self.attachments(&[], true);
            return Edit::Replicated(ReplicatedEdit {
                id: id(&id_text),
                path: RevPath::new(generation, digests).unwrap(),
                deleted,
                body,
                attachments,
                age_ms: if self.rng.random_bool(0.5) {
                    0
                } else {
                    self.rng.random_range(1..100_000)
                },
            });
        }
        let doc = model.docs.get(&id_text);
        let leaves: Vec<Rev> = doc
            .map(|doc| {
                doc.tree
                    .leaves()
                    .into_iter()
                    .map(|(rev, _)| rev.clone())
                    .collect()
            })
            .unwrap_or_default();
        let parent = leaves
            .choose(self.rng)
            .filter(|_| self.rng.random_bool(0.85))
            .cloned();
        let stored = match (&parent, doc) {
            (Some(parent), Some(doc)) => doc.bodies[parent].1.clone(),
            _ => Vec::new(),
        };
        let attachments = self.attachments(&stored, false);
        Edit::Interactive(InteractiveEdit {
            id: id(&id_text),
            parent,
            deleted,
            body,
            attachments,
        })
    }

    /// Of few lengths and kinds, so that the same come again, some of them long enough for a file.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let length = [3, 1000, 20_000, self.attachment_bytes_max];
        let length = *length.choose(self.rng).unwrap();
        vec![self.rng.random_range(0..3u8); length.min(self.attachment_bytes_max)]
    }

    fn attachments(&mut self, stored: &[Attachment], later: bool) -> Vec<AttachmentEdit> {
        let mut edits: Vec<AttachmentEdit> = Vec::new();
        for stored in stored {
            if self.rng.random_bool(0.7) {
                edits.push(AttachmentEdit {
                    name: stored.name.clone(),
                    content_type: None,
                    revpos: None,
                    source: AttachmentSource::Stub { md5: None },
                });
            }
        }
        if self.attachment_bytes_max > 0 && self.rng.random_bool(0.3) {
            let bytes = self.bytes();
            let source = if later && self.rng.random_bool(0.4) {
                AttachmentSource::Later(content_of(&bytes))
            } else {
                let staged = stage(self.database, &bytes);
                assert_eq!(staged, content_of(&bytes));
                AttachmentSource::Staged(staged)
            };
            edits.push(AttachmentEdit {
                name: format!("new{}", self.rng.random::<u16>()).into(),
                content_type: Some("text/plain".into()),
                revpos: None,
                source,
            });
        }
        edits
    }
}

#[test]
fn the_store_does_what_the_model_does() {
    with_seeds(6, |rng| {
        let (dir, mut store, mut database) = store();
        let mut model = Model::default();
        for step in 0..150 {
            match rng.random_range(0..107) {
                0..90 => {
                    let mut draw = Draw {
                        rng,
                        database: &database,
                        attachment_bytes_max: 40_000,
                    };
                    let batch = draw.batch(&model);
                    let expected = model.apply(&batch);
                    assert_eq!(
                        database.update(batch.clone()).unwrap(),
                        expected,
                        "step {step}: {batch:?}"
                    );
                }
                90..95 => {
                    let id_text = format!("doc{}", rng.random_range(0..8));
                    let leaves = model.docs.get(&id_text).map(|doc| {
                        doc.tree
                            .leaves()
                            .into_iter()
                            .map(|(rev, _)| rev.clone())
                            .collect::<Vec<_>>()
                    });
                    let mut revs = leaves.unwrap_or_default();
                    revs.truncate(rng.random_range(0..3));
                    let removed = database.purge(&[(id(&id_text), revs.clone())]).unwrap();
                    assert_eq!(removed, [model.purge(&id_text, &revs)]);
                }
                95..97 => database.compact().unwrap(),
                97..103 => supply(rng, &database, &mut model),
                103..105 => {
                    model.mirror = !model.mirror;
                    database.set_mirror(model.mirror).unwrap();
                }
                _ => {
                    drop((store, database));
                    store = Store::open(dir.path()).unwrap();
                    database = store.database(&name("calls")).unwrap();
                }
            }
            if step % 10 == 0 {
                model.assert_equals(&database);
                clean(&database);
            }
        }
        model.assert_equals(&database);
        clean(&database);
        for doc in model.docs.values() {
            for (rev, _) in doc.tree.leaves() {
                for attachment in &doc.bodies[rev].1 {
                    let mut bytes = Vec::new();
                    let hash = attachment.content.hash;
                    match database.open_content_by_hash(&hash, None) {
                        Err(Error::ContentAbsent(absent)) if absent == hash => {
                            assert!(model.absent().contains(&hash));
                            continue;
                        }
                        reader => reader.unwrap().read_to_end(&mut bytes).unwrap(),
                    };
                    assert_eq!(bytes.len() as u64, attachment.content.length);
                }
            }
        }
    });
}

/// Stages some bytes, be they waited for or not.
fn supply(rng: &mut StdRng, database: &Database, model: &mut Model) {
    let mut draw = Draw {
        rng,
        database,
        attachment_bytes_max: 40_000,
    };
    let drawn: HashMap<ContentHash, Vec<u8>> = (0..20)
        .map(|_| draw.bytes())
        .map(|bytes| (content_of(&bytes).hash, bytes))
        .collect();
    let waited_for = model.absent();
    let bytes = drawn.iter().find(|(hash, _)| waited_for.contains(*hash));
    let (hash, bytes) = bytes.or(drawn.iter().next()).unwrap();
    let content = stage(database, bytes);
    let named = model.supply(*hash);
    assert_eq!(database.supply(&content).unwrap(), named);
    if !named {
        assert!(
            database
                .lacking(std::slice::from_ref(&content))
                .unwrap()
                .is_empty()
        );
        database.unstage(&content);
        assert_eq!(
            database.lacking(std::slice::from_ref(&content)).unwrap(),
            [content]
        );
    }
}
