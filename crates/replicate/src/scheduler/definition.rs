//! What a replication is asked to do, before anything is reached or resolved: small, plain, and kept as long as its job.

use super::secrets::Secret;
use super::{Node, Origin};
use crate::checkpoint::digest;
use crate::http::address::redacted;
use crate::http::label_of;
use crate::peer::{Peer, PeerError, PeerErrorKind};
use crate::session::{AttachmentMode, SourceFilter, Spec};
use crate::{ConnectOptions, HttpOptions, HttpPeer, LocalPeer, TlsNames};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use trunkline_core::db_name::DbName;
use trunkline_core::selector::Selector;
use trunkline_store::Asker;
use trunkline_wire::replication::{Asked, End};

/// What a continuous job's id ends with.
const CONTINUOUS: &str = "+continuous";

/// A replication as it was asked for. Nothing in it was looked at yet; credentials may be in it, and are never shown.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Where from.
    pub source: Endpoint,
    /// Where to.
    pub target: Endpoint,
    /// What, and how.
    pub spec: Spec,
}

/// One end of a replication: a database behind a URL, or one of the store that drives it, by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Endpoint(End);

/// Why a replication cannot be what it was asked to be. `Display` names the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDefinition {
    /// What is wrong.
    pub reason: String,
}

impl Definition {
    /// Between two ends, once, everything.
    pub fn new(source: impl Into<Endpoint>, target: impl Into<Endpoint>) -> Definition {
        Definition {
            source: source.into(),
            target: target.into(),
            spec: Spec::default(),
        }
    }

    /// As [`Definition::new`], and it goes on waiting for changes.
    pub fn continuous(source: impl Into<Endpoint>, target: impl Into<Endpoint>) -> Definition {
        let mut definition = Definition::new(source, target);
        definition.spec.continuous = true;
        definition
    }

    /// Reads the JSON of a `_replicate` request or a `_replicator` document.
    pub fn parse(json: &str) -> Result<Definition, InvalidDefinition> {
        let asked = Asked::parse(json).map_err(|invalid| InvalidDefinition::new(invalid.reason))?;
        Definition::from_asked(asked)
    }

    /// The same, already read.
    pub fn from_asked(asked: Asked) -> Result<Definition, InvalidDefinition> {
        let source = Endpoint::checked(asked.source, "source")?;
        if asked.filter.is_some() && (asked.selector.is_some() || asked.doc_ids.is_some()) {
            return Err(InvalidDefinition::new(
                "`filter` excludes `doc_ids` and `selector`",
            ));
        }
        let others = asked.filter.is_some() || asked.selector.is_some() || asked.doc_ids.is_some();
        if asked.feed_name.is_some() && others {
            return Err(InvalidDefinition::new(
                "`feed_name` excludes `doc_ids`, `selector` and `filter`",
            ));
        }
        let params = asked.query_params;
        let filter = asked.filter.map(|name| SourceFilter::new(name, params));
        if asked.selector.is_some() && asked.doc_ids.is_some() {
            return Err(InvalidDefinition::new(
                "`doc_ids` and `selector` exclude each other",
            ));
        }
        let selector = match asked.selector {
            None => None,
            Some(text) => {
                let parsed = Selector::parse(&text)
                    .map_err(|invalid| InvalidDefinition::new(format!("`selector`: {invalid}")))?;
                Some((text, parsed))
            }
        };
        let spec = Spec {
            continuous: asked.continuous,
            create_target: asked.create_target,
            doc_ids: asked.doc_ids,
            selector,
            filter,
            feed_name: asked.feed_name,
            since_seq: asked.since_seq,
            winning_revs_only: asked.winning_revs_only,
            use_checkpoints: asked.use_checkpoints,
            checkpoint_interval: asked.checkpoint_interval_ms.map(Duration::from_millis),
            until: asked.until,
            archive: asked.archive,
            strict: asked.strict,
            attachments: attachments(asked.attachments.as_deref())?,
            bytes_per_second: asked.bytes_per_second,
            priority: asked.priority,
        };
        Ok(Definition {
            source,
            target: Endpoint::checked(asked.target, "target")?,
            spec,
        })
    }

    /// The id its job has: hex digest of both ends' addresses and the filter, with `+continuous` where it is. No I/O.
    pub fn job_id(&self) -> String {
        let digest = digest(&self.source.label(), &self.target.label(), &self.spec);
        if self.spec.continuous {
            digest + CONTINUOUS
        } else {
            digest
        }
    }

