//! Revision ids: `N-digest`, as CouchDB parses, prints and orders them (PROTOCOL: generation, then id bytes).

use crate::limits::{DIGEST_BYTES_MAX, GENERATION_MAX};
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
    /// From stored bytes; 16 of them are an MD5. What comes from outside goes through [`Digest::parse`].
    pub fn from_bytes(bytes: &[u8]) -> Digest {
        match <[u8; 16]>::try_from(bytes) {
            Ok(md5) => Digest(Repr::Md5(md5)),
            Err(_) => Digest(Repr::Text(bytes.into())),
        }
    }

    /// From stored bytes that came from outside: `None` for those that [`Digest::parse`] gives for no text.
    pub fn of_stored(bytes: &[u8]) -> Option<Digest> {
        // 32 characters would be hexadecimal digits, and those are stored as 16 bytes.
        (Digest::is_stored(bytes) && bytes.len() != 32).then(|| Digest::from_bytes(bytes))
    }

    /// Whether stored bytes are those of a digest that [`Digest::parse`] can give.
    pub(crate) fn is_stored(bytes: &[u8]) -> bool {
        bytes.len() == 16 || is_text(bytes)
    }

    /// The bytes that are stored and compared.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

// Digests that are spelled as themselves go into JSON strings and header values without escapes.
fn is_text(bytes: &[u8]) -> bool {
    (1..=DIGEST_BYTES_MAX).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\\'))
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
    /// hexadecimal (any case) when the generation is not 0, anything else is kept as it is. What is kept must be
    /// printable ASCII without `"` and `\`, at most [`DIGEST_BYTES_MAX`] bytes.
    pub fn parse(text: &str) -> Result<Rev, InvalidRev> {
        let invalid = || InvalidRev(text.into());
        let (generation, digest) = text.split_once('-').ok_or_else(invalid)?;
        let generation: u64 = generation.parse().map_err(|_| invalid())?;
        if generation > GENERATION_MAX {
            return Err(invalid());
        }
        Ok(Rev {
            generation,
            digest: Digest::parse(digest, generation).ok_or_else(invalid)?,
        })
    }
}

impl Digest {
    /// Reads the part after the dash; `None` for 32 characters that are not hexadecimal, nothing at all, and what
    /// cannot stand unescaped in a JSON string or a header.
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
        is_text(text.as_bytes()).then(|| Digest::from_bytes(text.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Md5(md5) => {
                let mut hex = [0; 32];
                for (pair, byte) in hex.chunks_exact_mut(2).zip(md5) {
                    let nibbles = [byte >> 4, byte & 15];
                    for (digit, nibble) in pair.iter_mut().zip(nibbles) {
                        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
                    }
                }
                f.write_str(std::str::from_utf8(&hex).map_err(|_| fmt::Error)?)
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revs_read_as_they_print() {
        for text in [
            "1-967a00dff5e02add41819138abb3284d",
            "12-foo",
            "1-a-b",
            "0-1",
            "0-967a00dff5e02add41819138abb3284d",
        ] {
            assert_eq!(Rev::parse(text).expect(text).to_string(), text);
        }
        let upper = Rev::parse("1-967A00DFF5E02ADD41819138ABB3284D").expect("upper case is hexadecimal");
        assert_eq!(upper.to_string(), "1-967a00dff5e02add41819138abb3284d");
        // Sixteen bytes of any origin are shown as an MD5, as CouchDB does.
        let sixteen = Rev::parse("1-abcdefghijklmnop").expect("text");
        assert_eq!(sixteen.to_string(), "1-6162636465666768696a6b6c6d6e6f70");
    }

    #[test]
    fn texts_that_are_no_rev() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-a",
            "x-a",
            "1.0-a",
            "1-\"",
            "1-\\",
            "1-a b",
            "1-\n",
            "1-é",
            "1-967a00dff5e02add41819138abb3284x",
            "1-+67a00dff5e02add41819138abb3284d",
            "99999999999999999999-a",
            "9007199254740993-a",
        ] {
            assert_eq!(Rev::parse(text), Err(InvalidRev(text.into())));
        }
        assert!(Rev::parse(&format!("1-{}", "x".repeat(DIGEST_BYTES_MAX))).is_ok());
        assert!(Rev::parse(&format!("1-{}", "x".repeat(DIGEST_BYTES_MAX + 1))).is_err());
    }

    #[test]
    fn revs_order_by_generation_then_stored_bytes() {
        let rev = |text| Rev::parse(text).expect(text);
        assert!(rev("2-a") > rev("1-z"));
        assert!(rev("10-a") > rev("9-a"));
        assert!(rev("1-b") > rev("1-a"));
        assert!(rev("1-ab") > rev("1-a"));
        // 0xa0 is above 'f', whatever the texts say.
        assert!(rev("1-a0000000000000000000000000000000") > rev("1-foo"));
    }
}
