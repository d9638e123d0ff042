//! Revision ids as JSON text.

use std::io::Write;
use trunkline_core::rev::{Digest, Rev};

/// Appends a revision id as a JSON string.
pub(crate) fn write(out: &mut Vec<u8>, rev: &Rev) {
    match <[u8; 16]>::try_from(rev.digest.as_bytes()) {
        Ok(md5) => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "\"{}-", rev.generation);
            hex(out, &md5);
            out.push(b'"');
        }
        // A digest is spelled without anything that JSON escapes.
        Err(_) => {
            let _ = write!(out, "\"{rev}\"");
        }
    }
}

/// Appends the part after the dash as a JSON string.
pub(crate) fn write_digest(out: &mut Vec<u8>, digest: &Digest) {
    match <[u8; 16]>::try_from(digest.as_bytes()) {
        Ok(md5) => {
            out.push(b'"');
            hex(out, &md5);
            out.push(b'"');
        }
        Err(_) => {
            let _ = write!(out, "\"{digest}\"");
        }
    }
}

fn hex(out: &mut Vec<u8>, bytes: &[u8; 16]) {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        }
    };
    let mut text = [0; 32];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::json;

    #[test]
    fn revisions_are_written_as_they_print() {
        for text in [
            "1-967a00dff5e02add41819138abb3284d",
            "12-foo",
            "0-abc",
            "3-a.b",
            "7-00ff00ff00ff00ff00ff00ff00ff00ff",
        ] {
            let rev = Rev::parse(text).unwrap();
            let mut out = Vec::new();
            write(&mut out, &rev);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(json::string(&out).unwrap(), text);
            let mut out = Vec::new();
            write_digest(&mut out, &rev.digest);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(json::string(&out).unwrap(), text.split_once('-').unwrap().1);
        }
    }
}
