//! `_replicate`: one-shot replications, continuous ones, and ending them.

use crate::app::App;
use crate::audit::{self, Who};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::respond;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use trunkline_replicate::{Definition, InvalidDefinition, PeerError, PeerErrorKind, Report};
use trunkline_wire::replication::Asked;

pub(super) async fn replicate(State(app): State<App>, who: Who, body: JsonBody) -> Result<Response> {
    let asked = Asked::parse(body.text()?)?;
    drop(body);
    let cancels = asked.cancel;
    if let (true, Some(id)) = (cancels, &asked.replication_id) {
        return cancel(&app, &who, id).await;
    }
    let definition = Definition::from_asked(asked).map_err(invalid)?;
    if cancels {
        return cancel(&app, &who, &definition.job_id()).await;
    }
    let ends = [definition.source.label(), definition.target.label()];
    audit::replication(&who, "replication begun", &definition.job_id(), Some(ends));
    if definition.spec.continuous {
        let id = app.replications.start_transient(definition);
        let answer = json!({ "ok": true, "_local_id": id.map_err(|error| failed(&error))? });
        return Ok(respond::value(StatusCode::ACCEPTED, &answer));
    }
    match app.replications.run(definition).await {
        Ok(report) => Ok(respond::value(StatusCode::OK, &answer(&report))),
        Err(error) => Err(failed(&error)),
    }
}

fn invalid(invalid: InvalidDefinition) -> Error {
    Error::bad(invalid.reason)
}

async fn cancel(app: &App, who: &Who, id: &str) -> Result<Response> {
    match app.replications.stop(id).await {
        Some(id) => {
            audit::replication(who, "replication ended", &id, None);
            let answer = json!({ "ok": true, "_local_id": id });
            Ok(respond::value(StatusCode::OK, &answer))
        }
        None => Err(Error::NotFound("No such replication runs here.".into())),
    }
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
