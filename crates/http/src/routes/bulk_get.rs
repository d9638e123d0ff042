//! `_bulk_get`: revisions of many documents, as JSON or multipart, in the order asked for.

use super::document::{item, part_json, random, readable, sent};
use crate::app::{App, blocking};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::{Moment, Query, accepts, header_value};
use crate::respond::{self, Chunks};
use crate::show::{self, Members, ReadOptions};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_store::{Database, Found, Want, WantRevs};
use trunkline_wire::bulk_get::{Ask, BadAsk, Writer, parse, write_multipart_error};
use trunkline_wire::multipart::MixedWriter;

type Asked = std::result::Result<Ask, BadAsk>;

pub(super) async fn read(
    State(app): State<App>,
    Moment(db): Moment,
    query: Query,
    headers: HeaderMap,
    JsonBody(body, _room): JsonBody,
) -> Result<Response> {
    for name in ["rev", "open_revs", "atts_since", "w", "new_edits"] {
        if query.text(name).is_some() {
            return Err(Error::bad(format!(
                "\"{name}\" query parameter is not acceptable"
            )));
        }
    }
    let options = ReadOptions::parse(&query)?;
    let asks = blocking(move || Ok(parse(&body)?)).await?;
    let reader = Reader {
        db,
        asks,
        next: 0,
        slice: SLICE_FIRST,
        options,
        bytes_max: app.config().request_buffer_bytes_max as u64,
    };
    let (mixed, related) = (
        accepts(&headers, "multipart/mixed"),
        accepts(&headers, "multipart/related"),
    );
    if !accepts(&headers, "application/json") && (mixed || related) {
        return multipart(app, reader, mixed).await;
    }
    json(app, reader).await
}

/// Documents read from one snapshot: at first, and at most. Between, as many as fill a chunk.
const SLICE_FIRST: usize = 128;
const SLICE_MAX: usize = 1024;

/// What is asked, read slice by slice, so that memory does not grow with the request.
struct Reader {
    db: Database,
    asks: Vec<Asked>,
    next: usize,
    slice: usize,
    options: ReadOptions,
    bytes_max: u64,
}

impl Reader {
    fn is_done(&self) -> bool {
        self.next >= self.asks.len()
    }

    /// The next slice of asks with what was found; `None` for a document that was never here.
    fn read(&mut self) -> Result<Slice> {
        let asks: Vec<Asked> = self
            .asks
            .iter()
            .skip(self.next)
            .take(self.slice)
            .cloned()
            .collect();
        self.next += asks.len();
        let want = |ask: &Ask| Want {
            id: ask.id.clone(),
            revs: match &ask.rev {
                Some(rev) => WantRevs::These {
                    revs: vec![rev.clone()],
                    latest: self.options.latest,
                },
                None => WantRevs::All,
            },
        };
        let wants: Vec<Want> = asks
            .iter()
            .filter_map(|ask| ask.as_ref().ok())
            .map(want)
            .collect();
        let mut found = self.db.bulk_get(&wants)?.into_iter();
        let found = asks.into_iter().map(|ask| {
            let found = if ask.is_ok() { found.next().flatten() } else { None };
            (ask, found)
        });
        let found: Vec<_> = found.collect();
        let bytes: usize = found
            .iter()
            .filter_map(|(_, found)| found.as_ref())
            .map(found_bytes)
            .sum();
        self.slice = (SCAN_CHUNK_BYTES * found.len() / bytes.max(1)).clamp(1, SLICE_MAX);
        Ok(found)
    }
}

fn found_bytes(found: &Found) -> usize {
    found
        .leaves
        .iter()
        .map(|leaf| leaf.body.as_str().len() + 256)
        .sum()
}

async fn json(app: App, mut reader: Reader) -> Result<Response> {
    let mut out = Vec::new();
    let writer = Writer::open(&mut out);
    let first = app.scan(move || {
        let mut writer = writer;
        render(&mut reader, &mut writer, &mut out)?;
        Ok((reader, writer, out))
    });
    let (mut reader, mut writer, mut out) = first.await?;
    if reader.is_done() {
        writer.close(&mut out);
        return Ok(respond::json(StatusCode::OK, out));
    }
    let (chunks, body) = respond::chunks();
    tokio::spawn(async move {
        while !reader.is_done() {
            if chunks.send(out).await.is_err() {
                return;
            }
            let rendered = app.scan(move || {
                let mut out = Vec::with_capacity(SCAN_CHUNK_BYTES);
                render(&mut reader, &mut writer, &mut out)?;
                Ok((reader, writer, out))
            });
            match rendered.await {
                Ok(rendered) => (reader, writer, out) = rendered,
                Err(error) => return chunks.fail(error).await,
            }
        }
        writer.close(&mut out);
        let _ = chunks.send(out).await;
    });
    Ok(respond::streamed(body))
}

