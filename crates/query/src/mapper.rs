//! Map functions, whatever they are written in.

use crate::Error;
use crate::design::Design;
use crate::emitted::Emitted;
use crate::index::{Rows, ViewNumber};
use crate::mango::FieldsMap;
use crate::native::Native;
use crate::patience::Patience;
use std::fmt::Display;
use std::sync::Arc;
use trunkline_core::collate::Collation;
use trunkline_core::json::{self, JsonError};
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
    Native(Native),
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
        let functions = match (&self.design.native, &self.design.language) {
            (Some(native), _) => Functions::Native(native.clone()),
            (None, Language::JavaScript) => Functions::JavaScript(self.sandbox()?.into()),
            (None, Language::Query) => {
                let fields = maps.iter().map(|map| FieldsMap::parse(&map.source).ok());
                Functions::Query(fields.collect())
            }
            (None, Language::Other(name)) => return Err(Error::Language(name.clone())),
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
        let mut into = Destination {
            collations: &self.collations,
            id,
            emitted,
            rows,
        };
        match &mut self.functions {
            Functions::JavaScript(sandbox) => {
                for (view, result) in (0..).zip(sandbox.map(doc)) {
                    match result {
                        Ok(of_view) => into.listed(view, &of_view),
                        Err(failure) => {
                            if failure.is_of_bounds()
                                && let Some(patience) = self.patience.get(usize::from(view))
                                && patience.ended() < CALL_TIME
                            {
                                sandbox.set_map_time(usize::from(view), patience.time());
                            }
                            skips(&mut self.failures, id, view, &failure);
                        }
                    }
                }
            }
            Functions::Query(maps) => {
                for (view, map) in (0..).zip(maps) {
                    let mut key = String::new();
                    if map.as_ref().is_some_and(|map| map.key(doc, &mut key)) {
                        let _ = into.whole(view, |row| row([&key, "null"]));
                    }
                }
            }
            Functions::Native(native) => {
                for view in (0..).take(self.collations.len()) {
                    let mapped = into.whole(view, |row| {
                        let mut kept = Ok(());
                        let mapped = native.rows(view, doc, &mut |key, value| {
                            kept = kept.clone().and_then(|()| row([key, value]));
                        });
                        mapped.and(kept.map_err(|error| error.to_string()))
                    });
                    if let Err(failure) = mapped {
                        skips(&mut self.failures, id, view, &failure);
                    }
                }
            }
        }
        Ok(())
    }
}

fn skips(failures: &mut u64, id: &str, view: ViewNumber, failure: &dyn Display) {
    *failures += 1;
    if *failures <= FAILURES_LOGGED {
        tracing::info!(id, view, %failure, "a map function skips a document");
    }
}

/// Where the rows of a document go.
struct Destination<'a> {
    collations: &'a [Collation],
    id: &'a str,
    emitted: &'a mut Emitted,
    rows: &'a mut Rows,
}

/// Takes one row: its key and its value.
type TakeRow<'a> = dyn FnMut([&str; 2]) -> Result<(), JsonError> + 'a;

impl Destination<'_> {
    /// Takes the rows that a function shows of a view; none of them when it fails.
    fn whole<E>(
        &mut self,
        view: ViewNumber,
        show: impl FnOnce(&mut TakeRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mark = (self.rows.mark(), self.emitted.mark());
        let collation = self
            .collations
            .get(usize::from(view))
            .copied()
            .unwrap_or_default();
        let shown = show(&mut |row| self.emitted.row(view, collation, self.id, row, self.rows));
        if shown.is_err() {
            self.rows.back_to(mark.0);
            self.emitted.back_to(view, mark.1);
        }
        shown
    }

    /// Takes the rows of a view from a list of pairs.
    fn listed(&mut self, view: ViewNumber, list: &str) {
        let id = self.id;
        let taken = self.whole(view, |take| {
            let mut pair = [""; 2];
            json::elements(list, |row| {
                let mut at = 0;
                json::elements(row, |part| {
                    if let Some(place) = pair.get_mut(at) {
                        *place = part;
                    }
                    at += 1;
                    Ok::<_, JsonError>(())
                })?;
                take(pair)
            })
        });
        // Nested too deep, as a rule.
        if let Err(error) = taken {
            tracing::info!(id, view, %error, "what a map function emits cannot be kept");
        }
    }
}
