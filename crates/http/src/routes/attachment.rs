//! One attachment of a document: reading it whole or in ranges, writing and deleting it.

mod range;

use super::document::{self, etag, leaf, submit};
use crate::absent;
use crate::app::App;
use crate::body;
use crate::content::{self, Part, Stopped};
use crate::edit;
use crate::error::{Error, Result, rev};
use crate::request::{
    DocPath, Query, Target, doc_id, header_text, header_value, if_match, location, matches_etag,
};
use crate::respond::{self, Chunks};
use crate::room::Room;
use crate::upload::Upload;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
pub(super) use range::{Ranges, parse as parse_ranges};
use trunkline_core::attachment::{Attachment, AttachmentEdit, AttachmentSource, Content, Encoding};
use trunkline_core::doc::{Body as DocBody, Edit, InteractiveEdit};
use trunkline_core::rev::Rev;
use trunkline_store::{Database, Durability, Leaf, StagedContents};
use trunkline_wire as wire;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

pub(super) async fn read(
    State(app): State<App>,
    target: Target,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    let (db, content, mut response) = found(&app, target, &query, &headers).await?;
    let stored_gzip = matches!(content.encoding, Encoding::Gzip { .. });
    let ranges = match header_text(&headers, header::RANGE) {
        Some(text) if !stored_gzip && is_unchanged(&headers, &response) => {
            parse_ranges(text, content.length)?
        }
        _ => Ranges::Whole,
    };
    let (chunks, body) = respond::chunks(app.unsent.share_of(&db));
    *response.body_mut() = body;
    match ranges {
        Ranges::Whole => {
            let decoded = stored_gzip && !response.headers().contains_key(header::CONTENT_ENCODING);
            let part = if decoded { Part::Decoded } else { Part::Stored };
            tokio::spawn(async move { content::send_all(&db, &content, part, &chunks).await });
        }
        Ranges::One(from, to) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from + 1));
            headers.remove(CONTENT_MD5);
            if let Some(value) = header_value(&content_range(from, to, content.length)) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            tokio::spawn(
                async move { content::send_all(&db, &content, Part::Range(from, to), &chunks).await },
            );
        }
        Ranges::Several(ranges) => {
            let boundary = format!("{:032x}", document::random());
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let headers = response.headers_mut();
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(CONTENT_MD5);
            let kind = headers.get(header::CONTENT_TYPE).cloned();
            if let Some(value) = header_value(&format!("multipart/byteranges; boundary=\"{boundary}\"")) {
                headers.insert(header::CONTENT_TYPE, value);
            }
            tokio::spawn(async move { send_ranges(&db, &content, ranges, kind, &boundary, &chunks).await });
        }
    }
    Ok(response)
}

pub(super) async fn head(
    State(app): State<App>,
    target: Target,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    Ok(found(&app, target, &query, &headers).await?.2)
}

/// The attachment, and an answer about it with everything but its bytes.
async fn found(
    app: &App,
    target: Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<(Database, Content, Response)> {
    let Target {
        db,
        path,
        attachment: name,
    } = target;
    let id = document_id(path, &name)?;
    let leaf = leaf(&db, &id, query.text("rev").map(rev).transpose()?).await?;
    let attachment = existing(&leaf, &name)?;
    let Attachment {
        content,
        content_type,
        ..
    } = attachment;
    let md5 = wire::attachments::base64(&content.md5);
    let etag = format!("\"{md5}\"");
    if matches_etag(headers, &etag) {
        return Err(Error::not_modified(&etag));
    }
    let (looked, rev, sought) = (db.clone(), leaf.rev.clone(), attachment.clone());
    let look = app
        .reads
        .run(move || absent::open(&looked, &id, &rev, &sought).map(drop));
    look.await?;
    let mut response = Response::new(Body::empty());
    let out = response.headers_mut();
    // The type is the client's own text: one that no header can hold is served as plain bytes.
    let kind = header_value(content_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    out.insert(header::CONTENT_TYPE, kind);
    out.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox"),
    );
    if let Some(etag) = header_value(&etag) {
        out.insert(header::ETAG, etag);
    }
    let (length, ranges) = match content.encoding {
        Encoding::Identity => {
            out.extend(header_value(&md5).map(|md5| (CONTENT_MD5, md5)));
            (content.length, "bytes")
        }
        Encoding::Gzip { encoded_length } if accepts_gzip(headers) => {
            out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            (encoded_length, "none")
        }
        Encoding::Gzip { .. } => (content.length, "none"),
    };
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static(ranges));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok((db, content.clone(), response))
}

