//! Whom a client certificate names.

use rustls::pki_types::CertificateDer;

/// The common name of a certificate that was verified, then its DNS names. A subject with several common names has
/// none: nobody can tell which is meant.
pub(crate) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let mut common = common_names(certificate.subject());
    common.truncate(if common.len() == 1 { 1 } else { 0 });
    common.extend(certificate.valid_dns_names().map(str::to_owned));
    common
}

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// All common names in the content of a DER `Name`.
fn common_names(mut name: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((_, mut set, rest)) = value(name) {
        name = rest;
        while let Some((tag, attribute, rest)) = value(set) {
            set = rest;
            if tag != SEQUENCE {
                continue;
            }
            let Some((OBJECT, kind, text)) = value(attribute) else {
                continue;
            };
            if kind != COMMON_NAME {
                continue;
            }
            let text = match value(text) {
                Some((UTF8 | PRINTABLE, text, [])) => std::str::from_utf8(text).ok(),
                _ => None,
            };
            // One that cannot be read counts, too: it may be the one that is meant.
            found.push(text.unwrap_or_default().to_owned());
        }
    }
    if found
        .iter()
        .any(|name| name.is_empty() || name.contains(char::is_control))
    {
        found.clear();
    }
    found
}

/// The first DER value: its tag, its content, and what is behind it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest
            .split_first()
            .map(|(&length, rest)| (usize::from(length), rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn names(common: &[&str], dns: &[&str]) -> Vec<String> {
        let mut params =
            CertificateParams::new(dns.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Ops, CN=admin");
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        names_of(certificate.der())
    }

    #[test]
    fn the_common_name_comes_first_and_then_dns_names() {
        assert_eq!(
            names(&["node-7"], &["a.example", "b.example"]),
            ["node-7", "a.example", "b.example"]
        );
        assert_eq!(names(&[], &["a.example"]), ["a.example"]);
        let long = "é".repeat(60);
        assert_eq!(names(&[&long], &[]), [long]);
        assert!(names(&["a\0b"], &[]).is_empty());
        assert!(names(&[], &[]).is_empty());
    }

    #[test]
    fn a_subject_that_is_not_clear_names_nobody() {
        let attribute = |tag: u8, text: &[u8]| {
            let mut out = vec![OBJECT, 3, 0x55, 0x04, 0x03, tag, text.len() as u8];
            out.extend_from_slice(text);
            out.splice(0..0, [0x31, out.len() as u8 + 2, SEQUENCE, out.len() as u8]);
            out
        };
        let one = attribute(UTF8, b"node");
        assert_eq!(common_names(&one), ["node"]);
        assert_eq!(common_names(&[one.clone(), one.clone()].concat()).len(), 2);
        let odd = attribute(0x1e, b"\0n");
        assert!(common_names(&[one.clone(), odd].concat()).is_empty());
        for cut in 0..one.len() {
            assert!(common_names(&one[..cut]).is_empty());
        }
    }
}