    /// Source and target, ready to be asked. Reads the files of secrets.
    pub(super) fn peers(&self, node: &Node, origin: &Origin) -> Result<[Arc<dyn Peer>; 2], PeerError> {
        let writer = |name: &DbName| node.askers.get()?(name, &origin.named(&self.job_id()));
        Ok([self.source.peer(node, |_| None)?, self.target.peer(node, writer)?])
    }
}

fn attachments(mode: Option<&str>) -> Result<AttachmentMode, InvalidDefinition> {
    match mode {
        None | Some("eager") => Ok(AttachmentMode::Eager),
        Some("lazy") => Ok(AttachmentMode::Lazy),
        Some("none") => Ok(AttachmentMode::None),
        Some(_) => Err(InvalidDefinition::new(
            "`attachments` must be \"eager\", \"lazy\" or \"none\"",
        )),
    }
}

impl Endpoint {
    fn checked(end: Option<End>, which: &str) -> Result<Endpoint, InvalidDefinition> {
        let end = end.ok_or_else(|| {
            InvalidDefinition::new(format!("`{which}` must be a URL or an object with one"))
        })?;
        let endpoint = Endpoint(end);
        endpoint
            .check()
            .map_err(|reason| InvalidDefinition::new(format!("`{which}`: {reason}")))?;
        Ok(endpoint)
    }

    fn check(&self) -> Result<(), String> {
        if self.is_remote() {
            return label_of(&self.0.location).map(drop).map_err(|error| error.reason);
        }
        let invalid = |_| {
            format!(
                "{:?} is no URL (http://, https://) and no database name",
                redacted(&self.0.location)
            )
        };
        DbName::parse(&self.0.location).map(drop).map_err(invalid)
    }

    /// Sends these with each request, as Basic; they win over what the URL holds.
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Endpoint {
        self.0.basic = Some((user.into(), password.into()));
        self
    }

    /// Sends what the named secret holds, read whenever a run starts: see [`crate::Secrets`].
    pub fn secret(mut self, name: impl Into<String>) -> Endpoint {
        self.0.secret = Some(name.into());
        self
    }

    /// Sends a header with each request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Endpoint {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// Goes through a proxy, given by its URL.
    pub fn proxy(mut self, url: impl Into<String>) -> Endpoint {
        self.0.proxy = Some(url.into());
        self
    }

    /// Trusts the authorities in a PEM file beside the system's.
    pub fn ca_file(mut self, path: impl Into<String>) -> Endpoint {
        self.0.ca_file = Some(path.into());
        self
    }

    /// Shows a certificate, whose key is in a file of its own; both PEM.
    pub fn client_certificate(mut self, cert: impl Into<String>, key: impl Into<String>) -> Endpoint {
        self.0.client_cert = Some(cert.into());
        self.0.client_key = Some(key.into());
        self
    }

    /// URL or name, without credentials.
    pub fn label(&self) -> String {
        if !self.is_remote() {
            return self.0.location.clone();
        }
        label_of(&self.0.location).unwrap_or_else(|error| error.peer)
    }

    /// Its proxy, without credentials.
    pub fn proxy_label(&self) -> Option<String> {
        let proxy = self.0.proxy.as_deref()?;
        let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        Some(format!("{scheme}://{rest}"))
    }

    /// Whether it is that database of the store.
    pub(super) fn is_here(&self, database: &str) -> bool {
        self.0.location == database
    }

    fn is_remote(&self) -> bool {
        self.0.location.contains("://")
    }

    /// `asker`: on whose behalf a database of the store is read and written.
    fn peer(
        &self,
        node: &Node,
        asker: impl FnOnce(&DbName) -> Option<Arc<Asker>>,
    ) -> Result<Arc<dyn Peer>, PeerError> {
        let invalid = |reason| PeerError::new(self.label(), PeerErrorKind::Invalid, reason);
        self.check().map_err(invalid)?;
        if !self.is_remote() {
            let name = DbName::parse(&self.0.location).map_err(|error| invalid(error.to_string()))?;
            let asker = asker(&name);
            let peer = LocalPeer::new(node.store.clone(), name);
            return Ok(Arc::new(match asker {
                Some(asker) => peer.on_behalf(asker),
                None => peer,
            }));
        }
        let end = &self.0;
        let mut options = HttpOptions {
            credentials: end.basic.clone(),
            headers: end.headers.clone(),
            connect: ConnectOptions {
                proxy: end.proxy.clone(),
                ca_file: end.ca_file.as_ref().map(PathBuf::from),
                client_cert: end.client_cert.as_ref().map(PathBuf::from),
                client_key: end.client_key.as_ref().map(PathBuf::from),
            },
            tls_names: TlsNames::Members,
        };
        options.connect.complete(node.secrets.tls());
        if let Some(name) = &end.secret {
            let secret = node.secrets.read(name);
            let unknown = |reason| PeerError::new(self.label(), PeerErrorKind::Unauthorized, reason);
            match secret.map_err(unknown)? {
                Secret::Basic(user, password) => options.credentials = Some((user, password)),
                Secret::Header(value) => options.headers.push(("Authorization".to_owned(), value)),
            }
        }
        Ok(Arc::new(HttpPeer::new(&end.location, options)?))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.label())
    }
}

