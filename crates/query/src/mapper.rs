//! Map functions, whatever they are written in.

use crate::Error;
use crate::design::Design;
use crate::index::{Rows, ViewNumber, put_emitted};
use std::collections::BTreeMap;
use std::sync::Arc;
use trunkline_core::collate::Collation;
use trunkline_core::json;
use trunkline_js::{Limits, Sandbox, Sources};
use trunkline_wire::design_doc::Language;

/// What maps the documents of an index; every thread makes a [`Mapper`] of it.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    design: Arc<Design>,
}

/// The map functions of an index on one thread.
pub(crate) struct Mapper {
    sandbox: Sandbox,
    collations: Vec<Collation>,
    failures: u64,
}

/// What one document has emitted so far, for when it changes.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    list: Vec<u8>,
    /// How many rows it has in each view.
    numbers: BTreeMap<ViewNumber, u32>,
    sort_key: Vec<u8>,
}

/// Failures of map functions that a pass logs: in many databases most documents fail in some.
const FAILURES_LOGGED: u64 = 10;

impl Mapping {
    pub(crate) fn new(design: Arc<Design>) -> Mapping {
        Mapping { design }
    }

    pub(crate) fn include_design(&self) -> bool {
        self.design.include_design
    }

    pub(crate) fn local_seq(&self) -> bool {
        self.design.local_seq
    }

    /// Compiles the functions.
    pub(crate) fn mapper(&self) -> Result<Mapper, Error> {
        let design = &self.design;
        match &design.language {
            Language::JavaScript => {}
            Language::Query => return Err(Error::Language("query".to_owned())),
            Language::Other(name) => return Err(Error::Language(name.clone())),
        }
        let sources = Sources {
            maps: design.maps.iter().map(|map| map.source.clone()).collect(),
            modules: design
                .lib
                .as_ref()
                .map(|lib| format!("{{\"views\":{{\"lib\":{lib}}}}}")),
            ..Sources::default()
        };
        Ok(Mapper {
            sandbox: Sandbox::new(sources, Limits::default())?,
            collations: design.maps.iter().map(|map| collation(map.raw)).collect(),
            failures: 0,
        })
    }
}

/// The order of a view's keys.
pub(crate) fn collation(raw: bool) -> Collation {
    if raw { Collation::Raw } else { Collation::Unicode }
}

impl Mapper {
    /// Adds the rows of a document to others.
    pub(crate) fn map(
        &mut self,
        id: &str,
        doc: &str,
        emitted: &mut Emitted,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        for (view, result) in (0..).zip(self.sandbox.map(doc)) {
            let of_view = match result {
                Ok(of_view) => of_view,
                Err(failure) => {
                    self.failures += 1;
                    if self.failures <= FAILURES_LOGGED {
                        tracing::info!(id, view, %failure, "a map function skips a document");
                    }
                    continue;
                }
            };
            let collation = self
                .collations
                .get(usize::from(view))
                .copied()
                .unwrap_or_default();
            let mut pair = [""; 2];
            json::elements(&of_view, |row| {
                let mut at = 0;
                json::elements(row, |part| {
                    if let Some(place) = pair.get_mut(at) {
                        *place = part;
                    }
                    at += 1;
                    Ok::<_, json::JsonError>(())
                })?;
                emitted.row(view, collation, id, pair, rows)
            })
            .map_err(|_| Error::Damaged)?;
        }
        Ok(())
    }
}

impl Emitted {
    /// For the next document.
    pub(crate) fn begin(&mut self) {
        self.list.clear();
        self.numbers.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// See [`Rows::push_document`].
    pub(crate) fn list(&self) -> &[u8] {
        &self.list
    }

    fn row(
        &mut self,
        view: ViewNumber,
        collation: Collation,
        id: &str,
        [key, value]: [&str; 2],
        rows: &mut Rows,
    ) -> Result<(), json::JsonError> {
        self.sort_key.clear();
        collation.sort_key(key, &mut self.sort_key)?;
        let number = self.numbers.entry(view).or_default();
        rows.push(
            view,
            &self.sort_key,
            id,
            *number,
            key.as_bytes(),
            value.as_bytes(),
        );
        *number += 1;
        put_emitted(view, &self.sort_key, &mut self.list);
        Ok(())
    }
}
