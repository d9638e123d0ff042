//! `_attachments`: entries whose bytes are elsewhere, inline or in parts that follow.

use crate::document::{AttachmentForm, InvalidDoc};
use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use trunkline_core::attachment::{Attachment, Encoding};
use trunkline_core::json;

/// One entry of `_attachments` as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingAttachment {
    /// Its key, checked: not empty, not starting with `_`.
    pub name: String,
    /// `content_type`.
    pub content_type: Option<String>,
    /// `revpos`.
    pub revpos: Option<u64>,
    /// `digest`, when it is an `md5-` one.
    pub md5: Option<[u8; 16]>,
    /// Where its bytes are.
    pub data: IncomingData,
}

/// Where the bytes of an incoming attachment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingData {
    /// `"stub":true`.
    Stub,
    /// `"data"`: base64, decoded.
    Inline(Vec<u8>),
    /// `"follows":true`: the next part.
    Follows {
        /// Bytes of the part: `encoded_length` when `encoding` is gzip, else `length`.
        part_bytes: Option<u64>,
        /// Whether the part is gzip (`"encoding":"gzip"`).
        gzip: bool,
    },
}

/// Checks a name of an attachment.
pub fn check_name(name: &str) -> Result<(), InvalidDoc> {
    if name.is_empty() {
        return Err(InvalidDoc::BadAttachment("Attachment name can't be empty".into()));
    }
    if name.starts_with('_') {
        return Err(InvalidDoc::BadAttachment(format!(
            "Attachment name '{name}' starts with prohibited character '_'"
        )));
    }
    Ok(())
}

/// Reads the value of `_attachments`, an object.
pub fn parse(text: &str) -> Result<Vec<IncomingAttachment>, InvalidDoc> {
    let mut attachments = Vec::new();
    let mut names = HashSet::new();
    json::members(text, |name, entry| {
        check_name(&name)?;
        if !names.insert(name.clone()) {
            return Err(InvalidDoc::BadAttachment("Duplicate attachments".into()));
        }
        attachments.push(parse_entry(name.into_owned(), entry)?);
        Ok(())
    })?;
    Ok(attachments)
}

fn parse_entry(name: String, entry: &str) -> Result<IncomingAttachment, InvalidDoc> {
    let invalid_data = || InvalidDoc::BadAttachment(format!("Invalid attachment data for {name}"));
    let (mut content_type, mut revpos, mut md5) = (None, None, None);
    let (mut stub, mut follows, mut data, mut gzip) = (false, false, None, false);
    let (mut length, mut encoded_length) = (None, None);
    json::members(entry, |key, value| {
        match &*key {
            "content_type" => content_type = json::string(value).map(Cow::into_owned),
            "revpos" => revpos = value.parse().ok(),
            "digest" => md5 = json::string(value).and_then(|digest| parse_digest(&digest)),
            "stub" => stub = value == "true",
            "follows" => follows = value == "true",
            "data" => data = Some(json::string(value).ok_or_else(invalid_data)?),
            "length" => length = value.parse().ok(),
            "encoded_length" => encoded_length = value.parse().ok(),
            "encoding" => gzip = json::string(value).as_deref() == Some("gzip"),
            _ => {}
        }
        Ok::<_, InvalidDoc>(())
    })
    .map_err(|_| invalid_data())?;
    let data = if stub {
        IncomingData::Stub
    } else if follows {
        let part_bytes = if gzip { encoded_length } else { length };
        IncomingData::Follows { part_bytes, gzip }
    } else {
        let data = data.ok_or_else(invalid_data)?;
        IncomingData::Inline(STANDARD.decode(data.as_bytes()).map_err(|_| invalid_data())?)
    };
    Ok(IncomingAttachment {
        name,
        content_type,
        revpos,
        md5,
        data,
    })
}

/// Appends the value of `_attachments`. `forms` in order; missing ones are stubs.
pub fn write(out: &mut Vec<u8>, attachments: &[Attachment], forms: &[AttachmentForm], encoding_info: bool) {
    let stub = AttachmentForm::Stub;
    let forms = forms.iter().chain(std::iter::repeat(&stub));
    for (index, (attachment, form)) in attachments.iter().zip(forms).enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        json::quote(&attachment.name, out);
        out.push(b':');
        write_entry(out, attachment, form, encoding_info);
    }
    if attachments.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
}

fn write_entry(out: &mut Vec<u8>, attachment: &Attachment, form: &AttachmentForm, encoding_info: bool) {
    let content = &attachment.content;
    out.extend_from_slice(b"{\"content_type\":");
    json::quote(&attachment.content_type, out);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        ",\"revpos\":{},\"digest\":\"{}\"",
        attachment.revpos,
        digest(&content.md5)
    );
    match form {
        AttachmentForm::Data(bytes) => {
            let _ = write!(out, ",\"data\":\"{}\"", Base64Display::new(bytes, &STANDARD));
        }
        AttachmentForm::Stub => {
            let _ = write!(out, ",\"length\":{},\"stub\":true", content.length);
        }
        AttachmentForm::Follows => {
            let _ = write!(out, ",\"length\":{},\"follows\":true", content.length);
        }
    }
    // Whoever reads a part that follows must know how long it is.
    let encoding_info = encoding_info || matches!(form, AttachmentForm::Follows);
    if let Encoding::Gzip { encoded_length } = content.encoding
        && encoding_info
    {
        let _ = write!(out, ",\"encoding\":\"gzip\",\"encoded_length\":{encoded_length}");
    }
    out.push(b'}');
}

