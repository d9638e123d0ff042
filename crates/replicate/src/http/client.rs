//! Requests and answers: time-outs, bounds, and what a status means.

use super::HttpOptions;
use super::address::Address;
use super::origin::Origin;
use super::trust::{self, TlsNames};
use crate::pace::Pace;
use crate::peer::{PeerError, PeerErrorKind};
use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{IntoUrl, Method, RequestBuilder, Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::SemaphorePermit;
use trunkline_core::limits::PEER_ANSWER_BYTES_MAX;
use trunkline_wire::fault;
use trunkline_wire::invalid::BadAnswer;

/// Until a small request is answered.
pub(super) const QUICK: Duration = Duration::from_secs(30);
/// Until a request for a batch is answered: an old spinning disk may have to find a thousand documents.
pub(super) const BATCH: Duration = Duration::from_secs(180);
/// Between two chunks of an answer, heartbeats included.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of an error's body that are read.
const FAULT_BYTES_MAX: usize = 16 << 10;

/// Bodies from this length on are compressed.
const COMPRESSED_FROM_BYTES: usize = 4 << 10;
/// The fastest level that zstd counts from: links are slower than it.
const COMPRESSION_LEVEL: i32 = 1;

/// Sends requests for one database.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) address: Arc<Address>,
    pub(super) origin: Arc<Origin>,
    /// Of every request.
    headers: Arc<HeaderMap>,
    shows_certificate: bool,
    tls_names: TlsNames,
}

impl Client {
    pub(super) fn new(url: &str, options: &HttpOptions) -> Result<Client, PeerError> {
        let address = Address::parse(url)?;
        let label = address.database();
        let invalid = |reason: String| PeerError::new(label.clone(), PeerErrorKind::Invalid, reason);
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let name =
                HeaderName::try_from(name).map_err(|_| invalid(format!("{name} is no header name")))?;
            let value = HeaderValue::try_from(value);
            let mut value =
                value.map_err(|_| invalid(format!("the value of header {name} is not acceptable")))?;
            // Any of them may be a secret.
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if let Some((user, password)) = options.credentials.as_ref().or(address.credentials.as_ref()) {
            headers.insert(AUTHORIZATION, basic(user, password).map_err(&invalid)?);
        }
        let origin = Origin::of(&address, options)?;
        Ok(Client {
            address: Arc::new(address),
            origin,
            headers: Arc::new(headers),
            shows_certificate: options.connect.client_cert.is_some(),
            tls_names: options.tls_names,
        })
    }

    /// The server exchanges: one connection for all that goes to it and comes from it.
    pub(super) async fn connect_for_exchange(&self) {
        let url = self.address.root();
        self.origin.exchanges(url, HeaderMap::clone(&self.headers)).await;
    }

    pub(super) fn get(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    pub(super) fn put(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    pub(super) fn post(&self, url: impl IntoUrl) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    pub(super) fn request(&self, method: Method, url: impl IntoUrl) -> RequestBuilder {
        self.request_with(self.origin.client(), method, url)
    }

    pub(super) fn request_with(
        &self,
        http: &reqwest::Client,
        method: Method,
        url: impl IntoUrl,
    ) -> RequestBuilder {
        http.request(method, url).headers(HeaderMap::clone(&self.headers))
    }

    /// A connection with wide windows, while it is needed, where it is to be had.
    pub(super) fn wide(&self) -> Option<(reqwest::Client, SemaphorePermit<'static>)> {
        let (http, permit) = self.origin.wide()?;
        Some((http.clone(), permit))
    }

    /// The request with a body of its own kind of frames, compressed where the way is longer than this machine.
    pub(super) fn with_body(&self, request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
        if self.address.loopback || body.len() < COMPRESSED_FROM_BYTES {
            return request.body(body);
        }
        match zstd::bulk::compress(&body, COMPRESSION_LEVEL) {
            Ok(compressed) if compressed.len() < body.len() => {
                request.header(CONTENT_ENCODING, "zstd").body(compressed)
            }
            _ => request.body(body),
        }
    }

    pub(super) fn error(&self, kind: PeerErrorKind, reason: impl Into<String>) -> PeerError {
        PeerError::new(self.address.database(), kind, reason)
    }

    pub(super) fn bad_answer(&self, error: BadAnswer) -> PeerError {
        self.error(PeerErrorKind::Protocol, error.0)
    }

    /// Sends a request and waits for the head of its answer, whatever its status.
    pub(super) async fn send(&self, request: RequestBuilder, limit: Duration) -> Result<Response, PeerError> {
        let answer = tokio::time::timeout(limit, request.send()).await;
        self.origin.answered(matches!(answer, Ok(Ok(_))));
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.broke_off(&error)),
            Err(_) => Err(self.error(PeerErrorKind::Unavailable, format!("no answer within {limit:?}"))),
        }
    }

