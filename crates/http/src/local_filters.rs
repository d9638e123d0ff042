//! Filter functions for replications whose source is a database of this process.

use crate::function_request::FunctionRequest;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use trunkline_query::{Filter, FunctionError};
use trunkline_replicate::{LocalFilter, SourceFilter};
use trunkline_store::Database;
use trunkline_wire::design_doc;

/// The filter function of a database as its own `_changes` would run it, for
/// [`trunkline_replicate::LocalPeer::set_filter_maker`].
pub fn local_filter(db: &Database, filter: &SourceFilter) -> Result<Option<LocalFilter>, String> {
    let is_view = filter.name == "_view";
    let view = || filter.params.iter().find(|(name, _)| name == "view");
    let path = match is_view {
        true => view().map_or("", |(_, path)| path),
        false => filter.name.as_str(),
    };
    let Some((design, name)) = path.split_once('/').filter(|_| !path.starts_with('_')) else {
        return Err(format!(
            "{path:?} is no filter function: it must be of the form `designname/name`"
        ));
    };
    let found = match is_view {
        true => Filter::view(db, design, name),
        false => Filter::function(db, design, name),
    };
    let found = match found {
        Err(FunctionError::NoDesign | FunctionError::DesignDeleted | FunctionError::NoMember(_)) => {
            return Ok(None);
        }
        found => found.map_err(|error| error.to_string())?,
    };
    let code = match is_view {
        true => String::new(),
        false => source(db, design, name)?,
    };
    let request = request(db, filter)?;
    Ok(Some(LocalFilter {
        code,
        takes: Arc::new(move |docs| found.takes(docs, &request).map_err(|error| error.to_string())),
    }))
}

fn source(db: &Database, design: &str, name: &str) -> Result<String, String> {
    let leaf = db
        .get(&format!("_design/{design}"), None)
        .map_err(|error| error.to_string())?;
    let body = leaf.as_ref().map_or("{}", |leaf| leaf.body.as_str());
    let mut parsed = design_doc::parse(body).map_err(|invalid| invalid.reason)?;
    Ok(parsed.filters.remove(name).unwrap_or_default())
}

/// The request that a replicator would ask the same with.
fn request(db: &Database, filter: &SourceFilter) -> Result<String, String> {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut uri = format!(
        "/{}/_changes?filter={}",
        escaped(db.name().as_str()),
        escaped(&filter.name)
    );
    for (name, value) in &filter.params {
        uri.push_str(&format!("&{}={}", escaped(name), escaped(value)));
    }
    let request = FunctionRequest::of(&uri).ok_or("the filter's parameters make no request")?;
    request
        .json(db, None, None)
        .map_err(|error| error.row().2.into_owned())
}