/// A client that goes on with a download says in `If-Range` what it has the start of: of something else it needs the
/// whole. A date never matches; there is none to compare it with.
fn is_unchanged(asked: &HeaderMap, answer: &Response) -> bool {
    let known = asked.get(header::IF_RANGE);
    known.is_none_or(|known| answer.headers().get(header::ETAG) == Some(known))
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    header_text(headers, header::ACCEPT_ENCODING).is_some_and(|given| {
        given.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts
                .next()
                .is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"))
                && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
        })
    })
}

async fn send_ranges(
    db: &Database,
    content: &Content,
    ranges: Vec<(u64, u64)>,
    kind: Option<HeaderValue>,
    boundary: &str,
    chunks: &Chunks,
) {
    let kind = kind
        .as_ref()
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("application/octet-stream");
    let mut out = format!("--{boundary}").into_bytes();
    for (from, to) in ranges {
        let range = content_range(from, to, content.length);
        out.extend_from_slice(
            format!("\r\nContent-Type: {kind}\r\nContent-Range: {range}\r\n\r\n").as_bytes(),
        );
        match content::send(db, content, Part::Range(from, to), &mut out, chunks).await {
            Ok(()) => out.extend_from_slice(format!("\r\n--{boundary}").as_bytes()),
            Err(Stopped::Gone) => return,
            Err(Stopped::Failed(error)) => return chunks.fail(error).await,
        }
    }
    out.extend_from_slice(b"--");
    let _ = chunks.send(out).await;
}

pub(super) fn content_range(from: u64, to: u64, length: u64) -> String {
    format!("bytes {from}-{to}/{length}")
}

fn document_id(path: DocPath, name: &str) -> Result<String> {
    match path {
        DocPath::Local(_) => Err(Error::bad("_local documents do not accept attachments.")),
        // `_design/x/_view/..` and its kin share their shape with attachments.
        DocPath::Doc(id) if id.starts_with("_design/") && name.starts_with('_') => {
            Err(Error::NotImplemented(
                "This version runs the views of design documents, but not their shows, lists, updates and rewrites.",
            ))
        }
        DocPath::Doc(id) => Ok(id),
    }
}

fn existing<'a>(leaf: &'a Leaf, name: &str) -> Result<&'a Attachment> {
    let found = leaf
        .attachments
        .iter()
        .find(|attachment| &*attachment.name == name);
    found.ok_or(Error::NotFound("Document is missing attachment".into()))
}

