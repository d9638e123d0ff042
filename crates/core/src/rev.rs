//! Revision ids: `N-digest`, as CouchDB parses, prints and orders them (PROTOCOL: generation, then id bytes).

use std::fmt;

/// The part after the dash. 32 hexadecimal digits are kept as the 16 bytes they spell, anything else as its own
/// bytes; two digests compare by these stored bytes, which is CouchDB's order.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Repr);

// Sixteen bytes inline are the rule; the variants never hold the same bytes, so that equality is equality of bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Md5([u8; 16]),
    Text(Box<[u8]>),
}

impl PartialOrd for Repr {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Repr {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Repr {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Repr::Md5(bytes) => bytes,
            Repr::Text(bytes) => bytes,
        }
    }
}

impl Digest {
    /// From stored bytes; 16 of them are an MD5.
    pub fn from_bytes(bytes: &[u8]) -> Digest {
        match <[u8; 16]>::try_from(bytes) {
            Ok(md5) => Digest(Repr::Md5(md5)),
            Err(_) => Digest(Repr::Text(bytes.into())),
        }
    }

    /// The bytes that are stored and compared.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<[u8; 16]> for Digest {
    fn from(md5: [u8; 16]) -> Digest {
        Digest(Repr::Md5(md5))
    }
}

/// A revision: its generation (1 for the first edit) and digest. Ordered by generation, then digest bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rev {
    /// Length of the history that ends here.
    pub generation: u64,
    /// Names the edit within its generation.
    pub digest: Digest,
}

/// The text is no revision id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRev(pub Box<str>);

impl Rev {
    /// Reads `N-digest`: splits at the first dash; the left part is an integer; 32 characters on the right must be
    /// hexadecimal (any case) when the generation is not 0, anything else is kept as it is.
    pub fn parse(text: &str) -> Result<Rev, InvalidRev> {
        let invalid = || InvalidRev(text.into());
        let (generation, digest) = text.split_once('-').ok_or_else(invalid)?;
        let generation: u64 = generation.parse().map_err(|_| invalid())?;
        Ok(Rev {
            generation,
            digest: Digest::parse(digest, generation).ok_or_else(invalid)?,
        })
    }
}

impl Digest {
    /// Reads the part after the dash; `None` for 32 characters that are not hexadecimal, or nothing at all.
    pub fn parse(text: &str, generation: u64) -> Option<Digest> {
        if text.len() == 32 && generation != 0 {
            let mut md5 = [0; 16];
            for (byte, pair) in md5.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                let pair = std::str::from_utf8(pair)
                    .ok()
                    .filter(|pair| !pair.starts_with('+'))?;
                *byte = u8::from_str_radix(pair, 16).ok()?;
            }
            return Some(Digest(Repr::Md5(md5)));
        }
        (!text.is_empty()).then(|| Digest::from_bytes(text.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Md5(md5) => md5.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Repr::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.generation, self.digest)
    }
}

impl fmt::Debug for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for InvalidRev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid rev format: {}", self.0)
    }
}

impl std::error::Error for InvalidRev {}
