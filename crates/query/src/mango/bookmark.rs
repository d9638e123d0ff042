//! Where an answer ended, as a text that means nothing to clients.

use crate::design::Signature;
use std::fmt::Write;

/// A place behind which to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bookmark {
    /// This document, by id.
    Document(String),
    /// This row of an index.
    Row(Signature, Vec<u8>),
}

/// Begin the texts of either kind.
const DOCUMENT: &str = "d";
const ROW: &str = "r";

/// Digits of a signature.
const SIGNATURE_DIGITS: usize = 32;

impl Bookmark {
    pub(super) fn text(&self) -> String {
        let mut text = match self {
            Bookmark::Document(_) => DOCUMENT.to_owned(),
            Bookmark::Row(signature, _) => format!("{ROW}{signature}"),
        };
        let bytes = match self {
            Bookmark::Document(id) => id.as_bytes(),
            Bookmark::Row(_, place) => place,
        };
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Of one of this signature where it is of a row.
    pub(super) fn parse(text: &str, signature: Option<Signature>) -> Option<Bookmark> {
        match signature {
            None => {
                let id = bytes(text.strip_prefix(DOCUMENT)?)?;
                String::from_utf8(id).ok().map(Bookmark::Document)
            }
            Some(signature) => {
                let rest = text.strip_prefix(ROW)?;
                let (of, place) = rest.split_at_checked(SIGNATURE_DIGITS)?;
                let is_of_it = of == signature.to_string();
                Some(Bookmark::Row(signature, bytes(place)?)).filter(|_| is_of_it)
            }
        }
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let are_digits = rest.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    pairs
        .iter()
        .map(byte)
        .collect::<Option<Vec<u8>>>()
        .filter(|_| are_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_wire::design_doc;

    #[test]
    fn texts_come_back() {
        let signature = crate::design::Design::new(&design_doc::parse("{}").unwrap()).signature;
        let row = Bookmark::Row(signature, vec![0, 1, 0xff]);
        assert_eq!(Bookmark::parse(&row.text(), Some(signature)), Some(row.clone()));
        let document = Bookmark::Document("d\u{e9}".to_owned());
        assert_eq!(Bookmark::parse(&document.text(), None), Some(document.clone()));
        assert_eq!(Bookmark::parse(&row.text(), None), None);
        assert_eq!(Bookmark::parse(&document.text(), Some(signature)), None);
        for wrong in ["", "d0", "dxx", "r", "dff", "d+1"] {
            assert_eq!(Bookmark::parse(wrong, None), None, "{wrong}");
            assert_eq!(Bookmark::parse(wrong, Some(signature)), None, "{wrong}");
        }
    }
}
