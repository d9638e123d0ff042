//! `_replicate`: one-shot replications, continuous ones, and ending them.

use crate::app::App;
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use trunkline_core::db_name::DbName;
use trunkline_core::selector::Selector;
use trunkline_replicate::{
    HttpOptions, HttpPeer, LocalPeer, Peer, PeerError, PeerErrorKind, Report, Scheduler, Spec,
};

/// The body of a request. Members that tune CouchDB's own replicator are passed over.
#[derive(Deserialize)]
struct Asked<'a> {
    source: Option<Value>,
    target: Option<Value>,
    #[serde(default)]
    continuous: bool,
    #[serde(default)]
    cancel: bool,
    #[serde(default)]
    create_target: bool,
    #[serde(default)]
    winning_revs_only: bool,
    use_checkpoints: Option<bool>,
    doc_ids: Option<Vec<String>>,
    #[serde(borrow)]
    selector: Option<&'a RawValue>,
    #[serde(borrow)]
    since_seq: Option<&'a RawValue>,
    filter: Option<String>,
    #[serde(alias = "id", alias = "_local_id")]
    replication_id: Option<String>,
}

pub(super) async fn replicate(State(app): State<App>, body: JsonBody) -> Result<Response> {
    let asked: Asked<'_> = serde_json::from_str(body.text()?).map_err(|error| match error.is_data() {
        true => Error::bad(format!("The replication cannot be read: {error}")),
        false => crate::body::INVALID_JSON,
    })?;
    if let (true, Some(id)) = (asked.cancel, &asked.replication_id) {
        return cancel(&app, id).await;
    }
    let spec = spec(&asked)?;
    let source = peer(&app, asked.source.as_ref(), "source")?;
    let target = peer(&app, asked.target.as_ref(), "target")?;
    if asked.cancel {
        return cancel(&app, &Scheduler::job_id(&*source, &*target, &spec)).await;
    }
    if spec.continuous {
        let id = app.replications.start(source, target, spec);
        return Ok(respond::value(
            StatusCode::ACCEPTED,
            &json!({ "ok": true, "_local_id": id }),
        ));
    }
    match app.replications.run(source, target, spec).await {
        Ok(report) => Ok(respond::value(StatusCode::OK, &answer(&report))),
        Err(error) => Err(failed(&error)),
    }
}

async fn cancel(app: &App, id: &str) -> Result<Response> {
    match app.replications.cancel(id).await {
        Some(id) => Ok(respond::value(
            StatusCode::OK,
            &json!({ "ok": true, "_local_id": id }),
        )),
        None => Err(Error::NotFound("No such replication runs here.".into())),
    }
}

fn spec(asked: &Asked<'_>) -> Result<Spec> {
    if asked.filter.is_some() {
        return Err(Error::NotImplemented(
            "This version runs no filter functions; give the replication a `selector` or `doc_ids` instead.",
        ));
    }
    if asked.selector.is_some() && asked.doc_ids.is_some() {
        return Err(Error::bad("`doc_ids` and `selector` exclude each other"));
    }
    let selector = match asked.selector {
        None => None,
        Some(text) => {
            let selector = Selector::parse(text.get()).map_err(|invalid| Error::bad(invalid.to_string()))?;
            Some((text.get().to_owned(), selector))
        }
    };
    Ok(Spec {
        continuous: asked.continuous,
        create_target: asked.create_target,
        doc_ids: asked.doc_ids.clone(),
        selector,
        since_seq: asked.since_seq.map(|seq| seq.get().to_owned()),
        winning_revs_only: asked.winning_revs_only,
        use_checkpoints: asked.use_checkpoints,
        ..Spec::default()
    })
}

/// An end of a replication: a URL, `{"url":..,"headers":..,"auth":..}`, or the name of a database here.
fn peer(app: &App, end: Option<&Value>, which: &str) -> Result<Arc<dyn Peer>> {
    let (url, options) = match end {
        Some(Value::String(url)) => (url.as_str(), HttpOptions::default()),
        Some(Value::Object(end)) => {
            let url = end.get("url").and_then(Value::as_str);
            let url = url.ok_or_else(|| Error::bad(format!("`{which}` needs a `url`")))?;
            (url, options(end)?)
        }
        _ => {
            return Err(Error::bad(format!(
                "`{which}` must be a URL or an object with one"
            )));
        }
    };
    if url.starts_with("http://") || url.starts_with("https://") {
        return match HttpPeer::new(url, options) {
            Ok(peer) => Ok(Arc::new(peer)),
            Err(error) => Err(Error::bad(error.reason)),
        };
    }
    let name = DbName::parse(url).map_err(|_| Error::IllegalDatabaseName(url.to_owned()))?;
    Ok(Arc::new(LocalPeer::new(app.store.clone(), name)))
}

fn options(end: &Map<String, Value>) -> Result<HttpOptions> {
    let mut options = HttpOptions::default();
    for (name, value) in end
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let value = value
            .as_str()
            .ok_or_else(|| Error::bad(format!("The header '{name}' must be a string")))?;
        // Basic credentials are kept apart from other headers, so that nothing shows them.
        let basic = name
            .eq_ignore_ascii_case("authorization")
            .then(|| basic(value))
            .flatten();
        match basic {
            Some(credentials) => options.credentials = Some(credentials),
            None => options.headers.push((name.clone(), value.to_owned())),
        }
    }
    if let Some(auth) = end.get("auth").and_then(|auth| auth.get("basic")) {
        let member = |name: &str| auth.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(name), Some(password)) = (member("username"), member("password")) else {
            return Err(Error::bad("`auth.basic` needs `username` and `password`"));
        };
        options.credentials = Some((name, password));
    }
    Ok(options)
}

fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header
        .strip_prefix("Basic ")
        .or_else(|| header.strip_prefix("basic "))?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

fn answer(report: &Report) -> Value {
    let progress = &report.progress;
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let mut answer = json!({
        "ok": true,
        "session_id": progress.session_id,
        "source_last_seq": progress.through_seq.as_deref().or(progress.source_seq.as_deref()).map_or(Value::Null, json),
        "replication_id_version": 4,
        "history": report.history.iter().map(|entry| json(entry)).collect::<Vec<Value>>(),
    });
    if let (true, Some(members)) = (report.no_changes, answer.as_object_mut()) {
        members.insert("no_changes".to_owned(), Value::Bool(true));
    }
    if let (false, Some(members)) = (report.refused.is_empty(), answer.as_object_mut()) {
        let refused = report
            .refused
            .iter()
            .map(|doc| json!({ "id": doc.id, "rev": doc.rev, "error": doc.error, "reason": doc.reason }));
        members.insert("refused".to_owned(), refused.collect());
    }
    answer
}

fn failed(error: &PeerError) -> Error {
    let (status, word) = match error.kind {
        PeerErrorKind::DatabaseMissing => (StatusCode::NOT_FOUND, "db_not_found"),
        PeerErrorKind::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
        PeerErrorKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        PeerErrorKind::Invalid => (StatusCode::BAD_REQUEST, "bad_request"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "replication_error"),
    };
    Error::Replication(status, word, error.to_string())
}
