//! Strings of JSON: where they end, what they spell, how to spell one.

use super::JsonError;
use std::borrow::Cow;

const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Bytes from the start of `bytes` that stand for themselves in a JSON string: up to a quote, a backslash or a
/// control character. Eight bytes at a time: the borrow of a subtraction shows the first byte that is zero or less
/// than a bound, and only later bytes can be mistaken for one.
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (EVERY_BYTE * u64::from(b'"'));
        let backslash = word ^ (EVERY_BYTE * u64::from(b'\\'));
        let found = (quote.wrapping_sub(EVERY_BYTE) & !quote)
            | (backslash.wrapping_sub(EVERY_BYTE) & !backslash)
            | (word.wrapping_sub(EVERY_BYTE * 0x20) & !word);
        let found = found & HIGH_BITS;
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
        rest = tail;
    }
    let plain = |byte: &u8| !matches!(byte, 0..=0x1f | b'"' | b'\\');
    length + rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len())
}

/// Bytes of the string at the start of `bytes`, just behind its opening quote, with its closing quote. The error
/// is relative to `bytes`.
pub(super) fn string_length(bytes: &[u8]) -> Result<usize, JsonError> {
    let mut at = 0;
    loop {
        at += plain_length(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                let escape = bytes.get(at + 1..).unwrap_or_default();
                let (_, length) = unescape_one(escape).ok_or(JsonError::Syntax(at))?;
                at += 1 + length;
            }
            _ => return Err(JsonError::Syntax(at)),
        }
    }
}

/// Appends what the string at the start of `bytes`, just behind its opening quote, spells. Answers its length as
/// [`string_length`] does.
pub(super) fn copy_string(bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, JsonError> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let plain = plain_length(rest);
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        at += plain;
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                let escape = bytes.get(at + 1..).unwrap_or_default();
                let (character, length) = unescape_one(escape).ok_or(JsonError::Syntax(at))?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at += 1 + length;
            }
            _ => return Err(JsonError::Syntax(at)),
        }
    }
}

/// The character that an escape spells, and how many bytes spell it, from the byte behind its backslash.
fn unescape_one(escape: &[u8]) -> Option<(char, usize)> {
    let simple = match escape.first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = hex4(escape.get(1..5)?)?;
            if let Some(character) = char::from_u32(unit) {
                return Some((character, 5));
            }
            let low = hex4(escape.get(5..11)?.strip_prefix(b"\\u")?)?;
            if !(0xd800..0xdc00).contains(&unit) || !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            let character = char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
            return Some((character, 11));
        }
        _ => return None,
    };
    Some((simple, 1))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// What the inside of a JSON string (valid, without its quotes) spells.
pub fn unescape(inside: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Cow::Borrowed(inside);
    }
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let Some((character, length)) = unescape_one(escape.as_bytes()) else {
            break;
        };
        out.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What the text of a JSON value spells if it is a string.
pub fn string(value: &str) -> Option<Cow<'_, str>> {
    Some(unescape(value.strip_prefix('"')?.strip_suffix('"')?))
}

/// Appends `text` as a JSON string with its quotes.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_length(rest);
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        let Some(special) = rest.get(plain) else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                let digit = |nibble: u8| {
                    if nibble < 10 {
                        b'0' + nibble
                    } else {
                        b'a' + nibble - 10
                    }
                };
                out.extend([digit(control >> 4), digit(control & 15)]);
            }
        }
        rest = rest.get(plain + 1..).unwrap_or_default();
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_length_stops_at_the_first_special_byte_wherever_it_is() {
        for length in 0..40 {
            for at in 0..length {
                for special in [b'"', b'\\', 0, 0x1f] {
                    for filler in [b' ', 0x7f, 0x80, 0xff, b'!', b'#', b'[', b']'] {
                        let mut bytes = vec![filler; length];
                        bytes[at] = special;
                        assert_eq!(
                            plain_length(&bytes),
                            at,
                            "{special} at {at} of {length} among {filler}"
                        );
                        bytes[at] = filler;
                        assert_eq!(plain_length(&bytes), length);
                    }
                }
            }
        }
    }

    #[test]
    fn quote_is_undone_by_string() {
        let every: String = (0..0x500)
            .filter_map(char::from_u32)
            .chain(['\u{1f600}'])
            .collect();
        let mut quoted = Vec::new();
        quote(&every, &mut quoted);
        let quoted = String::from_utf8(quoted).unwrap();
        assert_eq!(string(&quoted).unwrap(), every);
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), every);
    }
}
