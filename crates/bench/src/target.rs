//! Where a server is, and requests to it, ready to be sent.

use crate::measure::Failure;
use std::io::Write;
use std::sync::Arc;
use tokio_rustls::rustls::ClientConfig;

/// Where a server is: `http://host:port[/prefix]`, and who asks there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) authority: String,
    /// Path in front of every database, without a slash at its end.
    pub(crate) prefix: String,
    /// Name and password.
    pub(crate) credentials: Option<(String, String)>,
    /// By TLS, and whom to trust then.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Target, Failure> {
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| format!("{url}: only http:// URLs can be measured"))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(
                "process lists show what a URL has: give --user, and the password in TRUNKLINE_PASSWORD"
                    .into(),
            );
        }
        let (authority, credentials) = (host, None);
        let port = if authority.contains(':') { "" } else { ":80" };
        let path = path.trim_end_matches('/');
        Ok(Target {
            authority: format!("{authority}{port}"),
            prefix: if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            },
            credentials,
            tls: None,
        })
    }

    /// A database's URL, as one server names it to another.
    pub(crate) fn url(&self, database: &str) -> String {
        let credentials = self
            .credentials
            .as_ref()
            .map(|(name, password)| format!("{}:{}@", escaped(name), escaped(password)))
            .unwrap_or_default();
        format!("http://{credentials}{}{}/{database}", self.authority, self.prefix)
    }

    /// A request ready to be sent; `path` starts with a slash.
    pub(crate) fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + body.len());
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{method} {}{path} HTTP/1.1\r\nhost: {}\r\naccept: application/json\r\n",
            self.prefix, self.authority
        );
        if let Some((name, password)) = &self.credentials {
            let both = format!("{name}:{password}");
            let _ = write!(out, "authorization: Basic {}\r\n", base64(both.as_bytes()));
        }
        if !body.is_empty() {
            let _ = write!(out, "content-type: application/json\r\n");
        }
        let _ = write!(out, "content-length: {}\r\n\r\n", body.len());
        out.extend_from_slice(body);
        out
    }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place)) as usize & 63).copied();
            out.push(if place <= group.len() {
                digit.map_or('=', char::from)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let target = Target {
            credentials: Some(("admin".to_owned(), "secr@t".to_owned())),
            ..Target::parse("http://127.0.0.1:5984/couch/").unwrap()
        };
        assert_eq!(
            target.url("cdrs"),
            "http://admin:secr%40t@127.0.0.1:5984/couch/cdrs"
        );
        let request = String::from_utf8(target.request("GET", "/cdrs", b"")).unwrap();
        assert!(
            request.starts_with("GET /couch/cdrs HTTP/1.1\r\nhost: 127.0.0.1:5984\r\n"),
            "{request}"
        );
        assert!(
            request.contains("authorization: Basic YWRtaW46c2VjckB0\r\n"),
            "{request}"
        );
        assert_eq!(
            Target::parse("http://localhost").unwrap().authority,
            "localhost:80"
        );
        assert!(Target::parse("https://localhost").is_err());
        let told = Target::parse("http://admin:secret@localhost")
            .unwrap_err()
            .to_string();
        assert!(told.contains("--user") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn base64_pads() {
        for (text, expected) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
