//! Contents that documents name and whose bytes have not come, as JSON.

use super::ask::{hash_text, hex, member, parse_hash, parse_hex};
use crate::invalid::{BadAnswer, Invalid, utf8};
use trunkline_core::attachment::{Content, ContentHash, Encoding};
use trunkline_core::json;
use trunkline_core::limits::{ATTACHMENT_BYTES_MAX, REQUEST_ITEMS_MAX};

/// Appends a question for contents that have not come: those after `after`, at most `limit`.
pub fn write_absent_ask(out: &mut Vec<u8>, after: Option<&ContentHash>, limit: usize) {
    out.push(b'{');
    if let Some(after) = after {
        member(out, "after");
        json::quote(&hash_text(after), out);
    }
    member(out, "limit");
    out.extend_from_slice(limit.to_string().as_bytes());
    out.push(b'}');
}

/// Reads what [`write_absent_ask`] writes.
pub fn parse_absent_ask(text: &[u8]) -> Result<(Option<ContentHash>, usize), Invalid> {
    let (mut after, mut limit) = (None, REQUEST_ITEMS_MAX);
    json::members(utf8(text)?, |key, value| {
        match &*key {
            "after" => {
                let hash = json::string(value).and_then(|text| parse_hash(&text));
                after = Some(hash.ok_or_else(|| Invalid::bad_request("A content's hash has 64 digits."))?);
            }
            "limit" => {
                let number: usize = value
                    .parse()
                    .map_err(|_| Invalid::bad_request("`limit` must be a number."))?;
                limit = number.min(REQUEST_ITEMS_MAX);
            }
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    Ok((after, limit))
}

/// Appends contents with all that is known of them.
pub fn write_absent(out: &mut Vec<u8>, contents: &[Content]) {
    out.extend_from_slice(b"{\"contents\":[");
    for (at, content) in contents.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.push(b'{');
        for (key, hash) in [("hash", &content.hash[..]), ("md5", &content.md5[..])] {
            member(out, key);
            json::quote(&hex(hash), out);
        }
        member(out, "length");
        out.extend_from_slice(content.length.to_string().as_bytes());
        if let Encoding::Gzip { encoded_length } = content.encoding {
            member(out, "gzip");
            out.extend_from_slice(encoded_length.to_string().as_bytes());
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}\n");
}

/// Reads what [`write_absent`] writes.
pub fn parse_absent(text: &[u8]) -> Result<Vec<Content>, BadAnswer> {
    let mut contents = None;
    json::members(utf8(text)?, |key, value| {
        if key == "contents" {
            let mut list = Vec::new();
            json::elements(value, |element| {
                list.push(content(element)?);
                Ok::<_, BadAnswer>(())
            })?;
            contents = Some(list);
        }
        Ok::<_, BadAnswer>(())
    })?;
    contents.ok_or_else(|| BadAnswer("the answer lists no contents".into()))
}

fn content(text: &str) -> Result<Content, BadAnswer> {
    let (mut hash, mut md5, mut length, mut encoding) = (None, None, None, Encoding::Identity);
    let bytes = |value: &str| {
        let bytes: Option<u64> = value.parse().ok();
        bytes.filter(|bytes| *bytes <= ATTACHMENT_BYTES_MAX)
    };
    let bad = || BadAnswer("a content is described as none can be".into());
    json::members(text, |key, value| {
        match &*key {
            "hash" => hash = json::string(value).and_then(|text| parse_hash(&text)),
            "md5" => md5 = json::string(value).and_then(|text| parse_hex(&text)),
            "length" => length = bytes(value),
            "gzip" => {
                let encoded_length = bytes(value).ok_or_else(bad)?;
                encoding = Encoding::Gzip { encoded_length };
            }
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    let (Some(hash), Some(md5), Some(length)) = (hash, md5, length) else {
        return Err(bad());
    };
    Ok(Content {
        hash,
        md5,
        length,
        encoding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_read_as_they_were_written() {
        let content = |byte: u8, encoding| Content {
            hash: [byte; 32],
            md5: [byte + 1; 16],
            length: 7 * u64::from(byte),
            encoding,
        };
        let contents = [
            content(1, Encoding::Identity),
            content(0xfe, Encoding::Gzip { encoded_length: 9 }),
        ];
        let mut text = Vec::new();
        write_absent(&mut text, &contents);
        assert_eq!(parse_absent(&text).unwrap(), contents);
        for after in [None, Some([3; 32])] {
            let mut text = Vec::new();
            write_absent_ask(&mut text, after.as_ref(), 42);
            assert_eq!(parse_absent_ask(&text).unwrap(), (after, 42));
        }
    }

    #[test]
    fn what_is_no_content_is_told() {
        for text in [
            "{}",
            r#"{"contents":[{}]}"#,
            r#"{"contents":[{"hash":"00","md5":"00","length":1}]}"#,
        ] {
            assert!(parse_absent(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse_absent_ask(br#"{"after":"00"}"#).is_err());
    }
}
