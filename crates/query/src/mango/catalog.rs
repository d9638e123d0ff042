//! Which Mango indexes a database has.

use super::fields::FieldsMap;
use crate::Error;
use crate::design::Design;
use crate::index::ViewNumber;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_store::{Database, DocRow, DocsScan};
use trunkline_wire::design_doc::{self, Language};
use trunkline_wire::find::{Definition, parse_map};

/// One index.
#[derive(Clone, Debug)]
pub struct MangoIndex {
    /// Its design document, without `_design/`.
    pub ddoc: String,
    /// Its name there.
    pub name: String,
    /// What is in it.
    pub definition: Arc<Definition>,
    /// All that is in the design document.
    pub design: Arc<Design>,
    /// Where its rows are in the index file.
    pub view: ViewNumber,
}

/// The Mango indexes of a database, by design document and name.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// In order.
    pub indexes: Vec<MangoIndex>,
    /// The database has partitions.
    pub partitioned: bool,
}

/// Bounds of the design documents' ids.
const DESIGNS: (&str, &str) = ("_design/", "_design0");

impl MangoIndex {
    /// The fields that its rows are sorted by.
    pub fn columns(&self) -> &[String] {
        &self.definition.fields.fields
    }
}

impl Catalog {
    /// Reads the design documents.
    pub fn read(db: &Database) -> Result<Catalog, Error> {
        let mut catalog = Catalog {
            partitioned: db.is_partitioned()?,
            ..Catalog::default()
        };
        designs(&db.whole(), true, &mut |row| catalog.add_row(row))?;
        Ok(catalog)
    }

    /// Adds the indexes of a row that was read with its body.
    pub(super) fn add_row(&mut self, row: &DocRow<'_>) {
        let ddoc = row.id.strip_prefix(DESIGNS.0).unwrap_or(row.id);
        if let Some(winner) = &row.winner {
            self.add(ddoc, winner.body);
        }
    }

    /// Adds the indexes of a design document; what is none, or cannot be read, is left out.
    pub fn add(&mut self, ddoc: &str, body: &str) {
        let Ok(document) = design_doc::parse(body) else {
            return;
        };
        if document.language != Language::Query {
            return;
        }
        let design = Arc::new(Design::with(&document, document.by_partition(self.partitioned)));
        for (name, view) in &document.views {
            let (Some(_), Some(place)) = (&view.definition, design.views.get(name)) else {
                continue;
            };
            let Ok(definition) = parse_map(&view.map) else {
                continue;
            };
            if FieldsMap::new(&definition).is_err() {
                continue;
            }
            self.indexes.push(MangoIndex {
                ddoc: ddoc.to_owned(),
                name: name.clone(),
                definition: Arc::new(definition),
                design: design.clone(),
                view: place.number,
            });
        }
    }
}

/// Shows the design documents.
pub(super) fn designs(db: &Database, bodies: bool, each: &mut dyn FnMut(&DocRow<'_>)) -> Result<(), Error> {
    let mut scan = DocsScan {
        start: Some(DESIGNS.0.to_owned()),
        after_start: false,
        end: Some(DESIGNS.1.to_owned()),
        inclusive_end: false,
        descending: false,
        bodies,
        limit: usize::MAX,
    };
    loop {
        let end = db.all_docs(&scan, &mut |row| {
            each(&row);
            ControlFlow::Continue(())
        })?;
        let (false, Some(last)) = (end.done, end.last) else {
            return Ok(());
        };
        (scan.start, scan.after_start) = (Some(last), true);
    }
}
