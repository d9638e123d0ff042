//! The reduce functions of a design document's views, built in or written in JavaScript.

use crate::Error;
use crate::design::Design;
use crate::index::{Parts, Reduce, Rows, ViewNumber};
use crate::patience::Patience;
use std::ops::Range;
use std::sync::Arc;
use trunkline_core::json;
use trunkline_core::reduce::{Reducer, Reduction};
use trunkline_js::{Failure, Limits, Sandbox, Sources, reads_keys};

/// What reduces the rows of an index on one thread.
pub(crate) struct Reducers {
    design: Arc<Design>,
    /// By view.
    functions: Vec<Vec<Function>>,
    /// Made when it is first needed.
    sandbox: Option<Sandbox>,
    patience: Arc<Patience>,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    BuiltIn(Reducer),
    /// Its place among those of the sandbox.
    JavaScript {
        place: usize,
        reads_keys: bool,
    },
}

/// Why a reduction has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReduceFailure {
    /// A built-in function does not take the values; CouchDB's word and reason.
    BuiltIn(trunkline_core::reduce::ReduceError),
    /// The function went over a bound.
    Bound(String),
    /// It makes much of little.
    Overflow(String),
}

/// First byte of a part that JavaScript made: JSON text follows, or the reason why there is none.
const VALUE: u8 = 0;
const BOUND: u8 = 1;
const OVERFLOW: u8 = 2;

/// Results up to so many characters may be longer than half of what they are made of: CouchDB's rule.
const OVERFLOW_CHARS: usize = 4096;

impl Reducers {
    pub(crate) fn new(design: Arc<Design>, patience: Arc<Patience>) -> Reducers {
        let mut scripts = 0;
        let mut function = |source: &String| match Reducer::parse(source) {
            Some(reducer) => Function::BuiltIn(reducer),
            None => {
                scripts += 1;
                Function::JavaScript {
                    place: scripts - 1,
                    reads_keys: reads_keys(source),
                }
            }
        };
        let of_map = |map: &crate::design::Map| map.reduces.iter().map(&mut function).collect();
        let functions = design.maps.iter().map(of_map).collect();
        Reducers {
            design,
            functions,
            sandbox: None,
            patience,
        }
    }

    fn functions(&self, view: ViewNumber) -> Vec<Function> {
        self.functions.get(usize::from(view)).cloned().unwrap_or_default()
    }

    fn sandbox(&mut self) -> Result<&mut Sandbox, Error> {
        if self.sandbox.is_none() {
            let sources = self.design.maps.iter().flat_map(|map| &map.reduces);
            let scripts = sources.filter(|source| Reducer::parse(source).is_none());
            let sources = Sources {
                reduces: scripts.cloned().collect(),
                ..Sources::default()
            };
            let mut sandbox = Sandbox::new(sources, Limits::default())?;
            sandbox.set_call_time(self.patience.time());
            self.sandbox = Some(sandbox);
        }
        self.sandbox.as_mut().ok_or(Error::Damaged)
    }

    /// The value, JSON text, of one of the parts that a view's rows came to.
    pub(crate) fn value(
        &self,
        view: ViewNumber,
        reduce: usize,
        parts: &Parts,
    ) -> Result<Result<String, ReduceFailure>, Error> {
        let part = parts.get(reduce).ok_or(Error::Damaged)?;
        match self.functions(view).get(reduce) {
            Some(Function::BuiltIn(reducer)) => {
                let reduction = Reduction::decode(*reducer, part).ok_or(Error::Damaged)?;
                Ok(reduction.result().map_err(ReduceFailure::BuiltIn))
            }
            Some(Function::JavaScript { .. }) => {
                let (kind, text) = part.split_first().ok_or(Error::Damaged)?;
                let text = String::from_utf8_lossy(text).into_owned();
                Ok(match *kind {
                    VALUE => Ok(text),
                    BOUND => Err(ReduceFailure::Bound(text)),
                    _ => Err(ReduceFailure::Overflow(text)),
                })
            }
            None => Err(Error::Damaged),
        }
    }
}

impl Reduce for Reducers {
    fn rows(&mut self, view: ViewNumber, rows: &Rows, range: Range<usize>) -> Result<Parts, Error> {
        let parts = self.rows_each(view, rows, &[range])?.pop();
        parts.ok_or(Error::Damaged)
    }

