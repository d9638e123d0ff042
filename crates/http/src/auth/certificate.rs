//! Who a connection's certificate names.

/// The names in the client certificate of a request's connection, which the TLS settings trust: in the request's
/// extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The subject's common name, then its DNS names.
    pub(crate) names: Vec<String>,
}
