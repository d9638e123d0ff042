//! `[jwt]`, `[proxy]`.

use crate::settings::Kind;
use crate::settings::key::{Holds, Section, key};

pub(super) const JWT: Section = Section {
    name: "jwt",
    text: "Bearer tokens. None is taken while [jwt_keys] is empty.",
    holds: Holds::Keys(&[
        key!(
            "required_claims",
            Kind::List,
            LIVE,
            config.authentication.jwt.required_claims,
            "Claims that a token must have: exp, iat, nbf, or iss and others with the value behind =. exp is required whatever is listed, but where -exp is."
        ),
        key!(
            "roles_path",
            Kind::List,
            LIVE,
            config.authentication.jwt.roles_path,
            "Where the roles are in a token: names of members, from the outermost inwards."
        ),
    ]),
};

pub(super) const PROXY: Section = Section {
    name: "proxy",
    text: "A proxy that says who asks, in X-Auth-CouchDB-UserName and X-Auth-CouchDB-Roles.",
    holds: Holds::Keys(&[key!(
        "secret",
        Kind::Secret,
        LIVE,
        config.authentication.proxy.secret,
        "What it makes X-Auth-CouchDB-Token with. Without it no proxy is believed."
    )]),
};
