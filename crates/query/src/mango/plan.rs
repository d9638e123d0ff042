//! Which index answers a query: CouchDB's choice.

use super::bounds::{self, Ids, KeyTexts};
use super::catalog::{Catalog, MangoIndex};
use crate::view::common;
use std::fmt;
use std::ops::Range;
use trunkline_core::partition::Partition;
use trunkline_core::selector::{FieldRange, Selector};
use trunkline_wire::find::Sort;

/// What matters for the choice of an index.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which documents.
    pub selector: &'a Selector,
    /// In which order.
    pub sort: &'a Sort,
    /// Which fields are shown; all when there are none.
    pub fields: &'a [String],
    /// Design document, and perhaps name, of the index to be used.
    pub use_index: &'a [String],
    /// Another index will do.
    pub allow_fallback: bool,
    /// Only documents of this partition.
    pub partition: Option<&'a Partition>,
}

/// How a query is answered.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is gone through.
    pub source: Source,
    /// Only documents of this partition, whatever else is gone through.
    pub partition: Option<Partition>,
    /// From the end.
    pub descending: bool,
    /// No document can match.
    pub nothing: bool,
    /// What the client should know of it.
    pub warnings: Vec<String>,
    /// Usable indexes that were not chosen, the next best first.
    pub passed_over: Vec<MangoIndex>,
}

/// What is gone through.
#[derive(Clone, Debug)]
pub enum Source {
    /// All documents, by id.
    Documents(Ids),
    /// An index.
    Index {
        /// Which.
        index: MangoIndex,
        /// Which of its rows.
        places: Range<Vec<u8>>,
        /// Those in JSON.
        keys: KeyTexts,
        /// Its keys have all that is asked for.
        covering: bool,
    },
}

/// Why there is no plan. `Display` is CouchDB's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlan {
    /// No index has the order that was asked for.
    Sort,
    /// No partitioned index has it, and documents of one partition are asked for.
    SortInPartition,
    /// Only partitioned indexes may have it, and documents of all partitions are asked for.
    SortOverPartitions,
    /// The index that was named cannot be used, and no other may be; its name.
    NamedIndex(Vec<String>),
}

impl NoPlan {
    /// CouchDB's word.
    pub fn word(&self) -> &'static str {
        match self {
            NoPlan::Sort | NoPlan::SortInPartition | NoPlan::SortOverPartitions => "no_usable_index",
            NoPlan::NamedIndex(_) => "invalid_index",
        }
    }
}

impl fmt::Display for NoPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoPlan::Sort => f.write_str("No index exists for this sort, try indexing by the sort fields."),
            NoPlan::SortInPartition => {
                f.write_str("No partitioned index exists for this sort, try indexing by the sort fields.")
            }
            NoPlan::SortOverPartitions => {
                f.write_str("No global index exists for this sort, try indexing by the sort fields.")
            }
            NoPlan::NamedIndex(names) => match names.as_slice() {
                [] => f.write_str("You must specify an index with the `use_index` parameter."),
                names => write!(
                    f,
                    "_design/{} specified by `use_index` could not be found or it is not suitable.",
                    names.join(", ")
                ),
            },
        }
    }
}

impl std::error::Error for NoPlan {}

impl Plan {
    /// Chooses an index.
    pub fn new(catalog: &Catalog, wanted: &Wanted<'_>) -> Result<Plan, NoPlan> {
        let named = |index: &MangoIndex| is_named(index, wanted.use_index);
        let mut usable: Vec<&MangoIndex> = catalog
            .indexes
            .iter()
            .filter(|index| index.design.partitioned == wanted.partition.is_some())
            .filter(|index| index.definition.partial.is_none() || named(index))
            .filter(|index| is_usable(index, wanted))
            .collect();
        let documents = documents_usable(wanted);
        if usable.is_empty() && !documents {
            return Err(match (catalog.partitioned, wanted.partition) {
                (false, _) => NoPlan::Sort,
                (true, Some(_)) => NoPlan::SortInPartition,
                (true, None) => NoPlan::SortOverPartitions,
            });
        }
        let mut warnings = Vec::new();
        if usable.iter().any(|index| named(index)) {
            usable.retain(|index| named(index));
        } else if !wanted.allow_fallback {
            return Err(NoPlan::NamedIndex(wanted.use_index.to_vec()));
        } else if let Some(ddoc) = wanted.use_index.first() {
            warnings.push(match wanted.use_index.get(1) {
                None => format!(
                    "_design/{ddoc} was not used because it does not contain a valid index for this query."
                ),
                Some(name) => format!(
                    "_design/{ddoc}, {name} was not used because it is not a valid index for this query."
                ),
            });
        }
        // The most columns that the selector restricts, then the fewest columns, then the first by name.
        let of_ranges = wanted.selector.ranges().len();
        usable.sort_by_key(|index| {
            let prefix = bounds::prefix(wanted.selector, index.columns());
            let left = of_ranges.saturating_sub(prefix.len());
            (left, index.columns().len(), &index.ddoc, &index.name)
        });
        let mut usable = usable.into_iter();
        let source = match usable.next() {
            Some(index) => of_index(index, wanted),
            None => {
                warnings.push("No matching index found, create an index to optimize query time.".to_owned());
                Source::Documents(Ids::of(wanted.selector, wanted.partition))
            }
        };
        let ranges = wanted.selector.ranges();
        let mut ranges = ranges.iter().filter(|(field, _)| **field != "_id");
        Ok(Plan {
            partition: wanted.partition.cloned(),
            nothing: ranges.any(|(_, range)| FieldRange::is_empty(range))
                || Ids::of(wanted.selector, wanted.partition).none,
            source,
            descending: wanted.sort.descending,
            warnings,
            passed_over: usable.cloned().collect(),
        })
    }
}

fn of_index(index: &MangoIndex, wanted: &Wanted<'_>) -> Source {
    let columns = index.columns();
    let prefix = bounds::prefix(wanted.selector, columns);
    let has = |field: &str| field == "_id" || columns.iter().any(|column| column == field);
    let covering = !wanted.fields.is_empty()
        && wanted.fields.iter().all(|field| has(field))
        && wanted.selector.fields().into_iter().all(has);
    Source::Index {
        places: bounds::places(common(index.view, wanted.partition), columns, &prefix),
        keys: bounds::texts(&prefix),
        index: index.clone(),
        covering,
    }
}

fn is_named(index: &MangoIndex, names: &[String]) -> bool {
    match names {
        [ddoc] => index.ddoc == *ddoc,
        [ddoc, name] => index.ddoc == *ddoc && index.name == *name,
        _ => false,
    }
}

/// Whether an index has all documents that match and have the fields to sort by, in the order asked for.
fn is_usable(index: &MangoIndex, wanted: &Wanted<'_>) -> bool {
    let sort = &wanted.sort.fields;
    let is_there = |column: &String| {
        sort.contains(column) || matches!(column.as_str(), "_id" | "_rev") || wanted.selector.requires(column)
    };
    index.columns().iter().all(is_there) && has_order(index.columns(), sort, wanted.selector)
}

fn has_order(columns: &[String], sort: &[String], selector: &Selector) -> bool {
    let constant =
        |column: &&String| !sort.starts_with(std::slice::from_ref(*column)) && selector.is_constant(column);
    let before = columns.iter().take_while(constant).count();
    sort.is_empty() || columns.iter().skip(before).take(sort.len()).eq(sort)
}

fn documents_usable(wanted: &Wanted<'_>) -> bool {
    let sort = &wanted.sort.fields;
    sort.is_empty() || sort.len() == 1 && sort.iter().all(|field| field == "_id")
}