fn render(reader: &mut Reader, writer: &mut Writer, out: &mut Vec<u8>) -> Result<()> {
    for (ask, found) in reader.read()? {
        let ask = match ask {
            Ok(ask) => ask,
            Err(bad) => {
                writer.bad_row(out, &bad);
                continue;
            }
        };
        writer.row(out, &ask.id);
        let Some(found) = found else {
            writer.error(
                out,
                &ask.id,
                ask.rev.as_ref().map(Rev::to_string).as_deref(),
                "not_found",
                "missing",
            );
            writer.end_row(out);
            continue;
        };
        let members = members(&reader.options, &ask);
        for leaf in &found.leaves {
            let with_bytes = if members.attachments {
                show::with_bytes(leaf, &found.revs, &ask.atts_since)
            } else {
                Vec::new()
            };
            let forms = show::inline(
                &reader.db,
                (&ask.id, &leaf.rev),
                &leaf.attachments,
                &with_bytes,
                reader.bytes_max,
            )?;
            writer.ok(out, |out| {
                show::write(out, &ask.id, leaf, Some(&found.revs), members, &forms)
            });
        }
        for rev in &found.missing {
            writer.error(out, &ask.id, Some(&rev.to_string()), "not_found", "missing");
        }
        writer.end_row(out);
    }
    Ok(())
}

fn members(options: &ReadOptions, ask: &Ask) -> Members {
    let attachments = options.members.attachments || !ask.atts_since.is_empty();
    Members {
        attachments,
        ..options.members
    }
}

/// A slice of what was asked for, with what was found.
type Slice = Vec<(Asked, Option<Found>)>;

impl Reader {
    /// The next slice, whose attachments can be sent: while nothing was sent, a status tells which cannot.
    fn read_to_send(mut self) -> Result<(Reader, Slice)> {
        let slice = self.read()?;
        for (ask, found) in &slice {
            let (Ok(ask), Some(found)) = (ask, found) else {
                continue;
            };
            for leaf in &found.leaves {
                let sent = show::with_bytes(leaf, &found.revs, &ask.atts_since);
                readable(&self.db, &ask.id, leaf, &sent)?;
            }
        }
        Ok((self, slice))
    }
}

async fn multipart(app: App, reader: Reader, mixed: bool) -> Result<Response> {
    let read = app.scan(move || reader.read_to_send());
    let (reader, first) = read.await?;
    let writer = MixedWriter::new(random());
    let mut content_type = writer.content_type();
    if !mixed {
        content_type = content_type.replacen("multipart/mixed", "multipart/related", 1);
    }
    let (chunks, body) = respond::chunks();
    tokio::spawn(async move {
        let _ = send_multipart(&app, reader, first, writer, &chunks).await;
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header_value(&content_type).unwrap_or(respond::JSON),
    );
    Ok(response)
}

async fn send_multipart(
    app: &App,
    mut reader: Reader,
    mut slice: Slice,
    writer: MixedWriter,
    chunks: &Chunks,
) -> Result<(), ()> {
    let mut out = Vec::new();
    writer.open(&mut out);
    loop {
        for (ask, found) in slice {
            row(&reader, &writer, ask, found, &mut out, chunks).await?;
        }
        chunks.send(std::mem::take(&mut out)).await.map_err(drop)?;
        if reader.is_done() {
            break;
        }
        match app.scan(move || reader.read_to_send()).await {
            Ok(read) => (reader, slice) = read,
            Err(error) => {
                chunks.fail(error).await;
                return Err(());
            }
        }
    }
    writer.close(&mut out);
    chunks.send(out).await.map_err(drop)
}

async fn row(
    reader: &Reader,
    writer: &MixedWriter,
    ask: Asked,
    found: Option<Found>,
    out: &mut Vec<u8>,
    chunks: &Chunks,
) -> Result<(), ()> {
    let error = |out: &mut Vec<u8>, id: &str, rev: Option<&str>, word: &str, reason: &str| {
        writer.error(out);
        write_multipart_error(out, id, rev, word, reason);
        writer.end_item(out);
    };
    let ask = match ask {
        Ok(ask) => ask,
        Err(bad) => {
            writer.error(out);
            bad.write(out);
            writer.end_item(out);
            return Ok(());
        }
    };
    let Some(found) = found else {
        error(
            out,
            &ask.id,
            ask.rev.as_ref().map(Rev::to_string).as_deref(),
            "not_found",
            "missing",
        );
        return Ok(());
    };
    for rev in &found.missing {
        error(out, &ask.id, Some(&rev.to_string()), "not_found", "missing");
    }
    for leaf in found.leaves {
        let with_bytes = show::with_bytes(&leaf, &found.revs, &ask.atts_since);
        let json = part_json(&ask.id, &leaf, &found.revs, reader.options.members, &with_bytes);
        let rev = leaf.rev.to_string();
        let sent = sent(leaf.attachments, &with_bytes);
        item(
            &reader.db,
            writer,
            Some((&ask.id, &rev)),
            &json,
            &sent,
            out,
            chunks,
        )
        .await?;
    }
    Ok(())
}
