//! gzip and zstd, both ways: request bodies are decoded as they stream in, answers encoded for clients that ask.

use crate::error::{Error, Result};
use crate::respond::Compressible;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::convert::Infallible;
use tower::{ServiceExt, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::decompression::RequestDecompression;

/// The request with its body decoded and `Content-Encoding` gone. What a body decodes to is bounded where it is read.
pub(crate) async fn decode(request: Request) -> Result<Request> {
    if !request.headers().contains_key(header::CONTENT_ENCODING) {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
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

/// Whether an answer may be encoded.
pub(crate) fn may_encode(response: &Response) -> bool {
    response.extensions().get::<Compressible>().is_some()
}

/// Encodes an answer as the request's `Accept-Encoding` prefers.
pub(crate) async fn encode(accept: HeaderValue, response: Response) -> Response {
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(header::ACCEPT_ENCODING, accept);
    let mut response = Some(response);
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
