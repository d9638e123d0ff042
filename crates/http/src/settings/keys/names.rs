//! Sections whose names the operator chooses: `[admins]`, `[password_rules]`, `[jwt_keys]`, `[certificates]`.

use crate::config::Secret;
use crate::settings::field::Field;
use crate::settings::key::{Holds, Names, Section};
use crate::settings::{Kind, Value};
use std::collections::BTreeMap;

pub(super) const ADMINS: Section = Section {
    name: "admins",
    text: "Administrators: a name, and a password or what `trunkline init --hash` makes of it. Passwords in clear are \
           hashed when they are read; what is set while a server runs is kept as a hash.",
    holds: Holds::Names(Names {
        kind: Kind::Secret,
        example: "anna = \"-pbkdf2:sha256-…\"",
        show: |settings| shown(&settings.config.admins),
        put: |settings, name, value| keep(&mut settings.config.admins, name, value),
        hashed: true,
    }),
};

pub(super) const PASSWORD_RULES: Section = Section {
    name: "password_rules",
    text: "What new passwords of documents of _users must match: what is said when one does not, and a regular expression.",
    holds: Holds::Names(Names {
        kind: Kind::Text,
        example: "\"A password has a digit.\" = \"[0-9]\"",
        show: |settings| {
            let rules = settings.config.authentication.passwords.patterns.iter();
            rules
                .map(|(pattern, said)| (said.clone(), Value::Text(pattern.clone())))
                .collect()
        },
        put: |settings, said, value| {
            let rules = &mut settings.config.authentication.passwords.patterns;
            rules.retain(|(_, other)| other != said);
            String::of(value)
                .map(|pattern| rules.push((pattern, said.to_owned())))
                .is_some()
        },
        hashed: false,
    }),
};

pub(super) const JWT_KEYS: Section = Section {
    name: "jwt_keys",
    text: "Keys of bearer tokens, by family and key id: hmac:ID (base64), rsa:ID, ec:ID, eddsa:ID (PEM, public). The id of \
           a token that names none is _default.",
    holds: Holds::Names(Names {
        kind: Kind::Secret,
        example: "\"hmac:_default\" = \"c2VjcmV0\"",
        show: |settings| shown(&settings.config.authentication.jwt.keys),
        put: |settings, name, value| keep(&mut settings.config.authentication.jwt.keys, name, value),
        hashed: false,
    }),
};

pub(super) const CERTIFICATES: Section = Section {
    name: "certificates",
    text: "Who comes with a client certificate that [tls] trusts: its common name (or first DNS name), and roles.",
    holds: Holds::Names(Names {
        kind: Kind::List,
        example: "\"node-1.example\" = [\"replicator\"]",
        show: |settings| {
            let roles = settings.config.authentication.certificates.roles.iter();
            roles
                .map(|(name, roles)| (name.clone(), Value::List(roles.clone())))
                .collect()
        },
        put: |settings, name, value| {
            keep(
                &mut settings.config.authentication.certificates.roles,
                name,
                value,
            )
        },
        hashed: false,
    }),
};

fn shown(secrets: &BTreeMap<String, Secret>) -> BTreeMap<String, Value> {
    let secrets = secrets.iter().map(|(name, secret)| (name.clone(), secret.show()));
    secrets.filter_map(|(name, value)| Some((name, value?))).collect()
}

fn keep<T: Field>(kept: &mut BTreeMap<String, T>, name: &str, value: Value) -> bool {
    T::of(value)
        .map(|value| kept.insert(name.to_owned(), value))
        .is_some()
}
