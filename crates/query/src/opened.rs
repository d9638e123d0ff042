//! The views of a design document, with what answers them.

use crate::Error;
use crate::design::{Design, View};
use crate::indexes::Indexes;
use crate::remembered::{remember, remembered};
use crate::view_index::ViewIndex;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::doc::Body;
use trunkline_store::{Database, DocsScan};
use trunkline_wire::design_doc;

/// The views of a design document as it is now.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Of the document, with `_design/`.
    pub id: String,
    /// Native views have none.
    body: Option<Body>,
    /// What it defines.
    pub design: Design,
    /// What answers. It is of the whole database, whoever asks.
    pub index: Arc<ViewIndex>,
    /// The database, as the one sees it who asks.
    pub db: Database,
}

impl Indexes {
    /// The ids of a database's design documents, and of what stands for some, each once and in order.
    pub fn designs(&self, db: &Database) -> Result<Vec<String>, Error> {
        let whole = db.whole();
        let mut ids: BTreeSet<String> = self.natives().into_keys().collect();
        let mut scan = DocsScan {
            start: Some("_design/".to_owned()),
            after_start: false,
            end: Some("_design0".to_owned()),
            inclusive_end: false,
            descending: false,
            bodies: false,
            limit: usize::MAX,
        };
        loop {
            let end = whole.all_docs(&scan, &mut |row| {
                ids.insert(row.id.to_owned());
                ControlFlow::Continue(())
            })?;
            let (false, Some(last)) = (end.done, end.last) else {
                return Ok(ids.into_iter().collect());
            };
            (scan.start, scan.after_start) = (Some(last), true);
        }
    }

    /// The views of a design document, or the native ones in its place.
    pub fn open(&self, db: &Database, id: &str) -> Result<Opened, Error> {
        let native = self.0.native.read().get(id).cloned();
        let (design, body) = match native {
            Some(design) => (design, None),
            None => match db.whole().get(id, None)? {
                None => return Err(Error::NoDesign),
                Some(leaf) if leaf.deleted => return Err(Error::DesignDeleted),
                Some(leaf) => {
                    let document = design_doc::parse(leaf.body.as_str()).map_err(Error::Design)?;
                    (Design::of(db, &document)?, Some(leaf.body))
                }
            },
        };
        Ok(Opened {
            id: id.to_owned(),
            body,
            index: self.index(db, design.clone())?,
            design,
            db: db.clone(),
        })
    }

    /// What answers a question that does not wait: the views of the design document when its index was last whole, if the
    /// index of what it is now is not. `None` when that is what was opened.
    pub fn whole(&self, opened: &Opened, view: &str) -> Result<Option<Opened>, Error> {
        let db = opened.index.database();
        let before = match opened.index.state()? {
            Some(_) => None,
            None => remembered(db, &opened.id).filter(|design| {
                design.views.contains_key(view) && design.partitioned == opened.design.partitioned
            }),
        };
        let Some(design) = before else {
            return Ok(None);
        };
        Ok(Some(Opened {
            index: self.index(db, design.clone())?,
            design,
            ..opened.clone()
        }))
    }
}

impl Opened {
    /// Where the rows of a view are.
    pub fn view(&self, name: &str) -> Result<View, Error> {
        self.design.views.get(name).copied().ok_or(Error::NoView)
    }

    /// Brings the index up to date with what its database has when this is called.
    pub fn update(&self) -> Result<(), Error> {
        // One of a pinned moment is, for ever.
        if self.index.reached(&self.index.goal()?)? {
            return Ok(());
        }
        self.index.update()?;
        self.remember()
    }

    /// Makes the index anew, beside the file that answers meanwhile.
    pub fn rebuild(&self) -> Result<(), Error> {
        self.index.rebuild()?;
        self.remember()
    }

    fn remember(&self) -> Result<(), Error> {
        match &self.body {
            Some(body) => remember(self.index.database(), &self.id, body.as_str()),
            None => Ok(()),
        }
    }
}
