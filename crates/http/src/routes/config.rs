//! `/_node/{node}/_config`: the settings in force, and those that may change while the server runs.

use crate::app::{App, blocking};
use crate::auth::User;
use crate::body::{self, Whole};
use crate::error::{Error, Result};
use crate::respond;
use crate::settings::{Shown, Unchanged, Value};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one node that there is, by CouchDB's name and by ours.
const NODES: [&str; 2] = ["_local", "nonode@nohost"];

pub(super) async fn all(State(app): State<App>, Path(node): Path<String>) -> Result<Response> {
    known(&node)?;
    let sections = app.config.list().into_iter();
    let shown: Map<String, Json> = sections
        .map(|(name, keys)| (name.to_owned(), texts(keys)))
        .collect();
    Ok(respond::value(StatusCode::OK, &Json::Object(shown)))
}

pub(super) async fn section(
    State(app): State<App>,
    Path((node, section)): Path<(String, String)>,
) -> Result<Response> {
    known(&node)?;
    let keys = app.config.list().remove(section.as_str()).ok_or(UNKNOWN)?;
    Ok(respond::value(StatusCode::OK, &texts(keys)))
}

pub(super) async fn show(State(app): State<App>, Path((node, section, key)): Place) -> Result<Response> {
    known(&node)?;
    let mut keys = app.config.list().remove(section.as_str()).ok_or(UNKNOWN)?;
    let shown = keys.remove(&key).ok_or(UNKNOWN)?;
    Ok(respond::value(StatusCode::OK, &Json::from(shown.text)))
}

pub(super) async fn set(
    State(app): State<App>,
    Extension(user): Extension<Arc<User>>,
    Path((node, section, key)): Place,
    Whole(body, _room): Whole,
) -> Result<Response> {
    known(&node)?;
    let value = read(body::text(&body)?)?;
    change(app, &user, section, key, Some(value)).await
}

pub(super) async fn delete(
    State(app): State<App>,
    Extension(user): Extension<Arc<User>>,
    Path((node, section, key)): Place,
) -> Result<Response> {
    known(&node)?;
    change(app, &user, section, key, None).await
}

pub(super) async fn reload(
    State(app): State<App>,
    Extension(user): Extension<Arc<User>>,
    Path(node): Path<String>,
) -> Result<Response> {
    known(&node)?;
    let reloaded = move || {
        let settings = app.config.reload(&by(&user)).map_err(|wrong| wrong.to_string());
        let read = app.certificates.iter().filter_map(|tls| tls.reload().err());
        let failed = read.map(|error| format!("{error}; the former certificate stays in use"));
        let wrong: Vec<String> = settings.clone().err().into_iter().chain(failed).collect();
        settings
            .ok()
            .filter(|_| wrong.is_empty())
            .ok_or_else(|| Error::bad(wrong.join("; ")))
    };
    let waiting = blocking(reloaded).await?;
    if waiting.is_empty() {
        return Ok(respond::ok(StatusCode::OK));
    }
    let answer = json!({ "ok": true, "after_restart": waiting });
    Ok(respond::value(StatusCode::OK, &answer))
}

type Place = Path<(String, String, String)>;

const UNKNOWN: Error = Error::NotFound(std::borrow::Cow::Borrowed("unknown_config_value"));

fn known(node: &str) -> Result<()> {
    if NODES.contains(&node) {
        return Ok(());
    }
    Err(Error::NotFound(format!("no such node: {node}").into()))
}

fn texts(keys: BTreeMap<String, Shown>) -> Json {
    keys.into_iter().map(|(key, shown)| (key, shown.text)).collect()
}

/// CouchDB takes JSON strings alone; numbers, switches and lists are as good.
fn read(body: &str) -> Result<Value> {
    let text = |value: Json| match value {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(switch) => Some(switch.to_string()),
        _ => None,
    };
    let value = match serde_json::from_str(body) {
        Ok(Json::Array(texts)) => texts
            .into_iter()
            .map(text)
            .collect::<Option<_>>()
            .map(Value::List),
        Ok(value) => text(value).map(Value::Text),
        Err(_) => None,
    };
    value.ok_or(Error::bad("The body must be a JSON string, or a list of them."))
}

/// Who a change is put down to.
fn by(user: &User) -> String {
    user.name.clone().unwrap_or_default()
}

async fn change(
    app: App,
    user: &User,
    section: String,
    key: String,
    value: Option<Value>,
) -> Result<Response> {
    let who = by(user);
    let changed = move || match app.config.change(&section, &key, value, &who) {
        Ok(old) => Ok(old),
        Err(Unchanged::Unknown) => Err(UNKNOWN),
        Err(Unchanged::Refused(why)) => Err(Error::bad(why)),
        Err(Unchanged::NotKept(why)) => Err(Error::Internal(why)),
    };
    let old = blocking(changed).await?.unwrap_or_default();
    Ok(respond::value(StatusCode::OK, &Json::from(old)))
}
