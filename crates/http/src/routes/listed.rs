//! Listings on their way to a client: rendered chunk by chunk, in one piece when the first holds it all.

use crate::app::App;
use crate::error::Result;
use crate::respond::{self, Chunks, Gone};
use axum::http::StatusCode;
use axum::response::Response;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_replicate::Share;
use trunkline_wire::format::Format;

/// A listing that holds nothing between two chunks.
pub(super) trait Listed: Send + Sized + 'static {
    /// Whether only the end is left.
    fn is_done(&self) -> bool;
    /// How rows are written.
    fn format(&self) -> Format {
        Format::Json
    }
    /// Appends the next rows: about a chunk of them. Blocks.
    fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()>;
    /// Appends the end.
    fn close(self, out: &mut Vec<u8>);
}

/// The answer of a listing whose beginning is in `out`.
pub(super) fn answer(app: App, share: Share, listing: impl Listed, mut out: Vec<u8>) -> Response {
    let format = listing.format();
    if listing.is_done() {
        listing.close(&mut out);
        return respond::formatted(respond::json(StatusCode::OK, out), format);
    }
    let (chunks, body) = respond::chunks(share);
    tokio::spawn(async move {
        let _ = finish(&app, &mut out, listing, &chunks).await;
        let _ = chunks.send(out).await;
    });
    respond::formatted(respond::streamed(body), format)
}

/// Several listings, one after the other, as elements of `results`. Each is opened when its turn comes, on a thread that
/// may block, and appends its beginning.
pub(super) fn several<L, O>(
    app: App,
    share: Share,
    listings: impl Iterator<Item = O> + Send + 'static,
) -> Response
where
    L: Listed,
    O: FnOnce(&mut Vec<u8>) -> Result<L> + Send + 'static,
{
    let (chunks, body) = respond::chunks(share);
    tokio::spawn(async move {
        let mut out = b"{\"results\":[\r\n".to_vec();
        for (place, open) in listings.enumerate() {
            if place > 0 {
                out.extend_from_slice(b",\r\n");
            }
            let opened = app.render(&chunks, move || Ok((open(&mut out)?, out)));
            let listing;
            match opened.await {
                Ok(opened) => (listing, out) = opened,
                Err(error) => return chunks.fail(error).await,
            }
            if finish(&app, &mut out, listing, &chunks).await.is_err() {
                return;
            }
            if out.last() == Some(&b'\n') {
                out.pop();
            }
        }
        out.extend_from_slice(b"\r\n]}\n");
        let _ = chunks.send(out).await;
    });
    respond::streamed(body)
}

/// Sends what is left of a listing, but for its last bytes, which stay in `out`.
async fn finish(app: &App, out: &mut Vec<u8>, mut listing: impl Listed, chunks: &Chunks) -> Result<(), Gone> {
    while !listing.is_done() {
        if out.len() >= SCAN_CHUNK_BYTES / 2 {
            chunks.send(std::mem::take(out)).await?;
        }
        let mut text = std::mem::take(out);
        let rendered = app.render(chunks, move || {
            text.reserve(SCAN_CHUNK_BYTES);
            listing.chunk(&mut text)?;
            Ok((listing, text))
        });
        match rendered.await {
            Ok(rendered) => (listing, *out) = rendered,
            Err(error) => {
                chunks.fail(error).await;
                return Err(Gone);
            }
        }
    }
    listing.close(out);
    Ok(())
}
