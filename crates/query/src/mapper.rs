//! Map functions, whatever they are written in.

use crate::Error;
use crate::design::Design;
use crate::emitted::Emitted;
use crate::index::Rows;
use crate::mango::FieldsMap;
use crate::patience::Patience;
use std::sync::Arc;
use trunkline_core::collate::Collation;
use trunkline_core::json;
use trunkline_js::{Limits, Sandbox, Sources, limits::CALL_TIME};
use trunkline_wire::design_doc::Language;

/// What maps the documents of an index; every thread makes a [`Mapper`] of it.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    design: Arc<Design>,
    /// By map function.
    patience: Arc<[Patience]>,
}

/// The map functions of an index on one thread.
pub(crate) struct Mapper {
    functions: Functions,
    collations: Vec<Collation>,
    patience: Arc<[Patience]>,
    failures: u64,
}

/// By language.
enum Functions {
    JavaScript(Box<Sandbox>),
    /// A definition that cannot be read makes no rows.
    Query(Vec<Option<FieldsMap>>),
}

/// Failures of map functions that a pass logs: in many databases most documents fail in some.
const FAILURES_LOGGED: u64 = 10;

impl Mapping {
    pub(crate) fn new(design: Arc<Design>) -> Mapping {
        let patience = design.maps.iter().map(|_| Patience::default()).collect();
        Mapping { design, patience }
    }

    pub(crate) fn include_design(&self) -> bool {
        self.design.include_design && !self.design.partitioned
    }

    /// Whether rows are by partition first. Design documents are in none.
    pub(crate) fn partitioned(&self) -> bool {
        self.design.partitioned
    }

    pub(crate) fn local_seq(&self) -> bool {
        self.design.local_seq
    }

    /// Compiles the functions.
    pub(crate) fn mapper(&self) -> Result<Mapper, Error> {
        let maps = &self.design.maps;
        let functions = match &self.design.language {
            Language::JavaScript => Functions::JavaScript(self.sandbox()?.into()),
            Language::Query => {
                let fields = maps.iter().map(|map| FieldsMap::parse(&map.source).ok());
                Functions::Query(fields.collect())
            }
            Language::Other(name) => return Err(Error::Language(name.clone())),
        };
        Ok(Mapper {
            functions,
            collations: maps.iter().map(|map| collation(map.raw)).collect(),
            patience: self.patience.clone(),
            failures: 0,
        })
    }

    fn sandbox(&self) -> Result<Sandbox, Error> {
        let design = &self.design;
        let sources = Sources {
            maps: design.maps.iter().map(|map| map.source.clone()).collect(),
            modules: design
                .lib
                .as_ref()
                .map(|lib| format!("{{\"views\":{{\"lib\":{lib}}}}}")),
            ..Sources::default()
        };
        Ok(Sandbox::new(sources, Limits::default())?)
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
        let sandbox = match &mut self.functions {
            Functions::JavaScript(sandbox) => sandbox,
            Functions::Query(maps) => {
                for ((view, map), collation) in (0..).zip(maps).zip(&self.collations) {
                    let mut key = String::new();
                    if map.as_ref().is_some_and(|map| map.key(doc, &mut key)) {
                        let mark = (rows.mark(), emitted.mark());
                        if emitted.row(view, *collation, id, [&key, "null"], rows).is_err() {
                            rows.back_to(mark.0);
                            emitted.back_to(view, mark.1);
                        }
                    }
                }
                return Ok(());
            }
        };
        for (view, result) in (0..).zip(sandbox.map(doc)) {
            let of_view = match result {
                Ok(of_view) => of_view,
                Err(failure) => {
                    if failure.is_of_bounds()
                        && let Some(patience) = self.patience.get(usize::from(view))
                        && patience.ended() < CALL_TIME
                    {
                        sandbox.set_map_time(usize::from(view), patience.time());
                    }
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
            let mark = (rows.mark(), emitted.mark());
            let mut pair = [""; 2];
            let taken = json::elements(&of_view, |row| {
                let mut at = 0;
                json::elements(row, |part| {
                    if let Some(place) = pair.get_mut(at) {
                        *place = part;
                    }
                    at += 1;
                    Ok::<_, json::JsonError>(())
                })?;
                emitted.row(view, collation, id, pair, rows)
            });
            // Nested too deep, as a rule.
            if let Err(error) = taken {
                rows.back_to(mark.0);
                emitted.back_to(view, mark.1);
                tracing::info!(id, view, %error, "what a map function emits cannot be kept");
            }
        }
        Ok(())
    }
}