    /// As [`Client::send`]; a status other than 2xx is an error.
    pub(super) async fn ok(&self, request: RequestBuilder, limit: Duration) -> Result<Response, PeerError> {
        let answer = self.send(request, limit).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(self.fault(answer).await.error)
        }
    }

    /// Sends a request and reads its whole answer, of a bounded length.
    pub(super) async fn read(&self, request: RequestBuilder, limit: Duration) -> Result<Bytes, PeerError> {
        let answer = self.ok(request, limit).await?;
        self.body(answer).await
    }

    /// The rest of an answer; `TooLarge` when it is more than is held in memory.
    pub(super) async fn body(&self, mut answer: Response) -> Result<Bytes, PeerError> {
        let expected = answer
            .content_length()
            .unwrap_or_default()
            .min(PEER_ANSWER_BYTES_MAX as u64);
        let mut body = BytesMut::with_capacity(usize::try_from(expected).unwrap_or_default());
        let mut pace = Pace::default();
        let slow = || self.error(PeerErrorKind::Unavailable, "the answer comes too slowly");
        while let Some(chunk) = pace.keep(self.chunk(&mut answer)).await.ok_or_else(slow)?? {
            pace.moved(chunk.len());
            if body.len() + chunk.len() > PEER_ANSWER_BYTES_MAX {
                let reason = format!("the answer is longer than {PEER_ANSWER_BYTES_MAX} bytes");
                return Err(self.error(PeerErrorKind::TooLarge, reason));
            }
            if body.is_empty() && answer.content_length() == Some(chunk.len() as u64) {
                return Ok(chunk);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The next bytes of an answer.
    pub(super) async fn chunk(&self, answer: &mut Response) -> Result<Option<Bytes>, PeerError> {
        let chunk = self.unless_silent(SILENCE, answer.chunk()).await?;
        chunk.map_err(|error| self.broke_off(&error))
    }

    /// What comes next of an answer, which may be silent for so long.
    pub(super) async fn unless_silent<T>(
        &self,
        limit: Duration,
        next: impl Future<Output = T>,
    ) -> Result<T, PeerError> {
        let silent = |_| self.error(PeerErrorKind::Unavailable, format!("silent for {limit:?}"));
        tokio::time::timeout(limit, next).await.map_err(silent)
    }

    /// A request was not answered, or an answer ended before its end.
    pub(super) fn broke_off(&self, error: &reqwest::Error) -> PeerError {
        let host = self.address.host();
        match trust::explain_tls(error, host, self.shows_certificate, self.tls_names) {
            Some(reason) if self.address.tls => self.error(PeerErrorKind::Untrusted, reason),
            _ => self.error(PeerErrorKind::Unavailable, causes(error)),
        }
    }

    /// What an answer with another status than 2xx says.
    pub(super) async fn fault(&self, mut answer: Response) -> Fault {
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| wait(value.to_str().ok()?));
        let mut body = Vec::new();
        while body.len() < FAULT_BYTES_MAX {
            let Ok(Some(chunk)) = self.chunk(&mut answer).await else {
                break;
            };
            body.extend_from_slice(&chunk);
        }
        body.truncate(FAULT_BYTES_MAX);
        let said = fault::parse(&body);
        let kind = kind(status, &said);
        let reason = match said.error.as_str() {
            "" => format!("{status}: {}", said.reason),
            word => format!("{} {word}: {}", status.as_u16(), said.reason),
        };
        let error = PeerError {
            retry_after,
            ..self.error(kind, reason)
        };
        Fault {
            status,
            error,
            word: said.error,
            reason: said.reason,
        }
    }
}

impl Fault {
    /// As said in answer to a question for documents: a server that breaks over one may have others.
    pub(super) fn about_documents(self) -> PeerError {
        match self.status {
            StatusCode::INTERNAL_SERVER_ERROR => PeerError {
                kind: PeerErrorKind::Unserved,
                ..self.error
            },
            _ => self.error.about_documents(),
        }
    }

    /// As said in answer to bytes of an attachment, or to a question for some: what is wrong with them is wrong with
    /// nothing else.
    pub(super) fn about_content(self) -> PeerError {
        match self.status.as_u16() {
            400 | 404 | 405 | 416 if self.error.kind == PeerErrorKind::Protocol => PeerError {
                kind: PeerErrorKind::Unserved,
                ..self.error
            },
            // Another upload came between; what it left is told by asking again.
            409 if self.error.kind == PeerErrorKind::Protocol => PeerError {
                kind: PeerErrorKind::Unavailable,
                ..self.error
            },
            _ => self.error,
        }
    }

    /// The same, of a single document: what this client may not read may be that document alone.
    pub(super) fn about_one_document(self) -> PeerError {
        match self.error.kind {
            PeerErrorKind::Unauthorized | PeerErrorKind::Forbidden => PeerError {
                kind: PeerErrorKind::Unserved,
                ..self.error
            },
            _ => self.about_documents(),
        }
    }
}

/// An answer that says no.
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// As a failure of the peer.
    pub(super) error: PeerError,
    /// `error` of the body.
    pub(super) word: String,
    /// `reason` of the body.
    pub(super) reason: String,
}

