//! GET and HEAD of a document: its winner, or one revision, as JSON or multipart.

use super::{etag, not_there, open_revs, stream};
use crate::absent;
use crate::app::App;
use crate::auth::users_db;
use crate::error::{Error, Result};
use crate::request::{DocPath, Query, Target, accepts, header_value, matches_etag};
use crate::respond;
use crate::routes::local;
use crate::show::{self, ReadOptions};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use trunkline_store::{Database, Found, Leaf, Want, WantRevs};

pub(in crate::routes) async fn read(
    State(app): State<App>,
    target: Target,
    query: Query,
    request: Request,
) -> Result<Response> {
    let (Parts { headers, .. }, _) = request.into_parts();
    let Target { db, path, .. } = target;
    let id = match path {
        DocPath::Local(id) => return local::read(db, id, headers).await,
        DocPath::Doc(id) => id,
    };
    let options = ReadOptions::parse(&query)?;
    if options.open_revs.is_some() {
        return open_revs::read(app, db, id, options, &headers).await;
    }
    if options.is_plain() {
        return read_winner(&app, db, id, options, headers).await;
    }
    let share = app.unsent.share_of(&db);
    let takes_parts = accepts(&headers, "multipart/related");
    let bytes_max = app.config().request_buffer_bytes_max as u64;
    let members = options.members;
    let (reading, of) = (db.clone(), id.clone());
    let read = app.render(&share, move || {
        let (db, id) = (reading, of);
        let (leaf, found) = one(&db, &id, &options)?;
        let since = options.atts_since.as_deref().unwrap_or_default();
        let with_bytes = match members.attachments {
            true => show::with_bytes(&leaf, &found.revs, since),
            false => Vec::new(),
        };
        let etag = etag(&leaf.rev);
        let etag = (!has_meta(&options, &found)).then_some(etag);
        if let Some(etag) = etag.as_ref().filter(|etag| matches_etag(&headers, etag)) {
            return Err(Error::not_modified(etag));
        }
        if takes_parts && with_bytes.contains(&true) {
            readable(&db, &id, &leaf, &with_bytes)?;
            return Ok((Read::Parts(leaf, found, with_bytes), etag));
        }
        let forms = show::inline(&db, (&id, &leaf.rev), &leaf.attachments, &with_bytes, bytes_max)?;
        let mut out = Vec::with_capacity(leaf.body.as_str().len() + id.len() + 256);
        show::write(&mut out, &id, &leaf, Some(&found.revs), members, &forms);
        out.push(b'\n');
        Ok((Read::Text(out), etag))
    });
    let (read, etag) = read.await?;
    let mut response = match read {
        Read::Text(text) => respond::json(StatusCode::OK, text),
        Read::Parts(leaf, found, with_bytes) => {
            stream::related(share, db, id, leaf, found.revs, members, &with_bytes)
        }
    };
    if let Some(etag) = etag.as_deref().and_then(header_value) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// A document as it is sent.
enum Read {
    Text(Vec<u8>),
    /// Before the bytes of attachments.
    Parts(Leaf, Found, Vec<bool>),
}

/// The way of nearly every read: one look-up, one copy of the stored text.
async fn read_winner(
    app: &App,
    db: Database,
    id: String,
    options: ReadOptions,
    headers: HeaderMap,
) -> Result<Response> {
    let config = app.config();
    let read = app.reads.run(move || {
        let found = match db.get(&id, None)? {
            None => users_db::public_part(&db, &id, &config)?,
            found => found,
        };
        let Some(leaf) = found else {
            return Err(not_there(&db, &id)?);
        };
        if leaf.deleted {
            return Err(Error::DELETED);
        }
        let etag = etag(&leaf.rev);
        if matches_etag(&headers, &etag) {
            return Err(Error::not_modified(&etag));
        }
        let mut out = Vec::with_capacity(leaf.body.as_str().len() + id.len() + 128);
        show::write(&mut out, &id, &leaf, None, options.members, &[]);
        out.push(b'\n');
        Ok((out, etag))
    });
    let (text, etag) = read.await?;
    let mut response = respond::json(StatusCode::OK, text);
    if let Some(etag) = header_value(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The winner or the revision asked for, with its tree, from one snapshot.
fn one(db: &Database, id: &str, options: &ReadOptions) -> Result<(Leaf, Found)> {
    let revs = match (&options.rev, options.latest) {
        (Some(rev), false) => WantRevs::These {
            revs: vec![rev.clone()],
            latest: false,
        },
        // As in CouchDB, `latest` makes the winner of any revision.
        _ => WantRevs::Winner,
    };
    let wants = [Want {
        id: id.to_owned(),
        revs,
    }];
    let Some(mut found) = db.bulk_get(&wants)?.into_iter().next().flatten() else {
        return Err(not_there(db, id)?);
    };
    if found.leaves.is_empty() {
        return Err(Error::MISSING);
    }
    let leaf = found.leaves.remove(0);
    if leaf.deleted && !options.deleted && (options.rev.is_none() || options.latest) {
        return Err(Error::DELETED);
    }
    Ok((leaf, found))
}

/// Whether the answer shows what other revisions do to it: then a revision is no tag for it.
fn has_meta(options: &ReadOptions, found: &Found) -> bool {
    let members = options.members;
    let leaves = found.revs.leaves();
    let others = |deleted: bool| leaves.iter().skip(1).any(|(_, state)| state.deleted == deleted);
    members.revs_info
        || members.local_seq
        || (members.conflicts && others(false))
        || (members.deleted_conflicts && others(true))
}

/// Attachments that are lost, or have not come yet, are told of while there is a status to tell it with: a client whose answer breaks off
/// would take it for the network's fault.
pub(in crate::routes) fn readable(db: &Database, id: &str, leaf: &Leaf, sent: &[bool]) -> Result<()> {
    let sent = leaf.attachments.iter().zip(sent).filter(|(_, sent)| **sent);
    for (attachment, _) in sent {
        absent::open(db, id, &leaf.rev, attachment).map_err(|error| match error {
            Error::ContentAbsent(absent) => Error::ContentAbsent(absent),
            lost => Error::Internal(format!("attachment {}: {}", attachment.name, lost.row().2)),
        })?;
    }
    Ok(())
}
