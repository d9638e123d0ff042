//! Who a connection's certificate names.

use super::user::{Method, User};
use crate::config::Certificates;

/// The names in the client certificate of a request's connection, which the TLS settings trust: in the request's
/// extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The subject's common name, then its DNS names.
    pub(crate) names: Vec<String>,
}

/// The first of its names that is let in, with the roles that the settings give it.
pub(super) fn user(certificate: &ClientCertificate, settings: &Certificates) -> Option<User> {
    let found = |name: &String| settings.roles.get_key_value(name);
    let (name, roles) = certificate.names.iter().find_map(found)?;
    Some(User {
        name: Some(name.clone()),
        roles: roles.clone(),
        by: Some(Method::Certificate),
        ..User::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_names_are_let_in() {
        let settings = Certificates {
            roles: [("node-b".to_owned(), vec!["peers".to_owned()])].into(),
        };
        let of = |names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            user(&ClientCertificate { names }, &settings)
        };
        let found = of(&["other", "node-b"]).unwrap();
        assert_eq!(found.name.as_deref(), Some("node-b"));
        assert_eq!(found.roles, ["peers"]);
        assert_eq!(of(&["other"]), None);
        assert_eq!(of(&[]), None);
    }
}
