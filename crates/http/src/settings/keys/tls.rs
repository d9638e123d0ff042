//! `[tls]`.

use crate::settings::Kind;
use crate::settings::field::TLS_VERSIONS;
use crate::settings::key::{Holds, Section, key};

pub(super) const TLS: Section = Section {
    name: "tls",
    text: "HTTPS. The files are read again when they changed, and at a reload.",
    holds: Holds::Keys(&[
        key!(
            "listen",
            Kind::List,
            START,
            process.tls_listen,
            "Addresses and ports for HTTPS (CouchDB's port is 6984)."
        ),
        key!(
            "certificate",
            Kind::Path,
            START,
            process.certificate,
            "PEM file of the certificate, and of those between it and its authority."
        ),
        key!("key", Kind::Path, START, process.key, "PEM file of its key."),
        key!(
            "client_authorities",
            Kind::Path,
            START,
            process.client_authorities,
            "PEM file of the authorities whose client certificates are trusted. Without it clients are not asked for any."
        ),
        key!(
            "client_crl_file",
            Kind::Path,
            START,
            process.client_crl_file,
            "PEM file of lists of client certificates that were revoked (CRL), one list of each authority between a client \
             and its root: who is in one, or whose authority has none, is refused. A list whose time has passed counts on."
        ),
        key!(
            "require_client_certificate",
            Kind::Switch,
            START,
            process.require_client_certificate,
            "Whether a client without a certificate is refused."
        ),
        key!(
            "version_min",
            Kind::OneOf(TLS_VERSIONS),
            START,
            process.version_min,
            "The oldest version of TLS that is spoken."
        ),
    ]),
};
