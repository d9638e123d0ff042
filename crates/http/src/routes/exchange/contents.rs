//! Attachment bytes by the hash of their content: which are lacking, reading them, and bringing them.

use super::uploads::{Place, Turn};
use crate::app::{App, blocking};
use crate::body::{self, JsonBody};
use crate::content::{Part, send_all};
use crate::error::{Error, Result};
use crate::request::{Db, Query, header_text, header_value};
use crate::respond;
use crate::routes::attachment::{Ranges, content_range, parse_ranges};
use crate::upload::Upload;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use trunkline_core::attachment::{Content, ContentHash, Encoding};
use trunkline_store::{Database, StagedContents};
use trunkline_wire::exchange;

const UPLOAD_OFFSET: HeaderName = HeaderName::from_static(exchange::UPLOAD_OFFSET);

const NAME_A_DOCUMENT: &str =
    "You may see some documents of this database only: name one that has this content (`doc`).";

pub(in crate::routes) async fn lacking(
    State(app): State<App>,
    Db(db): Db,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    let answer = blocking(move || {
        let asked: Vec<Content> = exchange::parse_contents(&body)?
            .into_iter()
            .map(|hash| named(hash, 0))
            .collect();
        let mut lacking = db.lacking(&asked)?;
        lacking.retain(|content| !app.uploads.has(&Place::new(&db, content.hash)));
        let mut out = Vec::new();
        exchange::write_contents(&mut out, lacking.iter().map(|content| &content.hash));
        out.push(b'\n');
        Ok(out)
    });
    Ok(respond::json(StatusCode::OK, answer.await?))
}

pub(in crate::routes) async fn absent(Db(db): Db, JsonBody(body, _room): JsonBody) -> Result<Response> {
    let answer = blocking(move || {
        let (after, limit) = exchange::parse_absent_ask(&body)?;
        let mut out = Vec::new();
        exchange::write_absent(&mut out, &db.absent(after, limit)?);
        Ok(out)
    });
    Ok(respond::json(StatusCode::OK, answer.await?))
}

/// Content of which only the hash and the length as stored are known; for what asks for no more.
fn named(hash: ContentHash, stored_bytes: u64) -> Content {
    Content {
        hash,
        md5: [0; 16],
        length: stored_bytes,
        encoding: Encoding::Identity,
    }
}

fn hash(text: &str) -> Result<ContentHash> {
    exchange::parse_hash(text).ok_or(Error::bad("A content's hash has 64 hexadecimal digits."))
}

pub(in crate::routes) async fn read(
    State(app): State<App>,
    Db(db): Db,
    Path((_, name)): Path<(String, String)>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    let hash = hash(&name)?;
    let doc = query.text("doc").map(str::to_owned);
    if doc.is_none() && !db.is_whole() {
        return Err(Error::Forbidden(NAME_A_DOCUMENT.to_owned()));
    }
    let looked = db.clone();
    let length = blocking(move || {
        let opened = looked.open_content_by_hash(&hash, doc.as_deref())?;
        Ok(opened.stored_bytes())
    });
    let length = length.await?;
    let ranges = match header_text(&headers, header::RANGE) {
        Some(text) => parse_ranges(text, length)?,
        None => Ranges::Whole,
    };
    let (chunks, body) = respond::chunks(app.unsent.share_of(&db));
    let mut response = Response::new(body);
    let out = response.headers_mut();
    out.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (part, bytes) = match ranges {
        Ranges::One(from, to) => {
            if let Some(range) = header_value(&content_range(from, to, length)) {
                out.insert(header::CONTENT_RANGE, range);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (Part::Range(from, to), to - from + 1)
        }
        Ranges::Whole | Ranges::Several(_) => (Part::Stored, length),
    };
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    tokio::spawn(async move { send_all(&db, &named(hash, length), part, &chunks).await });
    Ok(response)
}

/// How many bytes an upload that was cut off left.
pub(in crate::routes) async fn begun(
    State(app): State<App>,
    Db(db): Db,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response> {
    let begun = app.uploads.begun(&Place::new(&db, hash(&name)?));
    let mut response = Response::new(Body::empty());
    response
        .headers_mut()
        .insert(UPLOAD_OFFSET, HeaderValue::from(begun));
    Ok(response)
}

pub(in crate::routes) async fn write(
    State(app): State<App>,
    Db(db): Db,
    Path((_, name)): Path<(String, String)>,
    query: Query,
    request: Request,
) -> Result<Response> {
    let hash = hash(&name)?;
    let from = query.text("from").map_or(Ok(0), str::parse);
    let from: u64 = from.map_err(|_| Error::bad("`from` must be a number of bytes."))?;
    let gzip = query.is_true("gzip");
    // On its own: when the connection is cut, the server drops what answers it, but not what came.
    let taken = tokio::spawn(async move { take(&app, &db, hash, from, gzip, request).await });
    match taken.await {
        Ok(taken) => taken.map(|()| respond::ok(StatusCode::CREATED)),
        Err(join) => Err(Error::Internal(join.to_string())),
    }
}

async fn take(
    app: &App,
    db: &Database,
    hash: ContentHash,
    from: u64,
    gzip: bool,
    request: Request,
) -> Result<()> {
    let name = exchange::hash_text(&hash);
    let (turn, staging) = Turn::take(app, Place::new(db, hash), from)?;
    let mut upload = match staging {
        Some(staging) => Upload::go_on(staging, &name, app.config().attachment_bytes_max),
        None => {
            let expected = body::announced(&request);
            Upload::start(db, &name, expected, app.config().attachment_bytes_max).await?
        }
    };
    let mut incoming = request.into_body();
    loop {
        match body::next(&mut incoming).await {
            Ok(Some(bytes)) => upload.push(bytes).await?,
            Ok(None) => break,
            Err(error) => {
                turn.keep(upload.pause().await?);
                return Err(error);
            }
        }
    }
    let mut staged = StagedContents::new(db);
    let content = upload.finish(gzip, &mut staged).await?;
    if content.hash != hash {
        return Err(Error::BadAttachment("these bytes have another hash".to_owned()));
    }
    let (supplied, bytes) = (db.clone(), content.clone());
    let is_taken = blocking(move || Ok(supplied.supply(&bytes)?)).await?;
    staged.taken();
    if !is_taken {
        turn.wait(db, content);
    }
    Ok(())
}
