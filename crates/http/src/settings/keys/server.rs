//! `[server]`, `[replication]`, `[log]`.

use crate::settings::Kind;
use crate::settings::key::{Holds, Section, key};

pub(super) const SERVER: Section = Section {
    name: "server",
    text: "Where it listens, and what it may use.",
    holds: Holds::Keys(&[
        key!(
            "listen",
            Kind::List,
            START,
            process.listen,
            "Addresses and ports for plain HTTP; port 0 takes a free one. Without an administrator only loopback addresses \
             are listened on. Also TRUNKLINE_LISTEN and --listen."
        ),
        key!(
            "unix_socket",
            Kind::Path,
            START,
            process.unix_socket,
            "Path of a unix socket to listen on, too. Who may open the file may ask."
        ),
        key!(
            "cache_mb",
            Kind::Number {
                least: 1,
                most: 1 << 20,
                unit: "MiB"
            },
            START,
            process.cache_mb,
            "What the caches of all databases may use together. Also --cache-mb."
        ),
        key!(
            "open_databases",
            Kind::Number {
                least: 1,
                most: 1 << 20,
                unit: "files"
            },
            START,
            process.open_databases,
            "Database files kept open at once. Also --open-databases."
        ),
        key!(
            "compression",
            Kind::Switch,
            LIVE,
            config.compression,
            "Whether answers are compressed for clients that ask for it."
        ),
        key!(
            "couchdb_version",
            Kind::Text,
            LIVE,
            config.couchdb_version,
            "The CouchDB release that clients are told of: they choose by it what they ask for."
        ),
        key!(
            "shutdown_ms",
            Kind::Number {
                least: 0,
                most: 3_600_000,
                unit: "ms"
            },
            LIVE,
            config.shutdown_ms,
            "What open connections get to finish when the server is asked to end."
        ),
    ]),
};

pub(super) const REPLICATION: Section = Section {
    name: "replication",
    text: "What replications of this server find here.",
    holds: Holds::Keys(&[
        key!(
            "secrets",
            Kind::Path,
            START,
            process.secrets,
            "Directory with a file per secret that replications name in place of credentials. Also TRUNKLINE_SECRETS and \
             --secrets."
        ),
        key!(
            "certificate",
            Kind::Path,
            START,
            process.peers.certificate,
            "PEM file of the certificate that this server shows to peers that want one. Also --cert."
        ),
        key!(
            "key",
            Kind::Path,
            START,
            process.peers.key,
            "PEM file of its key. Also --key."
        ),
        key!(
            "authorities",
            Kind::Path,
            START,
            process.peers.authorities,
            "PEM file of authorities that vouch for peers, beside those that the system trusts. Also --cacert."
        ),
    ]),
};

pub(super) const LOG: Section = Section {
    name: "log",
    text: "What is told on standard error.",
    holds: Holds::Keys(&[
        key!(
            "filter",
            Kind::Text,
            START,
            process.log_filter,
            "error, warn, info, debug, trace, or a filter such as info,trunkline_store=debug. Who changed or was refused what \
             goes to the target audit. Also TRUNKLINE_LOG and --log."
        ),
        key!(
            "json",
            Kind::Switch,
            START,
            process.log_json,
            "Whether each event is a line of JSON. Also --log-json."
        ),
        key!(
            "audit",
            Kind::Path,
            START,
            process.log_audit,
            "File to which events of the target audit are appended, a line of JSON each, whatever the filter says."
        ),
    ]),
};
