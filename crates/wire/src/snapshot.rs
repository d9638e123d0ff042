//! What a snapshot file says of the database it is of, at the file's end.
//!
//! ```text
//! MAGIC, rows as an exchange streams them, contents (hash, 8 bytes of length, bytes), footer, 4 bytes of its length, MAGIC
//! ```
//!
//! Numbers have their lowest byte first.

use crate::invalid::{BadAnswer, utf8};
use trunkline_core::json;

/// What the file begins and ends with.
pub const MAGIC: [u8; 8] = *b"TLSNAP1\n";
/// Bytes of the footer at most: an identity, two seqs and three numbers.
pub const FOOTER_BYTES_MAX: usize = 64 << 10;

/// The footer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// The source as replications know it, so that one from the source goes on where the snapshot ends.
    pub identity: String,
    /// The source's incarnation.
    pub instance_start_time: Box<str>,
    /// The seq of the source that the rows reach, as JSON text.
    pub last_seq: Box<str>,
    /// How many rows.
    pub documents: u64,
    /// How many contents.
    pub contents: u64,
    /// Where in the file they begin.
    pub contents_at: u64,
}

/// Appends a footer.
pub fn write_footer(out: &mut Vec<u8>, footer: &Footer) {
    out.extend_from_slice(b"{\"identity\":");
    json::quote(&footer.identity, out);
    out.extend_from_slice(b",\"instance_start_time\":");
    json::quote(&footer.instance_start_time, out);
    let rest = format!(
        ",\"last_seq\":{},\"documents\":{},\"contents\":{},\"contents_at\":{}}}",
        footer.last_seq, footer.documents, footer.contents, footer.contents_at
    );
    out.extend_from_slice(rest.as_bytes());
}

/// Reads what [`write_footer`] wrote.
pub fn parse_footer(text: &[u8]) -> Result<Footer, BadAnswer> {
    let mut footer = Footer::default();
    let number = |value: &str| {
        let number = value.parse();
        number.map_err(|_| BadAnswer("the snapshot's footer has a malformed number".into()))
    };
    json::members(utf8(text)?, |key, value| {
        let text = || json::string(value).unwrap_or_default();
        match &*key {
            "identity" => footer.identity = text().into_owned(),
            "instance_start_time" => footer.instance_start_time = text().into(),
            "last_seq" => footer.last_seq = value.into(),
            "documents" => footer.documents = number(value)?,
            "contents" => footer.contents = number(value)?,
            "contents_at" => footer.contents_at = number(value)?,
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    match footer.identity.is_empty() || footer.last_seq.is_empty() {
        true => Err(BadAnswer(
            "the snapshot does not say of which database it is".into(),
        )),
        false => Ok(footer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_written_is_a_footer_read() {
        let footer = Footer {
            identity: "0a/cdrs/17".into(),
            instance_start_time: "17".into(),
            last_seq: "\"7-abc\"".into(),
            documents: 3,
            contents: 1,
            contents_at: 4096,
        };
        let mut out = Vec::new();
        write_footer(&mut out, &footer);
        assert_eq!(parse_footer(&out).unwrap(), footer);
        for wrong in ["", "{}", r#"{"identity":"a","last_seq":1,"documents":-1}"#] {
            assert!(parse_footer(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
