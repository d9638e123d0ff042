//! A request with what answers it.

use crate::app::App;
use crate::error::{Error, Result};
use crate::request;
use crate::room::Room;
use crate::views;
use axum::http::StatusCode;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use trunkline_core::partition::Partition;
use trunkline_core::selector::Selector;
use trunkline_query::ViewIndex;
use trunkline_query::mango::{Plan, Search, Shown, Source, Stats, Wanted};
use trunkline_store::Database;
use trunkline_wire::find::{FindRequest, Refusal};

/// A request, and how it is to be answered.
pub(in crate::routes) struct Query {
    pub(super) request: FindRequest,
    pub(in crate::routes) selector: Selector,
    pub(in crate::routes) plan: Plan,
    /// The database has partitions.
    pub(super) partitioned: bool,
    started: Instant,
    /// What its patterns take.
    pub(super) room: Room,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::Mango(StatusCode::BAD_REQUEST, refusal.word, refusal.reason)
    }
}

/// A request, in the partition that the path or the query string names.
pub(in crate::routes) fn within(asked: &request::Query, mut request: FindRequest) -> Result<FindRequest> {
    if let Some(name) = asked.text("partition") {
        let partition = Partition::parse(name)?;
        if request
            .partition
            .as_ref()
            .is_some_and(|given| *given != partition)
        {
            return Err(Error::bad("Conflicting value for `partition` in the body"));
        }
        request.partition = Some(partition);
    }
    Ok(request)
}

impl Query {
    /// Chooses an index. Blocks.
    pub(super) fn new(app: &App, db: &Database, request: FindRequest) -> Result<Query> {
        let started = Instant::now();
        let selector = Selector::parse(&request.selector).map_err(Refusal::from)?;
        let catalog = app.views.indexes.catalog(db)?;
        if request.partition.is_some() && !catalog.partitioned {
            return Err(Error::bad("partition specified on non-partitioned db"));
        }
        let wanted = Wanted {
            selector: &selector,
            sort: &request.sort,
            fields: &request.fields,
            use_index: &request.use_index,
            allow_fallback: request.allow_fallback,
            partition: request.partition.as_ref(),
        };
        let mut plan = Plan::new(&catalog, &wanted)
            .map_err(|none| Error::Mango(StatusCode::BAD_REQUEST, none.word(), none.to_string()))?;
        plan.nothing |= request.lists_nothing();
        Ok(Query {
            request,
            selector,
            plan,
            partitioned: catalog.partitioned,
            started,
            room: Room::default(),
        })
    }

    /// All that matches, shown as briefly as can be.
    pub(super) fn count(selector: String) -> FindRequest {
        let mut request = FindRequest::new(selector);
        request.limit = u64::MAX;
        request.fields.push("_id".to_owned());
        request
    }

    /// Whether it can be answered at once: its index, if it has one, is up to date, or to be left as it is. Blocks.
    pub(super) fn is_ready(&self, app: &App, db: &Database) -> Result<bool> {
        match self.index(app, db)? {
            Some(index) if self.request.update && !self.plan.nothing => Ok(index.reached(&index.goal()?)?),
            _ => Ok(true),
        }
    }

    /// Brings the index up to date. Answers whether its design document still says the same: if not, another index has to
    /// be chosen.
    pub(super) async fn refresh(&self, app: &App, db: &Database) -> Result<bool> {
        match &self.plan.source {
            Source::Index { index, .. } => {
                let opened = match views::open(app, db, format!("_design/{}", index.ddoc)).await {
                    Err(Error::NotFound(_)) => return Ok(false),
                    opened => opened?,
                };
                if opened.design.signature != index.design.signature {
                    return Ok(false);
                }
                views::refresh(app, &opened).await?;
                Ok(true)
            }
            Source::Documents(_) => Ok(true),
        }
    }

    /// The plan's index.
    pub(in crate::routes) fn index(&self, app: &App, db: &Database) -> Result<Option<Arc<ViewIndex>>> {
        Ok(match &self.plan.source {
            Source::Documents(_) => None,
            Source::Index { index, .. } => Some(app.views.indexes.index(db, index.design.as_ref().clone())?),
        })
    }

    /// Appends what it took, if that is to be told.
    pub(in crate::routes) fn write_stats(&self, stats: Stats, results: u64, out: &mut Vec<u8>) {
        if !self.request.execution_stats {
            return;
        }
        let milliseconds = self.started.elapsed().as_secs_f64() * 1000.0;
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            ",\r\n\"execution_stats\": {{\"total_keys_examined\":{},\"total_docs_examined\":{},\
             \"total_quorum_docs_examined\":0,\"results_returned\":{results},\
             \"execution_time_ms\":{milliseconds:.3}}}",
            stats.keys, stats.docs
        );
    }

    /// Begins. Blocks.
    pub(super) fn search(&self, app: &App, db: &Database) -> Result<Search> {
        let request = &self.request;
        let index = self.index(app, db)?;
        let shown = Shown::new(&request.fields, request.conflicts).map_err(Refusal::from)?;
        let search = Search::new(
            db,
            index,
            self.selector.clone(),
            &self.plan,
            shown,
            request.bookmark.as_deref(),
        );
        let search = search.ok_or_else(|| {
            let given = serde_json::Value::from(request.bookmark.clone());
            Refusal::new("invalid_bookmark", format!("Invalid bookmark value: {given}"))
        })?;
        Ok(search.page(request.skip, request.limit))
    }
}
