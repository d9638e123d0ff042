//! What is wrong with settings that are each of their kind. Every mistake is told.

use super::{Settings, hashed};
use crate::auth::{is_sound_key, rule};
use crate::cors::METHODS;

impl Settings {
    /// What is wrong with values, whatever the others are.
    pub(super) fn wrong_values(&self) -> Vec<String> {
        let listed = self.process.listen.iter().chain(&self.process.tls_listen);
        let addresses = listed.filter(|address| address.parse::<std::net::SocketAddr>().is_err());
        let mut wrong: Vec<String> = addresses
            .map(|address| {
                format!(
                    "`listen` takes addresses with ports, such as 127.0.0.1:5984 and [::1]:5984; not {address:?}"
                )
            })
            .collect();
        for (name, password) in &self.config.admins {
            if name.contains(':') {
                wrong.push(format!("`{name}` in [admins] has a `:`, which ends a name"));
            }
            if !hashed::is_sound(password.reveal()) {
                wrong.push(format!("`{name}` in [admins] begins as a hash does, and is none"));
            }
        }
        wrong.extend(self.wrong_keys_and_rules());
        if let Some(domain) = &self.config.authentication.sessions.domain
            && !is_host(domain)
        {
            wrong.push(format!(
                "`domain` in [sessions] takes a host's name, such as example.com; not {domain:?}"
            ));
        }
        let origins = self.config.cors.origins.iter();
        wrong.extend(origins.filter(|origin| !is_origin(origin)).map(|origin| {
            let hint = match origin.contains('*') {
                true => " (no part of a host may be a *: write each host out, or a * alone)",
                false => "",
            };
            format!(
                "`origins` in [cors] takes * and origins such as https://app.example; not {origin:?}{hint}"
            )
        }));
        let methods = self.config.cors.methods.iter();
        let unknown = methods.filter(|method| !METHODS.contains(&method.as_str()));
        wrong.extend(unknown.map(|method| {
            let all = METHODS.join(", ");
            format!("`methods` in [cors] takes {all}, in capitals, or none for all of them; not {method:?}")
        }));
        wrong
    }

    /// What would otherwise be found out by those who log in.
    fn wrong_keys_and_rules(&self) -> Vec<String> {
        let authentication = &self.config.authentication;
        let keys = authentication.jwt.keys.iter();
        let keys = keys.filter(|(name, key)| !is_sound_key(name, key.reveal()));
        let mut wrong: Vec<String> = keys
            .map(|(name, _)| {
                format!(
                    "`{name}` in [jwt_keys] must be called hmac:ID (base64), rsa:ID, ec:ID or eddsa:ID (PEM of a public key), \
                     and be one"
                )
            })
            .collect();
        for (pattern, said) in &authentication.passwords.patterns {
            if let Err(cause) = rule(pattern) {
                let cause = cause.to_string();
                let last = cause.lines().last().unwrap_or_default();
                wrong.push(format!(
                    "`{said}` in [password_rules] is no regular expression: {}",
                    last.trim_start_matches("error: ")
                ));
            }
        }
        wrong
    }

    /// What is wrong with values that are each right.
    pub(super) fn wrong_together(&self) -> Vec<String> {
        let (process, cors) = (&self.process, &self.config.cors);
        let (peers, clients) = (&process.peers, process.client_authorities.is_some());
        let all = [
            (
                process.certificate.is_some() != process.key.is_some(),
                "[tls] needs both `certificate` and `key`, or neither",
            ),
            (
                peers.certificate.is_some() != peers.key.is_some(),
                "[replication] needs both `certificate` and `key`, or neither",
            ),
            (
                !process.tls_listen.is_empty() && process.certificate.is_none(),
                "[tls] listens, and has no `certificate`",
            ),
            (
                process.require_client_certificate && !clients,
                "[tls] `require_client_certificate` needs `client_authorities`",
            ),
            (
                process.client_crl_file.is_some() && !clients,
                "[tls] `client_crl_file` needs `client_authorities`",
            ),
            (
                cors.credentials && cors.origins.iter().any(|origin| origin == "*"),
                "[cors] takes no `credentials` with the origin *",
            ),
        ];
        let wrong = all.iter().filter(|(is_wrong, _)| *is_wrong);
        wrong.map(|(_, what)| (*what).to_owned()).collect()
    }
}

fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
    origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*']))
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
