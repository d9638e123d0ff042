//! Reports: groups of documents, and what they come to.

use super::find::Find;
use crate::{Database, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;
use trunkline_core::aggregate::Report;
use trunkline_query::mango::Gathering;
use trunkline_wire::find::{FindRequest, Refusal, parse_aggregate, write_row};

/// The rows of a report, sorted, as values of the caller's type.
#[derive(Debug)]
pub struct AggregateRows<T> {
    report: Report,
    value: PhantomData<fn() -> T>,
}

impl Database {
    /// Tells what groups of documents come to: `question` is the body of `POST /{db}/_aggregate`, and each row becomes a
    /// value. By an index where that is shorter, and else all documents are read, on all cores, as they are at one moment.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use serde_json::json;
    ///
    /// #[derive(Deserialize, Debug, PartialEq)]
    /// struct Day { account: String, day: String, calls: u64, seconds: u64, cost: f64 }
    ///
    /// # fn main() -> trunkline::Result<()> {
    /// # let temp = tempfile::tempdir().unwrap();
    /// # let cdrs = trunkline::Store::open(temp.path())?.database("cdrs")?;
    /// cdrs.put("call-1", &json!({"account": "a", "start": 1795219200, "duration": 42, "cost": 0.1}))?;
    /// cdrs.put("call-2", &json!({"account": "a", "start": 1795222800, "duration": 18, "cost": 0.2}))?;
    /// let mut rows = cdrs.aggregate::<Day>(&json!({
    ///     "selector": {"duration": {"$gt": 0}},
    ///     "group": ["account", {"field": "start", "bucket": "day", "as": "day"}],
    ///     "values": {"calls": {"count": true}, "seconds": {"sum": "duration"}, "cost": {"sum": "cost"}},
    ///     "sort": [{"seconds": "desc"}],
    /// }))?;
    /// let first = rows.next().expect("two calls")?;
    /// assert_eq!(first, Day { account: "a".into(), day: "2026-11-21T00:00:00Z".into(), calls: 2, seconds: 60, cost: 0.3 });
    /// # Ok(()) }
    /// ```
    pub fn aggregate<T: DeserializeOwned>(
        &self,
        question: &(impl Serialize + ?Sized),
    ) -> Result<AggregateRows<T>> {
        let refused = |refusal: Refusal| Error::Invalid(refusal.to_string());
        let text = serde_json::to_vec(question).map_err(|cause| Error::Invalid(cause.to_string()))?;
        let request = parse_aggregate(&text).map_err(refused)?;
        let named = !request.use_index.is_empty();
        let aggregate = Arc::new(request.aggregate);
        let mut find = FindRequest::new(request.selector);
        find.fields = aggregate
            .fields()
            .iter()
            .map(|field| field.name().to_owned())
            .collect();
        // Where no field is asked for, an index of any tells enough.
        find.fields.push("_id".to_owned());
        find.use_index = request.use_index;
        find.allow_fallback = request.allow_fallback;
        find.update = request.update;
        let (selector, plan, index) = Find::of(self, find.clone()).begin(&find)?;
        let mut gathering = Gathering::new(self.engine(), index, selector, &plan, aggregate, named)?;
        while !gathering.is_done() {
            gathering.step()?;
        }
        Ok(AggregateRows {
            report: gathering.finish(request.skip, request.limit),
            value: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Iterator for AggregateRows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let row = self.report.next()?;
        let mut text = Vec::new();
        write_row(self.report.aggregate().columns(), &row, &mut text);
        Some(serde_json::from_slice(&text).map_err(|cause| {
            Error::Invalid(format!(
                "the row {} is not of the type in use: {cause}",
                String::from_utf8_lossy(&text)
            ))
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.report.size_hint()
    }
}
