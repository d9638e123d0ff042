//! The reduce functions of a design document's views, built in or written in JavaScript.

use crate::Error;
use crate::design::Design;
use crate::index::{Parts, Reduce, Rows, ViewNumber};
use std::ops::Range;
use std::sync::Arc;
use trunkline_core::json;
use trunkline_core::reduce::{Reducer, Reduction};
use trunkline_js::{Failure, Limits, Sandbox, Sources};

/// What reduces the rows of an index on one thread.
pub(crate) struct Reducers {
    design: Arc<Design>,
    /// By view.
    functions: Vec<Vec<Function>>,
    /// Made when it is first needed.
    sandbox: Option<Sandbox>,
}

#[derive(Clone, Copy, Debug)]
enum Function {
    BuiltIn(Reducer),
    /// Its place among those of the sandbox.
    JavaScript(usize),
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
    pub(crate) fn new(design: Arc<Design>) -> Reducers {
        let mut scripts = 0;
        let mut function = |source: &String| match Reducer::parse(source) {
            Some(reducer) => Function::BuiltIn(reducer),
            None => {
                scripts += 1;
                Function::JavaScript(scripts - 1)
            }
        };
        let of_map = |map: &crate::design::Map| map.reduces.iter().map(&mut function).collect();
        let functions = design.maps.iter().map(of_map).collect();
        Reducers {
            design,
            functions,
            sandbox: None,
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
            self.sandbox = Some(Sandbox::new(sources, Limits::default())?);
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
            Some(Function::JavaScript(_)) => {
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
        let mut parts = Parts::new();
        for function in self.functions(view) {
            parts.push(match function {
                Function::BuiltIn(reducer) => {
                    let mut reduction = Reduction::new(reducer);
                    for row in range.clone().filter_map(|index| rows.get(index)) {
                        reduction.add(text(row.key)?, text(row.value)?);
                    }
                    encoded(&reduction)
                }
                Function::JavaScript(place) => {
                    let (keys, values) = arguments(rows, range.clone());
                    let result = self.sandbox()?.reduce(place, text(&keys)?, text(&values)?);
                    script_part(result, keys.len() + values.len())
                }
            });
        }
        Ok(parts)
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
                Function::JavaScript(place) => self.rereduce(place, &of_function)?,
            });
        }
        Ok(merged)
    }
}

impl Reducers {
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
        Ok(script_part(result, values.len()))
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

/// What a reduce function is given: `[[key,id],..]` and `[value,..]`.
fn arguments(rows: &Rows, range: Range<usize>) -> (Vec<u8>, Vec<u8>) {
    let (mut keys, mut values) = (vec![b'['], vec![b'[']);
    for (at, row) in range.filter_map(|index| rows.get(index)).enumerate() {
        if at > 0 {
            keys.push(b',');
            values.push(b',');
        }
        keys.push(b'[');
        keys.extend_from_slice(row.key);
        keys.push(b',');
        json::quote(&row.id(), &mut keys);
        keys.push(b']');
        values.extend_from_slice(row.value);
    }
    keys.push(b']');
    values.push(b']');
    (keys, values)
}

/// One that throws makes null, as in CouchDB.
fn script_part(result: Result<String, Failure>, input: usize) -> Box<[u8]> {
    let (kind, text) = match result {
        Ok(value) if value.len() > OVERFLOW_CHARS && value.len() * 2 > input => {
            let shown: String = value.chars().take(100).collect();
            let reason = format!(
                "Reduce output must shrink more rapidly: Current output: '{shown}'... (input size {input}, output size {})",
                value.len()
            );
            (OVERFLOW, reason)
        }
        Ok(value) => (VALUE, value),
        Err(Failure::Threw { .. }) => (VALUE, "null".to_owned()),
        Err(failure) => (BOUND, failure.to_string()),
    };
    let mut part = vec![kind];
    part.extend_from_slice(text.as_bytes());
    part.into()
}