pub(super) async fn write(
    State(app): State<App>,
    target: Target,
    query: Query,
    request: Request,
) -> Result<Response> {
    let Target {
        db,
        path,
        attachment: name,
    } = target;
    let id = document_id(path, &name)?;
    wire::attachments::check_name(&name)?;
    let headers = request.headers();
    let gzip = match header_text(headers, header::CONTENT_ENCODING)
        .map(|text| text.trim().to_ascii_lowercase())
        .as_deref()
    {
        None | Some("identity") => false,
        Some("gzip") => true,
        Some(_) => {
            return Err(Error::BadContentType(
                "Only gzip and identity content-encodings are supported",
            ));
        }
    };
    let content_type = header_text(headers, header::CONTENT_TYPE)
        .unwrap_or("application/octet-stream")
        .to_owned();
    let location = location(headers, &[db.name().as_str(), &id, &name]);
    let parent = parent(&query, headers)?;
    doc_id(&id)?;
    // Before the upload: a client should not send a gigabyte to learn that its revision is stale.
    let leaf = revision(&db, &id, parent.as_ref()).await?;

    let mut staged = StagedContents::new(&db);
    let content = upload_body(&app, &mut staged, &name, gzip, request).await?;
    let new = AttachmentEdit {
        name: name.as_str().into(),
        content_type: Some(content_type.into()),
        revpos: None,
        source: AttachmentSource::Staged(content),
    };
    let mut response = change(staged, id, &name, parent, leaf, Some(new)).await?;
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn upload_body(
    app: &App,
    staged: &mut StagedContents,
    name: &str,
    gzip: bool,
    request: Request,
) -> Result<Content> {
    let announced_md5 =
        header_text(request.headers(), CONTENT_MD5).map(|text| format!("md5-{}", text.trim()));
    let mut upload = Upload::start(
        staged.database(),
        name,
        body::announced(&request),
        app.config().attachment_bytes_max,
    )
    .await?;
    let mut incoming = request.into_body();
    while let Some(bytes) = body::next(&mut incoming).await? {
        upload.push(bytes).await?;
    }
    let content = upload.finish(gzip, staged).await?;
    match announced_md5 {
        Some(digest) if wire::attachments::parse_digest(&digest) != Some(content.md5) => {
            Err(Error::Md5Mismatch)
        }
        _ => Ok(content),
    }
}

pub(super) async fn delete(target: Target, query: Query, headers: HeaderMap) -> Result<Response> {
    let Target {
        db,
        path,
        attachment: name,
    } = target;
    let id = document_id(path, &name)?;
    let parent = parent(&query, &headers)?;
    let leaf = match &parent {
        None => {
            // 404 before 409: there may be nothing to conflict with.
            existing(&leaf(&db, &id, None).await?, &name)?;
            return Err(Error::Conflict);
        }
        Some(_) => revision(&db, &id, parent.as_ref()).await?,
    };
    if let Some(leaf) = &leaf {
        existing(leaf, &name)?;
    }
    change(StagedContents::new(&db), id, &name, parent, leaf, None).await
}

fn parent(query: &Query, headers: &HeaderMap) -> Result<Option<Rev>> {
    let (in_query, in_header) = (query.text("rev").map(rev).transpose()?, if_match(headers)?);
    if in_query.is_some() && in_header.is_some() && in_query != in_header {
        return Err(Error::bad("Document rev and etag have different values"));
    }
    Ok(in_query.or(in_header))
}

/// The leaf to be edited; `None` for a new document.
pub(super) async fn revision(db: &Database, id: &str, parent: Option<&Rev>) -> Result<Option<Leaf>> {
    let Some(rev) = parent else { return Ok(None) };
    match leaf(db, id, Some(rev.clone())).await {
        Ok(leaf) => Ok(Some(leaf)),
        Err(Error::NotFound(_)) => Err(Error::MissingRev),
        Err(error) => Err(error),
    }
}

/// The same revision with one attachment replaced (put first, as CouchDB does) or gone.
async fn change(
    staged: StagedContents,
    id: String,
    name: &str,
    parent: Option<Rev>,
    leaf: Option<Leaf>,
    new: Option<AttachmentEdit>,
) -> Result<Response> {
    let status = if new.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let (body, kept) = match leaf {
        Some(leaf) => (leaf.body, leaf.attachments),
        None => (DocBody::empty(), Vec::new()),
    };
    let kept = kept
        .into_iter()
        .filter(|attachment| &*attachment.name != name)
        .map(|attachment| edit::keep(&attachment));
    let edit = Edit::Interactive(InteractiveEdit {
        id: doc_id(&id)?,
        parent,
        deleted: false,
        body,
        attachments: new.into_iter().chain(kept).collect(),
    });
    let db = staged.database().clone();
    let outcome = submit(&db, (edit, staged), &id, Durability::Durable, Room::default()).await?;
    let mut out = Vec::with_capacity(64 + id.len());
    wire::bulk_docs::write_ok(&mut out, &id, &outcome.rev);
    out.push(b'\n');
    let mut response = respond::json(status, out);
    if let Some(etag) = header_value(&etag(&outcome.rev)) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}
