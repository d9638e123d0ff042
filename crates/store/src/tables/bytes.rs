//! The alphabet of the file format: a reader that cannot run past its bytes. Integers are those of core's `varint`.

use crate::Error;
use trunkline_core::varint;

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::write(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Reads fields from the front; every step fails rather than run past the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

/// The bytes end too early or are not what the format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<Malformed> for Error {
    fn from(_: Malformed) -> Error {
        Error::Corrupt("a row does not follow the file format".into())
    }
}

impl From<trunkline_core::revtree::Corrupt> for Malformed {
    fn from(_: trunkline_core::revtree::Corrupt) -> Malformed {
        Malformed
    }
}

impl From<std::str::Utf8Error> for Malformed {
    fn from(_: std::str::Utf8Error) -> Malformed {
        Malformed
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        varint::read(&mut self.0).ok_or(Malformed)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        self.take(len)
    }

    pub(crate) fn str(&mut self) -> Result<&'a str, Malformed> {
        Ok(std::str::from_utf8(self.bytes()?)?)
    }

    /// Reads the version byte that opens each value.
    pub(crate) fn version(&mut self) -> Result<(), Malformed> {
        if self.u8()? == super::VERSION {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut out = Vec::new();
        put_bytes(&mut out, b"abc");
        let mut reader = Reader(&out);
        assert_eq!(reader.bytes(), Ok(b"abc".as_slice()));
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(reader.u8(), Err(Malformed));
        for cut in 0..out.len() {
            assert_eq!(Reader(&out[..cut]).bytes(), Err(Malformed));
        }
        assert_eq!(Reader(&[0xff; 20]).bytes(), Err(Malformed));
    }
}
