//! A server without administrator: who reaches it is one. It listens on loopback only; but pages in a browser on the same
//! machine reach it, too, and they are anybody's. So requests must name it as what it is, and must not come from pages of
//! others.

use crate::config::Cors;
use crate::cors::{is_listed, is_same};
use crate::error::{Error, Result};
use crate::request::header_text;
use axum::http::{HeaderMap, header};
use std::net::IpAddr;

/// Refuses a request that a page of somebody else's may have made: one that found the way by a name of theirs (which they
/// may point anywhere), or one whose browser says that it comes from elsewhere.
pub(super) fn check(headers: &HeaderMap, cors: &Cors) -> Result<()> {
    let host = header_text(headers, header::HOST);
    if headers.contains_key(header::HOST) && !host.is_some_and(is_loopback) {
        return Err(refused(
            "Without an administrator, this server answers only as localhost: make one, or ask for localhost.",
        ));
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let own = origin
        .split_once("://")
        .zip(host)
        .is_some_and(|((scheme, _), host)| is_same(origin, &format!("{scheme}://{host}")));
    if own || is_listed(cors, origin) {
        return Ok(());
    }
    Err(refused(
        "Without an administrator, pages of other origins may not ask here: make one, or list the origin in the CORS settings.",
    ))
}

fn refused(reason: &str) -> Error {
    Error::Forbidden(reason.to_owned())
}

/// Whether `Host` names this machine by a name that nobody else can give out.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn checked(pairs: &[(HeaderName, &'static str)], origins: &[&str]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let cors = Cors {
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            ..Cors::default()
        };
        check(&headers.collect(), &cors).is_ok()
    }

    #[test]
    fn hosts() {
        for (host, is_taken) in [
            ("127.0.0.1:5984", true),
            ("localhost", true),
            ("LocalHost.:5984", true),
            ("db.localhost:1", true),
            ("[::1]:5984", true),
            ("127.8.9.1", true),
            ("evil.example:5984", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("192.168.1.7", false),
            ("", false),
        ] {
            assert_eq!(checked(&[(header::HOST, host)], &[]), is_taken, "{host}");
        }
        assert!(checked(&[], &[]));
    }

    #[test]
    fn origins() {
        let from = |origin, origins: &[&str]| {
            checked(
                &[(header::HOST, "localhost:5984"), (header::ORIGIN, origin)],
                origins,
            )
        };
        assert!(from("http://localhost:5984", &[]));
        for elsewhere in ["http://localhost:8080", "https://evil.example", "null", ""] {
            assert!(!from(elsewhere, &[]), "{elsewhere}");
            assert!(!from(elsewhere, &["https://other.example"]), "{elsewhere}");
            assert!(from(elsewhere, &["*"]), "{elsewhere}");
        }
        assert!(from("https://app.example", &["https://app.example"]));
        assert!(from("https://app.example:443", &["https://app.example"]));
        assert!(!from("https://app.example:80", &["https://app.example"]));
    }
}
