//! Who asks.

use serde_json::{Value, json};
use trunkline_core::access::Identity;

/// Whose request it is. Nobody in particular: no name and no roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    /// The name, if one was given and believed.
    pub(crate) name: Option<String>,
    /// What rights are given to; `_admin` has all.
    pub(crate) roles: Vec<String>,
    /// How it was found out; `None` where nothing was presented.
    pub(crate) by: Option<Method>,
    /// Stands for what it was believed by, where that can change: the password as it is kept, a key, a secret.
    pub(crate) proof: Option<blake3::Hash>,
    /// Seconds since 1970 from which on what was presented holds no more, where it says so.
    pub(crate) ends: Option<u64>,
}

/// The role of a server's administrators.
pub(crate) const ADMIN: &str = "_admin";

/// How it was found out who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Name and password with the request.
    Basic,
    /// A cookie of `/_session`.
    Cookie,
    /// A bearer token.
    Jwt,
    /// A proxy said so.
    Proxy,
    /// The certificate of the connection.
    Certificate,
}

impl Method {
    /// CouchDB's name of the handler.
    pub(crate) fn handler(self) -> &'static str {
        match self {
            Method::Basic => "default",
            Method::Cookie => "cookie",
            Method::Jwt => "jwt",
            Method::Proxy => "proxy",
            Method::Certificate => "certificate",
        }
    }
}

impl User {
    /// An administrator without a name: everyone on a server that has no administrator.
    pub(crate) fn nameless_admin() -> User {
        User {
            roles: vec![ADMIN.to_owned()],
            ..User::default()
        }
    }

    /// For what is decided by name and roles.
    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity {
            name: self.name.as_deref(),
            roles: &self.roles,
        }
    }

    /// The name, if it was shown by the password that `_users` has: a token, a proxy or a certificate names whom it likes,
    /// and the user of that name there may be another one.
    pub(crate) fn of_password(&self) -> Option<&str> {
        let by = matches!(self.by, Some(Method::Basic | Method::Cookie));
        self.name.as_deref().filter(|_| by)
    }

    /// Whether it may do everything everywhere.
    pub(crate) fn is_admin(&self) -> bool {
        self.has_role(ADMIN)
    }

    /// Whether it has a role.
    pub(crate) fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|has| has == role)
    }

    /// `userCtx` as sessions show it.
    pub(crate) fn context(&self) -> Value {
        json!({ "name": self.name, "roles": self.roles })
    }
}
