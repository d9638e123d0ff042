//! Where a peer is: a URL taken apart once, credentials out of sight.

use crate::peer::{PeerError, PeerErrorKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use std::net::IpAddr;

/// What stands in a path segment or a query value as it is. Everything else is escaped: `+` above all, which some
/// servers read as a space, and `/`.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A database's URL.
#[derive(Clone)]
pub(super) struct Address {
    /// `scheme://host[:port]/path/`, no credentials.
    root: String,
    /// The database's name, decoded.
    pub(super) name: String,
    /// From the URL's userinfo.
    pub(super) credentials: Option<(String, String)>,
    /// Whether it is `https`.
    pub(super) tls: bool,
    /// Whether it is this machine, where compressing costs more than sending.
    pub(super) loopback: bool,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Address, PeerError> {
        let invalid = |reason: String| PeerError::new(redacted(text), PeerErrorKind::Invalid, reason);
        let url = Url::parse(text).map_err(|error| invalid(format!("not a URL: {error}")))?;
        let host = url
            .host_str()
            .filter(|_| matches!(url.scheme(), "http" | "https"));
        let host = host.ok_or_else(|| invalid("the URL must start with http:// or https://".to_owned()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("the URL must end with the database's name".to_owned()));
        }
        let path = url.path().trim_end_matches('/');
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let name = decoded(name);
        if name.is_empty() {
            return Err(invalid("the URL names no database".to_owned()));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let credentials = (!url.username().is_empty()).then(|| {
            (
                decoded(url.username()),
                decoded(url.password().unwrap_or_default()),
            )
        });
        let bare = host.trim_matches(['[', ']']);
        Ok(Address {
            root: format!("{}://{host}{port}{above}/", url.scheme()),
            name,
            credentials,
            tls: url.scheme() == "https",
            loopback: bare == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
        })
    }

    /// `scheme://host[:port]`.
    pub(super) fn origin(&self) -> &str {
        let host = self.root.find("://").map_or(0, |at| at + 3);
        let rest = self.root.get(host..).unwrap_or_default();
        let end = rest.find('/').map_or(self.root.len(), |at| host + at);
        self.root.get(..end).unwrap_or_default()
    }

    /// `host[:port]`.
    pub(super) fn host(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, host)| host)
    }

    /// The server's root.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// The database, without credentials.
    pub(super) fn database(&self) -> String {
        format!("{}{}", self.root, escaped(&self.name))
    }

    /// What is below the database; `rest` as it goes into the URL.
    pub(super) fn below(&self, rest: &str) -> String {
        format!("{}/{rest}", self.database())
    }

    /// A document; a design document's slash stays one.
    pub(super) fn document(&self, id: &str) -> String {
        match id.strip_prefix("_design/") {
            Some(name) => self.below(&format!("_design/{}", escaped(name))),
            None => self.below(&escaped(id)),
        }
    }
}

/// A path segment or query value.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A URL that could not be taken apart, without what may be credentials.
pub(crate) fn redacted(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        let check = |text: &str, database: &str, name: &str| {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.database().as_str(), address.name.as_str()),
                (database, name),
                "{text}"
            );
        };
        let deep = Address::parse("http://h:5984/couch/all/cdr").unwrap();
        assert_eq!(deep.origin(), "http://h:5984");
        check("http://h:5984/cdr", "http://h:5984/cdr", "cdr");
        check("http://h/cdr/", "http://h/cdr", "cdr");
        check(
            "https://H:443/couch/a%2Fb%2Bc",
            "https://h/couch/a%2Fb%2Bc",
            "a/b+c",
        );
        check("http://h/a+b", "http://h/a%2Bb", "a+b");
        check("http://[::1]:1/x", "http://[::1]:1/x", "x");
        for bad in [
            "ftp://h/x",
            "http://h",
            "http://h/",
            "h/x",
            "",
            "http://h/x?y",
            "http://h/x#y",
        ] {
            assert_eq!(
                Address::parse(bad).err().unwrap().kind,
                PeerErrorKind::Invalid,
                "{bad}"
            );
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let address = Address::parse("http://an%40na:se%2Fcret@127.0.0.1/x").unwrap();
        assert_eq!(
            address.credentials,
            Some(("an@na".to_owned(), "se/cret".to_owned()))
        );
        assert!(address.loopback && !address.database().contains("cret"));
        let error = Address::parse("http://anna:secret@h:port/x").err().unwrap();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn document_ids_are_one_segment() {
        let address = Address::parse("http://h/x").unwrap();
        assert_eq!(address.document("a/b +%ü"), "http://h/x/a%2Fb%20%2B%25%C3%BC");
        assert_eq!(address.document("_design/a/b"), "http://h/x/_design/a%2Fb");
    }
}
