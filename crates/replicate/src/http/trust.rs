//! Why TLS with a peer does not come about, in words that say what to do about it.

use rustls::{AlertDescription as Alert, CertificateError as Bad, Error as Tls};
use std::error::Error;

/// What files of certificates are called where the one who reads an error can name them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsNames {
    /// Members of a replication.
    #[default]
    Members,
    /// Options of a command.
    Options,
}

impl TlsNames {
    fn authority(self) -> &'static str {
        match self {
            TlsNames::Members => "`ca_file`",
            TlsNames::Options => "`--cacert`",
        }
    }

    fn certificate(self) -> &'static str {
        match self {
            TlsNames::Members => "`client_cert` and `client_key`",
            TlsNames::Options => "`--cert` and `--key`",
        }
    }
}

/// What stands between this end and `host`, if that is why a request failed. `shows` is whether this end shows a
/// certificate.
pub fn explain_tls(
    error: &(dyn Error + 'static),
    host: &str,
    shows: bool,
    names: TlsNames,
) -> Option<String> {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes {
        let told = match tls(cause) {
            Some(Tls::InvalidCertificate(bad)) => Some(distrusted(bad, host, names)),
            Some(Tls::AlertReceived(alert)) => refused(&format!("{alert:?}"), host, shows, names),
            Some(_) => None,
            // HTTP/2 keeps but the words of what ended its connection.
            None => {
                let text = cause.to_string();
                let alert = text.split_once("received fatal alert: ").map(|(_, alert)| alert);
                alert.and_then(|alert| refused(alert.trim_end_matches(')'), host, shows, names))
            }
        };
        if told.is_some() {
            return told;
        }
    }
    None
}

/// TLS's own error in another.
fn tls<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e Tls> {
    // An I/O error does not name what it wraps as its source.
    let wrapped = cause
        .downcast_ref::<std::io::Error>()
        .and_then(|error| error.get_ref());
    cause
        .downcast_ref()
        .or_else(|| wrapped.and_then(|wrapped| tls(wrapped)))
}

/// This end does not take the peer's certificate.
fn distrusted(bad: &Bad, host: &str, names: TlsNames) -> String {
    match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => format!(
            "the certificate of {host} is not trusted, it has expired: renew it there, if the clock is right here ({bad})"
        ),
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            format!(
                "the certificate of {host} is not trusted, it is not valid yet: is the clock right here? ({bad})"
            )
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => format!(
            "the certificate of {host} is not trusted, it is for another name: ask for a name that it has, or have it made \
             for this one ({bad})"
        ),
        // An authority that was made anew has its old name and another key.
        Bad::UnknownIssuer | Bad::BadSignature => format!(
            "the certificate of {host} is not trusted, no authority that is known here vouches for it: name the file of its \
             authority ({})",
            names.authority()
        ),
        Bad::Revoked => format!("the certificate of {host} is not trusted, it was revoked: it needs another"),
        other => format!("the certificate of {host} is not trusted: {other}"),
    }
}

/// The peer does not take this end's certificate, or misses one.
fn refused(alert: &str, host: &str, shows: bool, names: TlsNames) -> Option<String> {
    let is = |known: &[Alert]| known.iter().any(|known| alert == format!("{known:?}"));
    let about_certificates = is(&[
        Alert::CertificateRequired,
        Alert::NoCertificate,
        Alert::BadCertificate,
        Alert::UnsupportedCertificate,
        Alert::CertificateRevoked,
        Alert::CertificateExpired,
        Alert::CertificateUnknown,
        Alert::UnknownCA,
        Alert::AccessDenied,
        Alert::DecryptError,
    ]);
    let why = match alert {
        _ if is(&[Alert::CertificateExpired]) => "it has expired",
        _ if is(&[Alert::UnknownCA]) => "no authority that is known there vouches for it",
        _ if is(&[Alert::CertificateRevoked]) => "it was revoked",
        other => other,
    };
    if is(&[Alert::ProtocolVersion]) {
        return Some(format!(
            "{host} speaks no version of TLS that is spoken here (1.2 or 1.3)"
        ));
    }
    match (about_certificates, shows) {
        (true, true) => Some(format!(
            "{host} does not trust the certificate that this end shows, {why}: give this end another, or have its authority \
             trusted there"
        )),
        (true, false) => Some(needed(host, names)),
        // What TLS 1.2 says of it.
        (false, false) if is(&[Alert::HandshakeFailure]) => Some(needed(host, names)),
        (false, _) => None,
    }
}

fn needed(host: &str, names: TlsNames) -> String {
    format!(
        "{host} wants to be shown a certificate, and this end has none: name its file and its key's ({})",
        names.certificate()
    )
}
