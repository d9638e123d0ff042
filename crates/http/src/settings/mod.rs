//! Where settings come from. One table (`keys`) says of each what it is called, what it may be, what it does and where its
//! typed value is; the file, the environment, flags and `_config` all read by it.
//!
//! Layers go over each other: the defaults (or what a program begins with), the operator's file, what was set while a server
//! ran, the environment, flags. A change is made in one layer, all are put over each other anew, and the result takes the
//! place of what was in force as a whole, or not at all.

mod environment;
mod example;
mod field;
mod file;
mod hashed;
mod kept;
mod key;
mod keys;
mod layer;
mod live;
mod nearest;
mod problem;
mod process;
mod shown;
mod sources;
mod state;
mod value;

pub use example::example;
pub use key::{Holds, Key, Names, Section};
pub use keys::SECTIONS;
pub use live::Live;
pub use problem::Problem;
pub use process::Process;
pub use shown::{Shown, Unchanged};
pub use sources::{Origin, Sources};
pub use value::{HIDDEN, Kind, Value};

use crate::config::Config;

/// Every setting of a server.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What requests and answers go by.
    pub config: Config,
    /// What is read once, when a server starts.
    pub process: Process,
}

impl Settings {
    /// What is wrong with settings that are each right.
    fn check(&self) -> Result<(), Problem> {
        let process = &self.process;
        if process.certificate.is_some() != process.key.is_some() {
            return Err(Problem::new(
                "[tls] needs both `certificate` and `key`, or neither",
            ));
        }
        if process.peers.certificate.is_some() != process.peers.key.is_some() {
            return Err(Problem::new(
                "[replication] needs both `certificate` and `key`, or neither",
            ));
        }
        if !process.tls_listen.is_empty() && process.certificate.is_none() {
            return Err(Problem::new("[tls] listens, and has no `certificate`"));
        }
        if process.require_client_certificate && process.client_authorities.is_none() {
            return Err(Problem::new(
                "[tls] `require_client_certificate` needs `client_authorities`",
            ));
        }
        for address in process.listen.iter().chain(&process.tls_listen) {
            if address.parse::<std::net::SocketAddr>().is_err() {
                return Err(Problem::new(format!(
                    "`listen` takes addresses with ports, such as 127.0.0.1:5984 and [::1]:5984; not {address:?}"
                )));
            }
        }
        for (name, password) in &self.config.admins {
            if name.contains(':') {
                return Err(Problem::new(format!(
                    "`{name}` in [admins] has a `:`, which ends a name"
                )));
            }
            if !hashed::is_sound(password.reveal()) {
                return Err(Problem::new(format!(
                    "`{name}` in [admins] begins as a hash does, and is none"
                )));
            }
        }
        let cors = &self.config.cors;
        if cors.credentials && cors.origins.iter().any(|origin| origin == "*") {
            return Err(Problem::new("[cors] takes no `credentials` with the origin *"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
