//! How it is found out who asks, and how passwords are kept.

use super::Secret;
use std::collections::BTreeMap;

/// How it is found out who asks.
#[derive(Clone, Debug, Default)]
pub struct Authentication {
    /// Refuse who says no name, but for `/_session` and (see the next) `/_up`.
    pub require_valid_user: bool,
    /// With it, `/_up` answers anyone.
    pub require_valid_user_except_for_up: bool,
    /// Cookies.
    pub sessions: Sessions,
    /// How passwords of `_users` and of administrators are kept, and which may be chosen.
    pub passwords: Passwords,
    /// When guessing ends.
    pub lockout: Lockout,
    /// Bearer tokens.
    pub jwt: Jwt,
    /// A proxy that says who asks.
    pub proxy: Proxy,
    /// Client certificates.
    pub certificates: Certificates,
}

/// Cookies of `/_session`.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Seconds without a request after which a session ends; a cookie is renewed when a tenth of them passed.
    pub seconds: u64,
    /// What cookies are signed with. Empty: one is made at the start, and sessions end with the server.
    pub secret: Secret,
    /// Former secrets, whose cookies are good until they run out.
    pub former_secrets: Vec<Secret>,
    /// Whether cookies outlive the browser (`Max-Age`).
    pub persistent: bool,
    /// `SameSite` of cookies.
    pub same_site: Option<SameSite>,
    /// `Domain` of cookies.
    pub domain: Option<String>,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            seconds: 600,
            secret: Secret::default(),
            former_secrets: Vec::new(),
            persistent: true,
            same_site: Some(SameSite::Lax),
            domain: None,
        }
    }
}

/// Whether browsers send cookies along with other sites' requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When a link is followed.
    Lax,
    /// Always; over TLS only.
    None,
}

/// The hash beneath PBKDF2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prf {
    /// SHA-256: what CouchDB writes since 3.4.
    Sha256,
    /// SHA-1: what older CouchDB and PouchDB Server read.
    Sha1,
}

/// How passwords are kept, and which may be chosen.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// The hash beneath PBKDF2, for passwords that are set from now on.
    pub prf: Prf,
    /// Its rounds.
    pub iterations: u32,
    /// Characters that a new password has at least.
    pub chars_min: usize,
    /// Regular expressions that a new password must match, each with what is said when it does not.
    pub patterns: Vec<(String, String)>,
    /// Members of documents of `_users` that everyone may read.
    pub public_fields: Vec<String>,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords {
            prf: Prf::Sha256,
            iterations: 600_000,
            chars_min: 0,
            patterns: Vec::new(),
            public_fields: Vec::new(),
        }
    }
}

/// When guessing ends: a name from an address that failed so often is refused for a while, whatever password comes.
#[derive(Clone, Debug)]
pub struct Lockout {
    /// Failures; 0 never locks anyone out.
    pub failures: u32,
    /// Failures of all names together from an address that is not this machine's; 0 never locks an address out.
    pub address_failures: u32,
    /// Seconds that it lasts, and in which failures are counted.
    pub seconds: u64,
}

impl Default for Lockout {
    fn default() -> Lockout {
        Lockout {
            failures: 5,
            address_failures: 50,
            seconds: 300,
        }
    }
}

/// Bearer tokens; none is taken while there is no key.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// Keys by `algorithm family:key id` as CouchDB's `[jwt_keys]`: `hmac:_default` (base64), `rsa:…`, `ec:…`, `eddsa:…` (PEM).
    pub keys: BTreeMap<String, Secret>,
    /// Claims that must be there: `exp`, `iat`, `nbf`, or `iss` and others with the value behind `=`. `exp` is required
    /// whatever is listed, but where `-exp` is.
    pub required_claims: Vec<String>,
    /// Where the roles are: a path of member names.
    pub roles_path: Vec<String>,
}

impl Default for Jwt {
    fn default() -> Jwt {
        Jwt {
            keys: BTreeMap::new(),
            required_claims: vec!["exp".to_owned()],
            roles_path: vec!["_couchdb.roles".to_owned()],
        }
    }
}

/// A proxy that says who asks in `X-Auth-CouchDB-UserName` and `X-Auth-CouchDB-Roles`; it is believed by its
/// `X-Auth-CouchDB-Token`, and not at all while there is no secret.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// What the token is made with: the hex HMAC (SHA-1 or SHA-256) of the user's name.
    pub secret: Secret,
}

/// Client certificates: who comes with one that the TLS settings trust is its common name (or first DNS name), if it is
/// listed here, with these roles.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// Roles by name.
    pub roles: BTreeMap<String, Vec<String>>,
}
