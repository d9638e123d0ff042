//! The selectors of named feeds that grants are bound to: read for each request, and again for an answer that lasts.

use crate::app::blocking;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use trunkline_core::access::{Access, Only};
use trunkline_core::selector::Selector;
use trunkline_store::Database;
use trunkline_wire::feeds;

/// Selectors by `design/name`. A feed that is not there (any more) takes nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    selectors: BTreeMap<String, Option<Arc<Selector>>>,
    /// [`Database::design_edits`], before they were read.
    edits: u64,
}

impl Bound {
    /// Of the feeds that somebody's rights in a database depend on.
    pub(super) async fn read(db: &Database, access: &Access<'_>) -> Result<Bound> {
        let feed = |only: &Only| match only {
            Only::Feed(name) => Some(name.clone()),
            Only::Selector(_) => None,
        };
        let names = access.parts.iter().filter_map(|(_, only)| feed(only));
        Bound::of(db, names.collect()).await
    }

    async fn of(db: &Database, names: Vec<String>) -> Result<Bound> {
        if names.is_empty() {
            return Ok(Bound::default());
        }
        let (db, edits) = (db.clone(), db.design_edits());
        let selectors = blocking(move || {
            let read = |name: String| selector(&db, &name).map(|selector| (name, selector.map(Arc::new)));
            names.into_iter().map(read).collect()
        });
        Ok(Bound {
            selectors: selectors.await?,
            edits,
        })
    }

    pub(super) fn selector(&self, feed: &str) -> Option<&Arc<Selector>> {
        self.selectors.get(feed)?.as_ref()
    }

    /// Whether they are to be read again.
    pub(super) fn may_differ(&self, db: &Database) -> bool {
        !self.selectors.is_empty() && db.design_edits() != self.edits
    }

    /// The same, read again; `None` where a selector is another one now, or cannot be read.
    pub(super) async fn renewed(self, db: &Database) -> Option<Bound> {
        let names = self.selectors.keys().cloned().collect();
        let now = Bound::of(db, names).await.ok()?;
        let text = |selector: &Option<Arc<Selector>>| selector.as_ref().map(|selector| selector.canonical());
        let mut pairs = self.selectors.values().zip(now.selectors.values());
        pairs.all(|(then, now)| text(then) == text(now)).then_some(now)
    }
}

fn selector(db: &Database, feed: &str) -> Result<Option<Selector>> {
    let Some((design, name)) = feed.split_once('/') else {
        return Ok(None);
    };
    let design = db.whole().get(&format!("_design/{design}"), None)?;
    let Some(design) = design.filter(|design| !design.deleted) else {
        return Ok(None);
    };
    let declared = feeds::parse(design.body.as_str())
        .map_err(Error::from)?
        .remove(name);
    Ok(declared.and_then(|feed| feed.ok()).map(|(_, selector)| selector))
}
