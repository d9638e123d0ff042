//! Erlang's external term format, version 131 with minor version 1, written straight from a body's text. Lengths
//! that are known only afterwards are filled in.

use super::AttachmentTerm;
use crate::doc::Body;
use crate::json::{self, JsonError, Reader};
use crate::rev::Rev;

const VERSION: u8 = 131;
const NEW_FLOAT: u8 = 70;
const SMALL_INTEGER: u8 = 97;
const INTEGER: u8 = 98;
const ATOM: u8 = 100;
const SMALL_TUPLE: u8 = 104;
const NIL: u8 = 106;
const STRING: u8 = 107;
const LIST: u8 = 108;
const BINARY: u8 = 109;
const SMALL_BIG: u8 = 110;
const LARGE_BIG: u8 = 111;

/// Appends the term whose MD5 is the digest of an edit.
pub(super) fn edit(
    deleted: bool,
    parent: Option<&Rev>,
    body: &Body,
    attachments: &[AttachmentTerm<'_>],
    out: &mut Vec<u8>,
) {
    out.extend([VERSION, LIST, 0, 0, 0, 5]);
    atom(if deleted { "true" } else { "false" }, out);
    match parent {
        Some(parent) => {
            integer_value(false, u128::from(parent.generation), out);
            binary(parent.digest.as_bytes(), out);
        }
        None => out.extend([SMALL_INTEGER, 0, SMALL_INTEGER, 0]),
    }
    // A body is valid JSON by construction, so there is nobody to tell of an error.
    let _ = value(&mut Reader::new(body.as_str()), out);
    if !attachments.is_empty() {
        out.push(LIST);
        out.extend((attachments.len() as u32).to_be_bytes());
        for (name, content_type, md5) in attachments.iter().rev() {
            out.extend([SMALL_TUPLE, 3]);
            binary(name.as_bytes(), out);
            binary(content_type.as_bytes(), out);
            binary(md5, out);
        }
    }
    out.extend([NIL, NIL]);
}

fn value(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    match reader.peek() {
        Some(b'{') => object(reader, out)?,
        Some(b'[') => array(reader, out)?,
        Some(b'"') => string(out, |out| reader.copy_string(out))?,
        Some(b't' | b'f' | b'n') => atom(reader.raw()?, out),
        _ => number(reader.raw()?, out),
    }
    Ok(())
}

/// An object is a tuple of one: the list of its members, each a tuple of key and value.
fn object(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    out.extend([SMALL_TUPLE, 1]);
    let start = out.len();
    out.extend([LIST, 0, 0, 0, 0]);
    let mut count = 0_u32;
    let mut more = reader.open(b'{', b'}', "object")?;
    while more {
        count += 1;
        out.extend_from_slice(&[SMALL_TUPLE, 2]);
        string(out, |out| reader.copy_key(out))?;
        value(reader, out)?;
        more = reader.next(b'}')?;
    }
    end_list(start, count, out);
    Ok(())
}

/// An array is a list, but Erlang writes a list of nothing but bytes as a string.
fn array(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let start = out.len();
    out.extend([LIST, 0, 0, 0, 0]);
    let mut count = 0_u32;
    let mut all_bytes = true;
    let mut more = reader.open(b'[', b']', "array")?;
    while more {
        count += 1;
        let element = out.len();
        value(reader, out)?;
        all_bytes &= out.get(element) == Some(&SMALL_INTEGER);
        more = reader.next(b']')?;
    }
    match u16::try_from(count) {
        Ok(length @ 1..) if all_bytes => {
            for index in 0..usize::from(length) {
                let byte = out.get(start + 5 + 2 * index + 1).copied().unwrap_or_default();
                if let Some(place) = out.get_mut(start + 3 + index) {
                    *place = byte;
                }
            }
            out.truncate(start + 3 + usize::from(length));
            let [high, low] = length.to_be_bytes();
            if let Some(place) = out.get_mut(start..start + 3) {
                place.copy_from_slice(&[STRING, high, low]);
            }
        }
        _ => end_list(start, count, out),
    }
    Ok(())
}

/// Fills in the count of the list whose head is at `start`, and ends it. An empty list has no head.
fn end_list(start: usize, count: u32, out: &mut Vec<u8>) {
    if count == 0 {
        out.truncate(start);
    } else if let Some(place) = out.get_mut(start + 1..start + 5) {
        place.copy_from_slice(&count.to_be_bytes());
    }
    out.push(NIL);
}

/// A binary of what `copy` appends.
fn string(
    out: &mut Vec<u8>,
    copy: impl FnOnce(&mut Vec<u8>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let start = out.len();
    out.extend_from_slice(&[BINARY, 0, 0, 0, 0]);
    copy(out)?;
    let length = (out.len() - start - 5) as u32;
    if let Some(place) = out.get_mut(start + 1..start + 5) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(BINARY);
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn atom(name: &str, out: &mut Vec<u8>) {
    out.push(ATOM);
    out.extend((name.len() as u16).to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// A number with a fraction or an exponent is a float, any other an integer, `-0` included.
fn number(text: &str, out: &mut Vec<u8>) {
    if text.contains(['.', 'e', 'E']) {
        out.push(NEW_FLOAT);
        out.extend(text.parse::<f64>().unwrap_or_default().to_be_bytes());
        return;
    }
    let digits = text.trim_start_matches('-');
    let negative = digits.len() < text.len();
    match digits.parse() {
        Ok(magnitude) => integer_value(negative, magnitude, out),
        Err(_) => big(negative, &json::long_magnitude(digits), out),
    }
}

fn integer_value(negative: bool, magnitude: u128, out: &mut Vec<u8>) {
    let signed = i128::try_from(magnitude).map(|value| if negative { -value } else { value });
    let small = signed.ok().and_then(|value| i32::try_from(value).ok());
    match small {
        Some(value @ 0..=255) => out.extend([SMALL_INTEGER, value as u8]),
        Some(value) => {
            out.push(INTEGER);
            out.extend(value.to_be_bytes());
        }
        None => big(negative, &magnitude.to_le_bytes(), out),
    }
}

/// `magnitude` is little-endian; its leading zeros are dropped.
fn big(negative: bool, magnitude: &[u8], out: &mut Vec<u8>) {
    let length = magnitude
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    match u8::try_from(length) {
        Ok(length) => out.extend([SMALL_BIG, length]),
        Err(_) => {
            out.push(LARGE_BIG);
            out.extend((length as u32).to_be_bytes());
        }
    }
    out.push(u8::from(negative));
    out.extend(magnitude.iter().take(length));
}
