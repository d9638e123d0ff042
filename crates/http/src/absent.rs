//! Attachment bytes that have not come yet: asked for, and who has them told to whoever wants to read them.

use crate::app::App;
use crate::error::{Error, Result};
use crate::request::header_value;
use crate::respond;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::json;
use trunkline_core::attachment::Attachment;
use trunkline_core::db_name::DbName;
use trunkline_core::rev::Rev;
use trunkline_store::{self as store, ContentReader, Database};

/// Seconds until another try is worth it: where the bytes were just asked for, and where nobody brings them.
const SOON: HeaderValue = HeaderValue::from_static("1");
const LATER: HeaderValue = HeaderValue::from_static("60");

/// An attachment whose bytes are not here.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    database: DbName,
    id: String,
    rev: Rev,
    attachment: Attachment,
}

/// Opens the stored bytes of a revision's attachment.
pub(crate) fn open(db: &Database, id: &str, rev: &Rev, attachment: &Attachment) -> Result<ContentReader> {
    match db.open_content(&attachment.content) {
        Err(store::Error::ContentAbsent(_)) => Err(Error::ContentAbsent(Some(Box::new(Absent {
            database: db.name().clone(),
            id: id.to_owned(),
            rev: rev.clone(),
            attachment: attachment.clone(),
        })))),
        opened => Ok(opened?),
    }
}

impl Absent {
    /// Has the bytes fetched before others, and answers where they are meanwhile: `url` of the body, and a `Link` to the
    /// same attachment elsewhere. (It is no `Location`, since following it is up to the client, which may not be let in
    /// there; and no `Content-Location`, since the answer holds nothing of it.)
    pub(crate) fn answer(&self, app: &App) -> Response {
        let name = self.database.as_str();
        let fetched = app
            .replications
            .fetch_first(name, &self.id, &self.attachment.content);
        let holders = app.replications.holders(name);
        let url = |holder: &trunkline_replicate::Holder| {
            holder.attachment_url(&self.id, &self.rev, &self.attachment.name)
        };
        let url = holders.iter().find_map(url);
        let error = Error::ContentAbsent(None);
        let (status, word, reason) = error.row();
        let mut body = json!({ "error": word, "reason": reason });
        if let (Some(url), Some(body)) = (&url, body.as_object_mut()) {
            body.insert("url".to_owned(), json!(url));
        }
        let mut response = respond::value(status, &body);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, if fetched { SOON } else { LATER });
        if let Some(link) = url.and_then(|url| header_value(&format!("<{url}>; rel=\"alternate\""))) {
            headers.insert(header::LINK, link);
        }
        response
    }
}