impl From<&str> for Endpoint {
    fn from(location: &str) -> Endpoint {
        Endpoint::from(location.to_owned())
    }
}

impl From<String> for Endpoint {
    fn from(location: String) -> Endpoint {
        Endpoint(End {
            location,
            ..End::default()
        })
    }
}

impl InvalidDefinition {
    fn new(reason: impl Into<String>) -> InvalidDefinition {
        InvalidDefinition {
            reason: reason.into(),
        }
    }
}

impl fmt::Display for InvalidDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for InvalidDefinition {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_in_no_id_and_no_label() {
        let plain = Definition::parse(r#"{"source":"a","target":"http://h:5984/b"}"#).unwrap();
        let secret = Definition::parse(
            r#"{"source":"a","target":"http://anna:s3cret@h:5984/b","continuous":false,"proxy":"http://u:s3cret@p:8080"}"#,
        )
        .unwrap();
        assert_eq!(plain.job_id(), secret.job_id());
        assert_eq!(secret.target.label(), "http://h:5984/b");
        assert_eq!(secret.target.proxy_label().as_deref(), Some("http://p:8080"));
        assert!(!format!("{secret:?}").contains("s3cret"));
        let continuous = Definition::continuous("a", "http://h:5984/b");
        assert_eq!(continuous.job_id(), plain.job_id() + "+continuous");
    }

    #[test]
    fn what_cannot_be_says_why() {
        for (text, reason) in [
            (r#"{"target":"b"}"#, "`source`"),
            (r#"{"source":"A b","target":"b"}"#, "`source`"),
            (r#"{"source":"a","target":"http://h"}"#, "`target`"),
            (
                r#"{"source":"a","target":"b","filter":"x/y","doc_ids":[]}"#,
                "`filter`",
            ),
            (r#"{"source":"a","target":"b","selector":{"$x":1}}"#, "`selector`"),
            (
                r#"{"source":"a","target":"b","selector":{},"feed_name":"d/f"}"#,
                "`feed_name`",
            ),
            (
                r#"{"source":"a","target":"b","selector":{},"doc_ids":[]}"#,
                "exclude",
            ),
            (
                r#"{"source":"a","target":"b","attachments":"some"}"#,
                "`attachments`",
            ),
            (r#"{"source":"a","target":"b","continuous":1}"#, "`continuous`"),
            ("[]", "object"),
        ] {
            let invalid = Definition::parse(text).unwrap_err();
            assert!(invalid.reason.contains(reason), "{text}: {invalid}");
        }
    }

    #[test]
    fn options_reach_the_spec() {
        let text = r#"{"source":"a","target":"b","archive":true,"strict":true,"attachments":"lazy","bytes_per_second":5,
            "priority":2,"until":"9-a","checkpoint_interval":1500,"selector":{"a":1}}"#;
        let spec = Definition::parse(text).unwrap().spec;
        assert!(spec.archive && spec.strict && spec.selector.is_some());
        assert_eq!(spec.attachments, AttachmentMode::Lazy);
        assert_eq!((spec.bytes_per_second, spec.priority), (Some(5), 2));
        assert_eq!(spec.until.as_deref(), Some("\"9-a\""));
        assert_eq!(spec.checkpoint_interval, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn credentials_without_a_scheme_are_not_quoted() {
        let text = r#"{"source":"admin:secret@host:5984/db","target":"db"}"#;
        let error = Definition::parse(text).unwrap_err().to_string();
        assert!(
            error.contains("host:5984/db") && !error.contains("secret"),
            "{error}"
        );
    }
}