/// `md5-` and the base64 of an MD5: `digest` on the wire.
pub fn digest(md5: &[u8; 16]) -> String {
    format!("md5-{}", base64(md5))
}

/// Reads what [`digest`] writes.
pub fn parse_digest(digest: &str) -> Option<[u8; 16]> {
    let md5 = STANDARD.decode(digest.strip_prefix("md5-")?).ok()?;
    md5.try_into().ok()
}

/// Standard base64 with padding: `Content-MD5`, ETags of attachments.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes of an attachment as its user sees it, at most `bytes_max` of them.
pub fn identity_bytes(stored: Vec<u8>, encoding: Encoding, bytes_max: u64) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, "the attachment is too long");
    if encoding == Encoding::Identity {
        let fits = stored.len() as u64 <= bytes_max;
        return fits.then_some(stored).ok_or_else(too_long);
    }
    let mut bytes = Vec::new();
    MultiGzDecoder::new(stored.as_slice())
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)?;
    let fits = bytes.len() as u64 <= bytes_max;
    fits.then_some(bytes).ok_or_else(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::attachment::Content;

    fn reason(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn entries_of_each_kind() {
        let parsed = parse(
            r#"{"a.wav":{"content_type":"audio/wav","revpos":2,"digest":"md5-XUFAKrxLKna5cZ2REBfFkg==","length":5,"stub":true},
                "b":{"data":"aGVsbG8="},
                "c":{"follows":true,"length":9},
                "ü":{"follows":true,"length":9,"encoding":"gzip","encoded_length":4}}"#,
        )
        .unwrap();
        let names: Vec<_> = parsed.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a.wav", "b", "c", "ü"]);
        assert_eq!(parsed[0].data, IncomingData::Stub);
        assert_eq!(parsed[0].revpos, Some(2));
        assert_eq!(digest(&parsed[0].md5.unwrap()), "md5-XUFAKrxLKna5cZ2REBfFkg==");
        assert_eq!(parsed[1].data, IncomingData::Inline(b"hello".to_vec()));
        assert_eq!(parsed[1].content_type, None);
        let follows = |part_bytes, gzip| IncomingData::Follows {
            part_bytes: Some(part_bytes),
            gzip,
        };
        assert_eq!(parsed[2].data, follows(9, false));
        assert_eq!(parsed[3].data, follows(4, true));
    }

    #[test]
    fn entries_that_are_refused() {
        assert_eq!(reason(r#"{"a":{"data":"a"}}"#), "Invalid attachment data for a");
        assert_eq!(
            reason(r#"{"a":{"data":"aGVs bG8="}}"#),
            "Invalid attachment data for a"
        );
        assert_eq!(reason(r#"{"a":{"data":7}}"#), "Invalid attachment data for a");
        assert_eq!(reason(r#"{"a":{}}"#), "Invalid attachment data for a");
        assert_eq!(reason(r#"{"a":7}"#), "Invalid attachment data for a");
        assert_eq!(
            reason(r#"{"_a":{"stub":true}}"#),
            "Attachment name '_a' starts with prohibited character '_'"
        );
        assert_eq!(reason(r#"{"":{"stub":true}}"#), "Attachment name can't be empty");
        assert_eq!(
            reason(r#"{"a":{"stub":true},"\u0061":{"stub":true}}"#),
            "Duplicate attachments"
        );
    }

    fn attachment(encoding: Encoding) -> Attachment {
        Attachment {
            name: "m\"1\".txt".into(),
            content_type: "text/plain".into(),
            revpos: 3,
            content: Content {
                hash: [0; 32],
                md5: [7; 16],
                length: 5,
                encoding,
            },
        }
    }

    #[test]
    fn entries_are_written_as_couchdb_writes_them() {
        let gzip = attachment(Encoding::Gzip { encoded_length: 25 });
        let check = |forms: &[AttachmentForm], encoding_info, expected: &str| {
            let mut out = Vec::new();
            write(&mut out, std::slice::from_ref(&gzip), forms, encoding_info);
            let head = r#"{"m\"1\".txt":{"content_type":"text/plain","revpos":3,"digest":"md5-BwcHBwcHBwcHBwcHBwcHBw==","#;
            assert_eq!(String::from_utf8(out).unwrap(), format!("{head}{expected}}}}}"));
        };
        check(&[], false, r#""length":5,"stub":true"#);
        check(
            &[AttachmentForm::Stub],
            true,
            r#""length":5,"stub":true,"encoding":"gzip","encoded_length":25"#,
        );
        check(
            &[AttachmentForm::Follows],
            false,
            r#""length":5,"follows":true,"encoding":"gzip","encoded_length":25"#,
        );
        check(
            &[AttachmentForm::Data(b"hello".to_vec())],
            false,
            r#""data":"aGVsbG8=""#,
        );
    }

    #[test]
    fn identity_bytes_undo_gzip_within_bounds() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&[b'x'; 1000]).unwrap();
        let gzip = gzip.finish().unwrap();
        let encoding = Encoding::Gzip {
            encoded_length: gzip.len() as u64,
        };
        assert_eq!(
            identity_bytes(gzip.clone(), encoding, 1000).unwrap(),
            [b'x'; 1000]
        );
        assert!(identity_bytes(gzip.clone(), encoding, 999).is_err());
        assert!(identity_bytes(gzip[..gzip.len() - 4].to_vec(), encoding, 1000).is_err());
        assert_eq!(
            identity_bytes(gzip.clone(), Encoding::Identity, 1000).unwrap(),
            gzip
        );
        assert!(identity_bytes(vec![0; 5], Encoding::Identity, 4).is_err());
    }
}
