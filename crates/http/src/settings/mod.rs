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

use crate::auth::{is_sound_key, rule};
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
        if process.client_crl_file.is_some() && process.client_authorities.is_none() {
            return Err(Problem::new("[tls] `client_crl_file` needs `client_authorities`"));
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
        self.check_keys_and_rules()?;
        if let Some(domain) = &self.config.authentication.sessions.domain
            && !is_host(domain)
        {
            return Err(Problem::new(format!(
                "`domain` in [sessions] takes a host's name, such as example.com; not {domain:?}"
            )));
        }
        let cors = &self.config.cors;
        let is_origin = |origin: &&String| {
            let host = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
            *origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
        };
        if let Some(origin) = cors.origins.iter().find(|origin| !is_origin(origin)) {
            return Err(Problem::new(format!(
                "`origins` in [cors] takes * and origins such as https://app.example; not {origin:?}"
            )));
        }
        if cors.credentials && cors.origins.iter().any(|origin| origin == "*") {
            return Err(Problem::new("[cors] takes no `credentials` with the origin *"));
        }
        Ok(())
    }

    /// What is right, and may not be what was meant.
    fn warnings(&self) -> Vec<String> {
        let authentication = &self.config.authentication;
        let jwt = &authentication.jwt;
        let is_waiver = |claim: &String| claim.trim() == "-exp";
        let mut warnings = Vec::new();
        if !jwt.keys.is_empty() && jwt.required_claims.iter().any(is_waiver) {
            warnings.push("`required_claims` in [jwt] has -exp: tokens that never end are taken".to_owned());
        }
        if authentication.require_valid_user && self.config.admins.is_empty() {
            warnings.push(
                "`require_valid_user` in [authentication] locks everyone out who is not in _users, as there is no \
                 administrator; `trunkline init` makes one"
                    .to_owned(),
            );
        }
        warnings
    }

    /// What would otherwise be found out by those who log in.
    fn check_keys_and_rules(&self) -> Result<(), Problem> {
        let authentication = &self.config.authentication;
        for (name, key) in &authentication.jwt.keys {
            if !is_sound_key(name, key.reveal()) {
                return Err(Problem::new(format!(
                    "`{name}` in [jwt_keys] must be called hmac:ID (base64), rsa:ID, ec:ID or eddsa:ID (PEM of a public key), and \
                     be one"
                )));
            }
        }
        for (pattern, said) in &authentication.passwords.patterns {
            if let Err(wrong) = rule(pattern) {
                let wrong = wrong.to_string();
                let last = wrong.lines().last().unwrap_or_default();
                return Err(Problem::new(format!(
                    "`{said}` in [password_rules] is no regular expression: {}",
                    last.trim_start_matches("error: ")
                )));
            }
        }
        Ok(())
    }
}

/// Whether it is a host's name, and nothing that ends an attribute of a cookie. A dot before it is usual, and ignored by
/// browsers.
fn is_host(text: &str) -> bool {
    let text = text.strip_prefix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let is_letter = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        !label.is_empty() && label.bytes().all(is_letter)
    };
    text.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
