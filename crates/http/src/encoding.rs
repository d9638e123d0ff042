//! gzip and zstd, both ways: request bodies are decoded as they stream in, answers encoded for clients that ask.

use crate::error::{Error, Result};
use crate::respond::Compressible;
use async_compression::tokio::bufread::ZstdDecoder;
use async_compression::zstd::DParameter;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::convert::Infallible;
use std::{fmt, io};
use tokio_util::io::{ReaderStream, StreamReader};
use tower::{ServiceExt, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::decompression::RequestDecompression;
use trunkline_core::limits::ZSTD_WINDOW_LOG_MAX;

/// The request with its body decoded and `Content-Encoding` gone. What a body decodes to is bounded where it is read.
pub(crate) async fn decode(request: Request) -> Result<Request> {
    if !request.headers().contains_key(header::CONTENT_ENCODING) {
        return Ok(request);
    }
    let (mut head, body) = request.into_parts();
    if is_zstd(&head.headers) {
        head.headers.remove(header::CONTENT_ENCODING);
        head.headers.remove(header::CONTENT_LENGTH);
        return Ok(Request::from_parts(head, unzstd(body)));
    }
    let mut for_layer = Request::new(body);
    *for_layer.headers_mut() = head.headers.clone();
    // The layer hands a request on; its body is all that is wanted of it.
    let pass = service_fn(|request: Request<_>| async {
        Ok::<_, Infallible>(Response::new(Body::new(request.into_body())))
    });
    let answer = match RequestDecompression::new(pass).oneshot(for_layer).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    if answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        return Err(Error::BadContentEncoding);
    }
    let mut request = Request::from_parts(head, Body::new(answer.into_body()));
    request.headers_mut().remove(header::CONTENT_ENCODING);
    request.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(request)
}

fn is_zstd(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|coding| coding == "zstd")
}

/// Bytes that decoding a body keeps beside what it has passed on; those of gzip are few.
pub(crate) fn window_bytes(headers: &HeaderMap) -> usize {
    match is_zstd(headers) {
        true => 1 << ZSTD_WINDOW_LOG_MAX,
        false => 0,
    }
}

fn unzstd(body: Body) -> Body {
    let read = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let window = DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX);
    let mut decoder = ZstdDecoder::with_params(read, &[window]);
    decoder.multiple_members(true);
    let decoded = ReaderStream::with_capacity(decoder, DECODED_PIECE_BYTES);
    Body::from_stream(decoded.map_err(|error| {
        // What breaks off before it is decoded keeps its reason; so does the end of a body that is cut off.
        let is_coding = error.kind() == io::ErrorKind::Other
            && !error.get_ref().is_some_and(|inner| inner.is::<axum::Error>());
        match is_coding {
            true => io::Error::new(io::ErrorKind::InvalidData, BadZstd(error)),
            false => error,
        }
    }))
}

/// Bytes that are decoded at once.
const DECODED_PIECE_BYTES: usize = 16 << 10;

/// A body is not what its `Content-Encoding: zstd` says, or needs a wider window than it may have.
#[derive(Debug)]
pub(crate) struct BadZstd(io::Error);

impl fmt::Display for BadZstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zstd: {}", self.0)
    }
}

impl std::error::Error for BadZstd {}

/// Whether an answer may be encoded.
pub(crate) fn may_encode(response: &Response) -> bool {
    response.extensions().get::<Compressible>().is_some()
}

/// Each piece of a body that is made as it goes is followed by nothing: what encodes it keeps hold of its last piece, long
/// encoded, while no more comes.
fn let_go(body: Body) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    let pieces = body.into_data_stream();
    Body::from_stream(pieces.flat_map(|piece| stream::iter([piece, Ok(Bytes::new())])))
}

/// Encodes an answer as the request's `Accept-Encoding` prefers.
pub(crate) async fn encode(accept: HeaderValue, response: Response) -> Response {
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(header::ACCEPT_ENCODING, accept);
    let mut response = Some(response.map(let_go));
    let answer = service_fn(move |_: Request| {
        let response = response.take().unwrap_or_default();
        async { Ok::<_, Infallible>(response) }
    });
    let layer = Compression::new(answer)
        .quality(CompressionLevel::Fastest)
        .compress_when(
            |_: StatusCode, _: axum::http::Version, _: &HeaderMap, _: &axum::http::Extensions| true,
        );
    match layer.oneshot(request).await {
        Ok(encoded) => encoded.map(Body::new),
        Err(never) => match never {},
    }
}
