//! Functions of design documents that answer requests: updates are run; shows, lists and rewrites are not.

use super::document::submit;
use crate::app::App;
use crate::body::Whole;
use crate::edit;
use crate::error::{Error, Result};
use crate::function_request::FunctionRequest;
use crate::request::{Db, captures, header_value};
use crate::respond;
use crate::show::{self, Members};
use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trunkline_query::Update;
use trunkline_store::{Database, Durability, Written};
use trunkline_wire::document;
use trunkline_wire::functions::{Answer, AnswerBody};

/// What the path of an update names.
pub(super) struct Named {
    design: String,
    function: String,
    doc: Option<String>,
}

impl FromRequestParts<App> for Named {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Named> {
        let mut named = Named {
            design: String::new(),
            function: String::new(),
            doc: None,
        };
        for (capture, value) in &captures(parts).await? {
            match capture {
                "design" => value.clone_into(&mut named.design),
                "function" => value.clone_into(&mut named.function),
                "doc" => named.doc = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(named)
    }
}

pub(super) async fn update(
    State(app): State<App>,
    Db(db): Db,
    named: Named,
    request: FunctionRequest,
    Whole(body, room): Whole,
) -> Result<Response> {
    let (called, text) = (db.clone(), String::from_utf8_lossy(&body).into_owned());
    let updated = app.scan(move || {
        let Named {
            design,
            function,
            doc,
        } = named;
        let update = Update::named(&called, &design, &function)?;
        let old = doc.as_deref().map(|id| shown(&called, id)).transpose()?.flatten();
        let body = (!text.is_empty()).then_some(text.as_str());
        let request = request.json(&called, doc.as_deref(), body)?;
        Ok(update.run(old.as_deref(), &request)?)
    });
    let updated = updated.await?;
    let Some(doc) = updated.doc else {
        return answer(updated.answer, StatusCode::OK, None);
    };
    let doc = document::parse(doc.as_bytes())?;
    let id = doc.id.clone().ok_or(Error::bad(
        "The document that an update function gives needs an _id.",
    ))?;
    let edit = edit::build(&app, &db, &id, doc, true).await?;
    let written = submit(&db, edit, &id, Durability::Durable, room).await?;
    answer(updated.answer, StatusCode::CREATED, Some((&id, written)))
}

/// The document as a function sees it; `None` when it is not there.
fn shown(db: &Database, id: &str) -> Result<Option<String>> {
    let Some(leaf) = db.get(id, None)?.filter(|leaf| !leaf.deleted) else {
        return Ok(None);
    };
    let tree = db.tree(id)?;
    let members = Members {
        revs: true,
        ..Members::default()
    };
    let mut out = Vec::new();
    show::write(
        &mut out,
        id,
        &leaf,
        tree.as_ref().map(|tree| &tree.revs),
        members,
        &[],
    );
    Ok(String::from_utf8(out).ok())
}

/// The answer that the function made up, with what was written.
fn answer(given: Answer, status: StatusCode, written: Option<(&str, Written)>) -> Result<Response> {
    let (body, kind) = match given.body {
        AnswerBody::Text(text) => (text.into_bytes(), "text/html; charset=utf-8"),
        AnswerBody::Json(text) => (text.into_bytes(), "application/json"),
        AnswerBody::Base64(text) => {
            let bytes = STANDARD.decode(text);
            let bytes = bytes.map_err(|_| Error::bad("`base64` of the answer is none"))?;
            (bytes, "text/html; charset=utf-8")
        }
    };
    let mut response = Response::new(Body::from(body));
    let code = given.code.and_then(|code| StatusCode::from_u16(code).ok());
    *response.status_mut() = code.filter(|code| code.as_u16() >= 200).unwrap_or(status);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in &given.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let name = name.filter(|name| !is_ours(name));
        if let (Some(name), Some(value)) = (name, header_value(value)) {
            headers.insert(name, value);
        }
    }
    if let Some((id, written)) = written {
        let rev = header_value(&written.rev.to_string());
        headers.extend(rev.map(|rev| (respond::UPDATED, rev)));
        headers.extend(header_value(id).map(|id| (HeaderName::from_static("x-couch-id"), id)));
    }
    Ok(response)
}

/// How long an answer is, how it is carried, and what a browser lets it do are the server's business.
fn is_ours(name: &HeaderName) -> bool {
    let text = name.as_str();
    [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::SET_COOKIE,
        header::STRICT_TRANSPORT_SECURITY,
    ]
    .contains(name)
        || text == "clear-site-data"
        || text.starts_with("access-control-")
}

pub(super) async fn show(Db(_): Db) -> Error {
    Error::NotImplemented("Show functions are not run; read the document and shape it in the client.")
}

pub(super) async fn list(Db(_): Db) -> Error {
    Error::NotImplemented("List functions are not run; read the view and shape its rows in the client.")
}

pub(super) async fn rewrite(Db(_): Db) -> Error {
    Error::NotImplemented("Rewrites are not run; let a proxy in front of the server map the paths.")
}