    fn rows_each(
        &mut self,
        view: ViewNumber,
        rows: &Rows,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Parts>, Error> {
        let mut each = vec![Parts::new(); ranges.len()];
        for function in self.functions(view) {
            let of_function = match function {
                Function::BuiltIn(reducer) => built_in(reducer, rows, ranges)?,
                Function::JavaScript { place, reads_keys } => {
                    self.scripts(place, reads_keys, rows, ranges)?
                }
            };
            for (parts, part) in each.iter_mut().zip(of_function) {
                parts.push(part);
            }
        }
        Ok(each)
    }

    fn merge(&mut self, view: ViewNumber, parts: &[&Parts]) -> Result<Parts, Error> {
        let mut merged = Parts::new();
        for (index, function) in self.functions(view).into_iter().enumerate() {
            let of_function = parts
                .iter()
                .map(|parts| parts.get(index).map(|part| &**part).ok_or(Error::Damaged));
            let of_function: Vec<&[u8]> = of_function.collect::<Result<_, _>>()?;
            merged.push(match function {
                Function::BuiltIn(reducer) => {
                    let mut reduction = Reduction::new(reducer);
                    for part in of_function {
                        reduction.merge(&Reduction::decode(reducer, part).ok_or(Error::Damaged)?);
                    }
                    encoded(&reduction)
                }
                Function::JavaScript { place, .. } => self.rereduce(place, &of_function)?,
            });
        }
        Ok(merged)
    }
}

impl Reducers {
    fn note(&mut self, result: &Result<String, Failure>) {
        if result.as_ref().is_err_and(Failure::is_of_bounds) {
            let time = self.patience.ended();
            if let Some(sandbox) = &mut self.sandbox {
                sandbox.set_call_time(time);
            }
        }
    }

    /// Reduces several ranges of rows in one call.
    fn scripts(
        &mut self,
        place: usize,
        reads_keys: bool,
        rows: &Rows,
        ranges: &[Range<usize>],
    ) -> Result<Vec<Box<[u8]>>, Error> {
        let mut lists = Vec::with_capacity(ranges.len());
        for range in ranges {
            let keys = match reads_keys {
                true => keys(rows, range.clone()),
                false => b"null".to_vec(),
            };
            lists.push((keys, values(rows, range.clone())));
        }
        let mut texts = Vec::with_capacity(lists.len());
        for (keys, values) in &lists {
            texts.push((text(keys)?, text(values)?));
        }
        let results = match *texts.as_slice() {
            [(keys, values)] => vec![self.sandbox()?.reduce(place, keys, values)],
            _ => self.sandbox()?.reduce_each(place, &texts),
        };
        let mut parts = Vec::with_capacity(results.len());
        for ((result, range), (_, values)) in results.into_iter().zip(ranges).zip(&lists) {
            self.note(&result);
            parts.push(script_part(result, || {
                keys(rows, range.clone()).len() + values.len()
            }));
        }
        Ok(parts)
    }

    fn rereduce(&mut self, place: usize, parts: &[&[u8]]) -> Result<Box<[u8]>, Error> {
        if let Some(failed) = parts.iter().find(|part| part.first() != Some(&VALUE)) {
            return Ok((*failed).into());
        }
        let mut values = vec![b'['];
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                values.push(b',');
            }
            values.extend_from_slice(part.get(1..).unwrap_or_default());
        }
        values.push(b']');
        let result = self.sandbox()?.rereduce(place, text(&values)?);
        self.note(&result);
        Ok(script_part(result, || values.len()))
    }
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::Damaged)
}

fn encoded(reduction: &Reduction) -> Box<[u8]> {
    let mut part = Vec::new();
    reduction.encode(&mut part);
    part.into()
}

fn built_in(reducer: Reducer, rows: &Rows, ranges: &[Range<usize>]) -> Result<Vec<Box<[u8]>>, Error> {
    let of_range = |range: &Range<usize>| {
        let mut reduction = Reduction::new(reducer);
        for row in range.clone().filter_map(|index| rows.get(index)) {
            reduction.add(text(row.key)?, text(row.value)?);
        }
        Ok(encoded(&reduction))
    };
    ranges.iter().map(of_range).collect()
}

/// `[[key,id],..]`
fn keys(rows: &Rows, range: Range<usize>) -> Vec<u8> {
    let mut keys = vec![b'['];
    for row in range.filter_map(|index| rows.get(index)) {
        if keys.len() > 1 {
            keys.push(b',');
        }
        keys.push(b'[');
        keys.extend_from_slice(row.key);
        keys.push(b',');
        json::quote(&row.id(), &mut keys);
        keys.push(b']');
    }
    keys.push(b']');
    keys
}

/// `[value,..]`
fn values(rows: &Rows, range: Range<usize>) -> Vec<u8> {
    let mut values = vec![b'['];
    for row in range.filter_map(|index| rows.get(index)) {
        if values.len() > 1 {
            values.push(b',');
        }
        values.extend_from_slice(row.value);
    }
    values.push(b']');
    values
}

/// One that throws makes null, as in CouchDB.
fn script_part(result: Result<String, Failure>, input: impl FnOnce() -> usize) -> Box<[u8]> {
    let (kind, text) = match result {
        Ok(value) if value.len() > OVERFLOW_CHARS => overflow_part(value, input()),
        Ok(value) => (VALUE, value),
        Err(Failure::Threw { .. }) => (VALUE, "null".to_owned()),
        Err(failure) => (BOUND, failure.to_string()),
    };
    let mut part = vec![kind];
    part.extend_from_slice(text.as_bytes());
    part.into()
}

/// Of a long value made of so many bytes.
fn overflow_part(value: String, input: usize) -> (u8, String) {
    if value.len() * 2 <= input {
        return (VALUE, value);
    }
    let shown: String = value.chars().take(100).collect();
    let reason = format!(
        "Reduce output must shrink more rapidly: Current output: '{shown}'... (input size {input}, output size {})",
        value.len()
    );
    (OVERFLOW, reason)
}
