//! `_bulk_get`: revisions of many documents, as JSON or multipart, in the order asked for.

mod reader;

use super::document::{item, part_json, random, readable, sent};
use super::listed::{self, Listed};
use crate::app::{App, blocking};
use crate::body::JsonBody;
use crate::error::{Error, Result};
use crate::request::{Moment, Query, accepts, header_value};
use crate::respond::{self, Chunks};
use crate::show::{self, ReadOptions};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use reader::{Part, Reader};
use trunkline_core::rev::Rev;
use trunkline_replicate::Share;
use trunkline_wire::bulk_get::{Writer, parse, write_multipart_error};
use trunkline_wire::multipart::MixedWriter;

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
    let share = app.unsent.share_of(&db);
    let asks = blocking(move || Ok(parse(&body)?)).await?;
    let (mixed, related) = (
        accepts(&headers, "multipart/mixed"),
        accepts(&headers, "multipart/related"),
    );
    if !accepts(&headers, "application/json") && (mixed || related) {
        return multipart(app, share, Reader::new(db, options, asks, false), mixed).await;
    }
    let reader = Reader::new(db, options, asks, true);
    let bytes_max = app.config().request_buffer_bytes_max as u64;
    let opened = app.render(&share, move || {
        let mut out = Vec::new();
        let writer = Writer::open(&mut out);
        let mut rows = Rows {
            reader,
            writer,
            bytes_max,
        };
        rows.chunk(&mut out)?;
        Ok((rows, out))
    });
    let (rows, out) = opened.await?;
    Ok(listed::answer(app, share, rows, out))
}

/// The answer in JSON.
struct Rows {
    reader: Reader,
    writer: Writer,
    bytes_max: u64,
}

impl Listed for Rows {
    fn is_done(&self) -> bool {
        self.reader.is_done()
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        for part in self.reader.read()? {
            self.part(part, out)?;
        }
        Ok(())
    }

    fn close(self, out: &mut Vec<u8>) {
        self.writer.close(out);
    }
}

impl Rows {
    fn part(&mut self, part: Part, out: &mut Vec<u8>) -> Result<()> {
        let (reader, writer) = (&self.reader, &mut self.writer);
        let ask = match part.ask {
            Ok(ask) => ask,
            Err(bad) => {
                writer.bad_row(out, &bad);
                return Ok(());
            }
        };
        if part.begins {
            writer.row(out, &ask.id);
        }
        let absent: Vec<Option<&Rev>> = match &part.found {
            _ if !part.begins => Vec::new(),
            None => vec![ask.rev.as_ref()],
            Some(found) => found.missing.iter().map(Some).collect(),
        };
        for rev in absent {
            let rev = rev.map(Rev::to_string);
            writer.error(out, &ask.id, rev.as_deref(), "not_found", "missing");
        }
        let members = reader.members(&ask);
        let found = part.found.as_ref().map(|found| (&found.leaves, &found.revs));
        for (leaf, tree) in found
            .into_iter()
            .flat_map(|(leaves, tree)| leaves.iter().zip(std::iter::repeat(tree)))
        {
            let with_bytes = match members.attachments {
                true => show::with_bytes(leaf, tree, &ask.atts_since),
                false => Vec::new(),
            };
            let names = (ask.id.as_str(), &leaf.rev);
            let forms = show::inline(&reader.db, names, &leaf.attachments, &with_bytes, self.bytes_max)?;
            writer.ok(out, |out| {
                show::write(out, &ask.id, leaf, Some(tree), members, &forms);
            });
        }
        if part.ends {
            writer.end_row(out);
        }
        Ok(())
    }
}

/// The next part of the answer, whose attachments can be sent: while nothing was sent, a status tells which cannot.
fn read_to_send(mut reader: Reader) -> Result<(Reader, Vec<Part>)> {
    let parts = reader.read()?;
    for part in &parts {
        let (Ok(ask), Some(found)) = (&part.ask, &part.found) else {
            continue;
        };
        for leaf in &found.leaves {
            let sent = show::with_bytes(leaf, &found.revs, &ask.atts_since);
            readable(&reader.db, &ask.id, leaf, &sent)?;
        }
    }
    Ok((reader, parts))
}

async fn multipart(app: App, share: Share, reader: Reader, mixed: bool) -> Result<Response> {
    let (reader, first) = app.render(&share, move || read_to_send(reader)).await?;
    let writer = MixedWriter::new(random());
    let mut content_type = writer.content_type();
    if !mixed {
        content_type = content_type.replacen("multipart/mixed", "multipart/related", 1);
    }
    let (chunks, body) = respond::chunks(share);
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
    mut parts: Vec<Part>,
    writer: MixedWriter,
    chunks: &Chunks,
) -> Result<(), ()> {
    let mut out = Vec::new();
    writer.open(&mut out);
    loop {
        for part in parts {
            send_part(&reader, &writer, part, &mut out, chunks).await?;
        }
        chunks.send(std::mem::take(&mut out)).await.map_err(drop)?;
        if reader.is_done() {
            break;
        }
        match app.render(chunks, move || read_to_send(reader)).await {
            Ok(read) => (reader, parts) = read,
            Err(error) => {
                chunks.fail(error).await;
                return Err(());
            }
        }
    }
    writer.close(&mut out);
    chunks.send(out).await.map_err(drop)
}

async fn send_part(
    reader: &Reader,
    writer: &MixedWriter,
    part: Part,
    out: &mut Vec<u8>,
    chunks: &Chunks,
) -> Result<(), ()> {
    let error = |out: &mut Vec<u8>, id: &str, rev: Option<&Rev>| {
        let rev = rev.map(Rev::to_string);
        writer.error(out);
        write_multipart_error(out, id, rev.as_deref(), "not_found", "missing");
        writer.end_item(out);
    };
    let ask = match part.ask {
        Ok(ask) => ask,
        Err(bad) => {
            writer.error(out);
            bad.write(out);
            writer.end_item(out);
            return Ok(());
        }
    };
    let Some(found) = part.found else {
        if part.begins {
            error(out, &ask.id, ask.rev.as_ref());
        }
        return Ok(());
    };
    for rev in found.missing.iter().filter(|_| part.begins) {
        error(out, &ask.id, Some(rev));
    }
    for leaf in found.leaves {
        let with_bytes = show::with_bytes(&leaf, &found.revs, &ask.atts_since);
        let json = part_json(&ask.id, &leaf, &found.revs, reader.options.members, &with_bytes);
        let rev = leaf.rev.to_string();
        drop(leaf.body);
        let sent = sent(leaf.attachments, &with_bytes);
        let names = Some((ask.id.as_str(), rev.as_str()));
        item(&reader.db, writer, names, json, &sent, out, chunks).await?;
    }
    Ok(())
}
