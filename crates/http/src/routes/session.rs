//! `/_session`: who is asking, logging in and out.

use crate::app::App;
use crate::auth::{self, Credentials, User, users_db};
use crate::body::{self, INVALID_JSON};
use crate::connection::Peer;
use crate::error::{Error, Result};
use crate::request::{Query, header_text};
use crate::respond;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use trunkline_core::limits::LOG_IN_BYTES_MAX;

pub(super) async fn show(
    State(app): State<App>,
    Extension(user): Extension<Arc<User>>,
    query: Query,
) -> Result<Response> {
    if user.name.is_none() && query.is_true("basic") {
        return Err(Error::Unauthorized("Please login.".to_owned()));
    }
    let handlers = auth::handlers(&app.config());
    let info = match user.by {
        None => json!({ "authentication_handlers": handlers, "authentication_db": users_db::NAME }),
        Some(by) => json!({
            "authentication_handlers": handlers,
            "authenticated": by.handler(),
            "authentication_db": users_db::NAME,
        }),
    };
    let session = json!({ "ok": true, "userCtx": user.context(), "info": info });
    Ok(respond::value(StatusCode::OK, &session))
}

/// Name and password in a form or in JSON.
pub(super) async fn log_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    query: Query,
    headers: HeaderMap,
    request: Request,
) -> Result<Response> {
    // Anybody may try, so it may not take much.
    let (body, _room) = body::read_within(request, &app, LOG_IN_BYTES_MAX).await?;
    let credentials = credentials(&headers, &body)?;
    let name = credentials.name.clone();
    let peer = peer.map(|Extension(peer)| peer);
    let (answer, cookie) = match auth::begin_session(&app, credentials, &headers, peer).await {
        Ok((user, cookie)) => {
            let session = json!({ "ok": true, "name": name, "roles": user.roles });
            (respond::value(StatusCode::OK, &session), cookie)
        }
        Err(refused @ Error::Unauthorized(_)) => {
            let answer = redirected(refused.into_response(), &query, "fail");
            return Ok(with_cookie(answer, auth::end_session(&app, &headers, peer)));
        }
        Err(other) => return Err(other),
    };
    Ok(with_cookie(redirected(answer, &query, "next"), cookie))
}

pub(super) async fn log_out(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    query: Query,
    headers: HeaderMap,
) -> Response {
    let cookie = auth::end_session(&app, &headers, peer.map(|Extension(peer)| peer));
    with_cookie(redirected(respond::ok(StatusCode::OK), &query, "next"), cookie)
}

fn with_cookie(mut answer: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// Sends a browser on to a page of this server. Others are passed over: a link that logs in must not lead elsewhere.
fn redirected(mut answer: Response, query: &Query, option: &str) -> Response {
    let page = query.text(option).filter(|page| is_own_page(page));
    if let Some(page) = page.and_then(|page| HeaderValue::from_str(page).ok()) {
        *answer.status_mut() = StatusCode::FOUND;
        answer.headers_mut().insert(header::LOCATION, page);
    }
    answer
}

fn is_own_page(page: &str) -> bool {
    page.starts_with('/') && !page.starts_with("//") && !page.contains(['\\', '\t', '\n', '\r'])
}

fn credentials(headers: &HeaderMap, body: &[u8]) -> Result<Credentials> {
    let kind = header_text(headers, header::CONTENT_TYPE).unwrap_or_default();
    let is = |wanted: &str| kind.trim_start().to_ascii_lowercase().starts_with(wanted);
    let (name, username, password) = if is("application/x-www-form-urlencoded") {
        let form = std::str::from_utf8(body).map_err(|_| Error::bad("invalid UTF-8 in the form"))?;
        let form = Query::parse(form)?;
        let field = |name| form.text(name).map(str::to_owned);
        (field("name"), field("username"), field("password"))
    } else if is("application/json") {
        let body: Value = serde_json::from_slice(body).map_err(|_| INVALID_JSON)?;
        let member = |name| body.get(name).and_then(Value::as_str).map(str::to_owned);
        (member("name"), member("username"), member("password"))
    } else {
        (None, None, None)
    };
    let name = match (name, username) {
        (None, None) => return Err(Error::bad("request body must contain a username")),
        (Some(name), Some(username)) if name != username => {
            return Err(Error::bad("request body contains different usernames"));
        }
        (Some(name), _) | (None, Some(name)) => name,
    };
    let password = password.unwrap_or_default();
    Ok(Credentials { name, password })
}
