//! Public keys as PEM has them: `SubjectPublicKeyInfo` of RFC 5280.

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

/// Kinds of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    Ec,
    Ed25519,
}

impl Kind {
    /// Its object identifier, as DER has it.
    fn oid(self) -> &'static [u8] {
        match self {
            // 1.2.840.113549.1.1.1
            Kind::Rsa => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
            // 1.2.840.10045.2.1
            Kind::Ec => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
            // 1.3.101.112
            Kind::Ed25519 => &[0x2b, 0x65, 0x70],
        }
    }
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;

/// The bits of a key of this kind. Settings of one line spell line feeds `\n`.
pub(super) fn read(pem: &str, kind: Kind) -> Option<Vec<u8>> {
    let pem = pem.replace("\\n", "\n");
    let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (info, _) = take(info.as_ref(), SEQUENCE)?;
    let (algorithm, rest) = take(info, SEQUENCE)?;
    let (oid, _) = take(algorithm, OBJECT_IDENTIFIER)?;
    let (bits, _) = take(rest, BIT_STRING)?;
    // The first byte says how many bits of the last one do not count.
    let key = bits.strip_prefix(&[0])?;
    (oid == kind.oid()).then(|| key.to_vec())
}

/// The contents of a DER value with this tag, and what follows it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let length = digits
            .iter()
            .fold(0, |length, &digit| length << 8 | usize::from(digit));
        (length, rest)
    };
    rest.split_at_checked(length)
}
