//! The request as functions of design documents see it: their `req`, and who asks.

use crate::auth::proxy;
use crate::error::Result;
use crate::request::{Query, header_text};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use trunkline_store::Database;
use trunkline_wire::functions::{self, DEFAULT_SECURITY};
use trunkline_wire::seq;

/// What of a request its functions may want to know.
#[derive(Clone, Debug)]
pub(crate) struct FunctionRequest {
    method: Method,
    uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for FunctionRequest {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Infallible> {
        Ok(FunctionRequest {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
        })
    }
}

impl FunctionRequest {
    /// A GET of this path and query, from nobody in particular.
    pub(crate) fn of(uri: &str) -> Option<FunctionRequest> {
        Some(FunctionRequest {
            method: Method::GET,
            uri: uri.parse().ok()?,
            headers: HeaderMap::new(),
        })
    }

    /// JSON text. Reads the database.
    pub(crate) fn json(&self, db: &Database, id: Option<&str>, body: Option<&str>) -> Result<String> {
        let info = db.info()?;
        let query = Query::parse(self.uri.query().unwrap_or_default())?;
        let path: Vec<Value> = self.uri.path().split('/').skip(1).map(segment).collect();
        let name = db.name().as_str();
        let security = db.security()?;
        // Who sees some documents only is not told who sees the others.
        let security = match db.is_whole() {
            true => security.as_deref().unwrap_or(DEFAULT_SECURITY),
            false => "{}",
        };
        let request = json!({
            "info": {
                "db_name": name,
                "update_seq": format!("{}-{}", info.update_seq, seq::suffix(&info.uuid)),
                "doc_count": info.doc_count,
                "doc_del_count": info.doc_del_count,
            },
            "id": id,
            "uuid": uuid::Uuid::new_v4().simple().to_string(),
            "method": self.method.as_str(),
            "requested_path": &path,
            "path": &path,
            "raw_path": self.uri.path_and_query().map_or("/", |path| path.as_str()),
            "query": object(&query),
            "headers": headers(&self.headers),
            "body": body.unwrap_or("undefined"),
            "peer": "",
            "form": object(&self.form(body)?),
            "cookie": {},
            "userCtx": value(&functions::user_context(name, db.asker().map(|asker| &*asker.user))),
            "secObj": value(security),
        });
        Ok(request.to_string())
    }

    /// What the fields of a form say, where the body is one.
    fn form(&self, body: Option<&str>) -> Result<Query> {
        let is_form = header_text(&self.headers, header::CONTENT_TYPE)
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        match body {
            Some(body) if is_form => Query::parse(body),
            _ => Ok(Query::default()),
        }
    }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn segment(raw: &str) -> Value {
    let decoded = percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
    Value::String(decoded.into_owned())
}

fn object(query: &Query) -> Value {
    let mut members = Map::new();
    for (name, value) in query.pairs() {
        members.entry(name).or_insert_with(|| json!(value));
    }
    Value::Object(members)
}

/// Headers under the names that CouchDB gives them, `Content-Type` for `content-type`; no secrets.
fn headers(headers: &HeaderMap) -> Value {
    let named = headers.keys().filter(|name| !SECRET.contains(name));
    let members = named.filter_map(|name| {
        let value = header_text(headers, name.clone())?;
        Some((spelled(name.as_str()), json!(value)))
    });
    Value::Object(members.collect())
}

/// What makes who sends it somebody.
const SECRET: [header::HeaderName; 6] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    proxy::NAME,
    proxy::ROLES,
    proxy::TOKEN,
];

fn spelled(name: &str) -> String {
    let mut starts = true;
    let spell = |letter: char| {
        let spelled = if starts {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        starts = letter == '-';
        spelled
    };
    name.chars().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_spelled_as_couchdb_spells_them() {
        let given = [
            ("content-type", "a/b"),
            ("host", "x"),
            ("authorization", "Basic eA=="),
            ("x-auth-couchdb-username", "anna"),
            ("x-auth-couchdb-roles", "a"),
            ("x-auth-couchdb-token", "00"),
        ];
        let given = given.map(|(name, value)| {
            (
                header::HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            )
        });
        let spelled = headers(&HeaderMap::from_iter(given));
        assert_eq!(spelled, json!({ "Content-Type": "a/b", "Host": "x" }));
    }
}
