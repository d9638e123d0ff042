//! Documents from a peer and, in the commit of the last of them, how far they reach.

use crate::app::{App, blocking, update};
use crate::body::Whole;
use crate::error::{Error, Result};
use crate::request::{Db, header_text};
use crate::respond;
use crate::routes::database::instance_start_time;
use crate::routes::local::local_id;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use trunkline_core::doc::Edit;
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::REQUEST_ITEMS_MAX;
use trunkline_core::rev::Rev;
use trunkline_store::{Batch, Durability, LocalWrite, Outcome};
use trunkline_wire::bulk_docs::write_error;
use trunkline_wire::exchange::{self, Frame, Reader};

const NOT_OF_EXCHANGE: &str = "Content-Type must be application/vnd.trunkline.exchange";

pub(in crate::routes) async fn write(
    State(app): State<App>,
    Db(db): Db,
    headers: HeaderMap,
    Whole(body, room): Whole,
) -> Result<Response> {
    // What a page of another site sends in its reader's name has to be asked for first, unless it goes by as a form or text.
    if header_text(&headers, header::CONTENT_TYPE) != Some(exchange::CONTENT_TYPE) {
        return Err(Error::BadContentType(NOT_OF_EXCHANGE));
    }
    let document_bytes_max = app.config().document_bytes_max;
    let asked = blocking(move || Asked::read(&body, document_bytes_max)).await?;
    let log_number = asked.log.as_ref().map(LocalWrite::new_number);
    let mut outcomes = Vec::new();
    if !asked.edits.is_empty() || asked.log.is_some() {
        let mut batch = Batch {
            edits: asked.edits,
            durability: Durability::Durable,
            atomic: false,
            local: asked.log,
        };
        let staged = app.uploads.hand_over(&db, &mut batch.edits);
        staged.taken_by(&batch.edits);
        outcomes = update(&db, batch, room).await?;
    }
    let info = blocking(move || Ok(db.info()?)).await?;
    let refused: Vec<(&Named, Error)> = asked.names.iter().zip(outcomes).filter_map(refusal).collect();
    let too_large = asked.too_large.iter().map(|named| {
        let error = Error::DocumentTooLarge(named.0.as_str().to_owned());
        (named, error)
    });
    let refused: Vec<_> = refused.into_iter().chain(too_large).collect();
    let mut out = Vec::with_capacity(64 + 128 * refused.len());
    let rows = |out: &mut Vec<u8>| {
        for (at, ((id, rev), error)) in refused.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let (_, word, reason) = error.row();
            write_error(out, id.as_str(), rev.as_ref(), word, &reason);
        }
    };
    exchange::write_docs_answer(&mut out, rows, log_number, &instance_start_time(&info));
    Ok(respond::json(StatusCode::CREATED, out))
}

type Named = (DocId, Option<Rev>);

fn refusal((named, outcome): (&Named, Outcome)) -> Option<(&Named, Error)> {
    let refused = outcome.err()?;
    Some((named, Error::refused(refused, named.0.as_str())))
}

/// A request taken apart.
#[derive(Default)]
struct Asked {
    edits: Vec<Edit>,
    /// Of each edit.
    names: Vec<Named>,
    /// Over what the server is set to take.
    too_large: Vec<Named>,
    log: Option<LocalWrite>,
}

impl Asked {
    fn read(body: &[u8], document_bytes_max: usize) -> Result<Asked> {
        let bad = |error: trunkline_wire::invalid::BadAnswer| Error::bad(error.0);
        let mut reader = Reader::new();
        reader.feed(body);
        let mut asked = Asked::default();
        while let Some(frame) = reader.next_frame().map_err(bad)? {
            match frame {
                Frame::Document(edit) => {
                    let named = (edit.id.clone(), edit.path.rev());
                    if edit.body.as_str().len() > document_bytes_max {
                        asked.too_large.push(named);
                        continue;
                    }
                    if asked.edits.len() >= REQUEST_ITEMS_MAX {
                        return Err(Error::TooLarge);
                    }
                    asked.names.push(named);
                    asked.edits.push(Edit::Replicated(edit));
                }
                Frame::Log(log) => {
                    asked.log = Some(LocalWrite {
                        id: local_id(&log.replication_id)?,
                        number: log.number,
                        json: log.body.into(),
                    });
                }
                _ => return Err(Error::bad("A target takes documents and a checkpoint.")),
            }
        }
        reader.finish().map_err(bad)?;
        Ok(asked)
    }
}