fn kind(status: StatusCode, said: &fault::Fault) -> PeerErrorKind {
    match status.as_u16() {
        401 => PeerErrorKind::Unauthorized,
        403 => PeerErrorKind::Forbidden,
        404 if said.reason.to_lowercase().contains("database") || said.reason == "no_db_file" => {
            PeerErrorKind::DatabaseMissing
        }
        409 if said.error == "stale_seq" => PeerErrorKind::Recreated,
        412 if said.error == "missing_stub" => PeerErrorKind::MissingStub,
        503 if said.error == "content_absent" => PeerErrorKind::Absent,
        413 => PeerErrorKind::TooLarge,
        408 | 425 | 429 | 500..=599 => PeerErrorKind::Unavailable,
        _ => PeerErrorKind::Protocol,
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value)
        .ok()?
        .duration_since(SystemTime::now())
        .ok()
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, String> {
    let encoded = trunkline_wire::attachments::base64(format!("{user}:{password}").as_bytes());
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

fn causes_of(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

/// An error with its causes, but without the URL, which the peer's label tells.
fn causes(error: &reqwest::Error) -> String {
    let mut text = String::new();
    for cause in causes_of(error) {
        let this = cause.to_string();
        if !text.contains(&this) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&this);
        }
    }
    if text.is_empty() {
        "the connection failed".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn statuses_are_told_apart() {
        let kind = |status: u16, error: &str, reason: &str| {
            let said = fault::Fault {
                error: error.to_owned(),
                reason: reason.to_owned(),
            };
            super::kind(StatusCode::from_u16(status).unwrap(), &said)
        };
        assert_eq!(
            kind(404, "not_found", "Database does not exist."),
            PeerErrorKind::DatabaseMissing
        );
        assert_eq!(kind(404, "not_found", "missing"), PeerErrorKind::Protocol);
        assert_eq!(kind(412, "missing_stub", ""), PeerErrorKind::MissingStub);
        assert_eq!(kind(429, "", ""), PeerErrorKind::Unavailable);
        assert_eq!(kind(502, "", "<html>"), PeerErrorKind::Unavailable);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        let soon = SystemTime::now() + Duration::from_secs(600);
        let until = wait(&httpdate::fmt_http_date(soon)).unwrap();
        assert!(until > Duration::from_secs(500) && until <= Duration::from_secs(600));
        assert_eq!(wait("soon"), None);
    }

    #[tokio::test]
    async fn an_answer_that_trickles_is_not_waited_for_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            loop {
                stream.write_all(b" ").await.unwrap();
                tokio::time::sleep(SILENCE / 3).await;
            }
        });
        let client = Client::new(&url, &HttpOptions::default()).unwrap();
        let answer = client.ok(client.get(&url), QUICK).await.unwrap();
        tokio::time::pause();
        let error = client.body(answer).await.unwrap_err();
        assert_eq!(error.kind, PeerErrorKind::Unavailable);
        assert!(error.reason.contains("too slowly"), "{error}");
        serving.abort();
    }

    #[test]
    fn long_bodies_are_compressed_for_links_alone() {
        let body = b"call ".repeat(2000);
        for (url, length, compressed) in [
            ("http://192.0.2.1/x", 10_000, true),
            ("http://192.0.2.1/x", 1000, false),
            ("http://127.0.0.1/x", 10_000, false),
        ] {
            let client = Client::new(url, &HttpOptions::default()).unwrap();
            let request = client.with_body(client.post(url), body[..length].to_vec());
            let request = request.build().unwrap();
            let encoding = request.headers().get(CONTENT_ENCODING);
            assert_eq!(encoding.is_some_and(|encoding| encoding == "zstd"), compressed);
            let sent = request.body().and_then(reqwest::Body::as_bytes).unwrap();
            match compressed {
                true => assert_eq!(zstd::bulk::decompress(sent, length).unwrap(), body[..length]),
                false => assert_eq!(sent, &body[..length]),
            }
        }
    }

    #[test]
    fn no_secret_shows() {
        let options = HttpOptions::default();
        let client = Client::new("http://anna:secret@127.0.0.1/x", &options).unwrap();
        let request = client.get(client.address.root());
        assert!(!format!("{request:?}").contains("secret"));
        assert!(
            !client
                .error(PeerErrorKind::Protocol, "no")
                .to_string()
                .contains("secret")
        );
    }
}
