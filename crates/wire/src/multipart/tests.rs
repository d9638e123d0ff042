//! Multipart bodies written, read in chunks of any size, and refused.

use super::*;
use proptest::prelude::*;
use trunkline_core::attachment::{Attachment, Content, Encoding};

fn attachment(name: &str, bytes: &[u8], gzip: bool) -> Attachment {
    let stored = bytes.len() as u64;
    Attachment {
        name: name.into(),
        content_type: "audio/wav".into(),
        revpos: 1,
        content: Content {
            hash: [0; 32],
            md5: [0; 16],
            length: if gzip { 99 } else { stored },
            encoding: if gzip {
                Encoding::Gzip {
                    encoded_length: stored,
                }
            } else {
                Encoding::Identity
            },
        },
    }
}

/// What a reader tells, with an attachment's bytes in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Doc(Vec<u8>),
    Error(Vec<u8>),
    Attachment(Option<String>, Vec<u8>),
    DocEnd,
    Closed,
}

fn read(content_type: &str, body: &[u8], chunk: usize) -> Result<Vec<Told>, String> {
    let mut reader = DocumentReader::new(content_type).map_err(|error| error.reason)?;
    let mut told = Vec::new();
    for chunk in body.chunks(chunk.max(1)) {
        reader.feed(chunk);
        loop {
            match reader.next_event().map_err(|error| error.reason)? {
                DocumentEvent::More => break,
                DocumentEvent::Doc(text) => told.push(Told::Doc(text)),
                DocumentEvent::Error(text) => told.push(Told::Error(text)),
                DocumentEvent::Attachment(headers) => {
                    told.push(Told::Attachment(headers.filename(), Vec::new()));
                }
                DocumentEvent::Data(bytes) => match told.last_mut() {
                    Some(Told::Attachment(_, data)) => data.extend_from_slice(&bytes),
                    other => panic!("data behind {other:?}"),
                },
                DocumentEvent::AttachmentEnd => {
                    assert!(matches!(told.last(), Some(Told::Attachment(..))));
                }
                DocumentEvent::DocEnd => told.push(Told::DocEnd),
                DocumentEvent::Closed => {
                    told.push(Told::Closed);
                    break;
                }
            }
        }
        if told.last() == Some(&Told::Closed) {
            break;
        }
    }
    reader.finish().map_err(|error| error.reason)?;
    Ok(told)
}

fn related(writer: &RelatedWriter, doc: &[u8], parts: &[(Attachment, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    writer.open(&mut out, doc);
    for (attachment, bytes) in parts {
        writer.part(&mut out, attachment);
        out.extend_from_slice(bytes);
        writer.end_part(&mut out);
    }
    writer.close(&mut out);
    out
}

#[test]
fn related_bytes() {
    let writer = RelatedWriter::new(0xab);
    let boundary = "000000000000000000000000000000ab";
    let parts = [
        (attachment("a\"é.wav", b"wav", false), b"wav".to_vec()),
        (attachment("b", b"\x1f\x8b", true), b"\x1f\x8b".to_vec()),
    ];
    let out = related(&writer, b"{\"_id\":\"d\"}", &parts);
    let mut expected = format!(
        "--{boundary}\r\nContent-Type: application/json\r\n\r\n{{\"_id\":\"d\"}}\r\n--{boundary}\r\n\
         Content-Disposition: attachment; filename=\"a%22é.wav\"\r\nContent-Type: audio/wav\r\nContent-Length: 3\r\n\r\n\
         wav\r\n--{boundary}\r\n\
         Content-Disposition: attachment; filename=\"b\"\r\nContent-Type: audio/wav\r\nContent-Length: 2\r\n\
         Content-Encoding: gzip\r\n\r\n"
    )
    .into_bytes();
    expected.extend_from_slice(b"\x1f\x8b");
    expected.extend_from_slice(format!("\r\n--{boundary}--").as_bytes());
    assert_eq!(out, expected);
    assert_eq!(
        writer.content_type(),
        format!("multipart/related; boundary=\"{boundary}\"")
    );
    let length = writer.content_length(11, parts.iter().map(|(attachment, _)| attachment));
    assert_eq!(length, out.len() as u64);
}

#[test]
fn mixed_bytes() {
    let (writer, inner) = (MixedWriter::new(1), RelatedWriter::new(2));
    let (outer_boundary, inner_boundary) = (format!("{:032}", 1), format!("{:032}", 2));
    let mut out = Vec::new();
    writer.open(&mut out);
    writer.doc(&mut out);
    out.extend_from_slice(b"{}");
    writer.end_item(&mut out);
    writer.error(&mut out);
    out.extend_from_slice(b"{\"missing\":\"3-y\"}");
    writer.end_item(&mut out);
    writer.related(&mut out, &inner, Some(("a\r\nb", "1-x")));
    out.extend_from_slice(&related(&inner, b"{}", &[]));
    writer.end_item(&mut out);
    writer.close(&mut out);
    assert_eq!(
        String::from_utf8(out.clone()).unwrap(),
        format!(
            "--{outer_boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n\
             --{outer_boundary}\r\nContent-Type: application/json; error=\"true\"\r\n\r\n{{\"missing\":\"3-y\"}}\r\n\
             --{outer_boundary}\r\nX-Doc-Id: a  b\r\nX-Rev-Id: 1-x\r\n\
             Content-Type: multipart/related; boundary=\"{inner_boundary}\"\r\n\r\n\
             --{inner_boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{inner_boundary}--\r\n\
             --{outer_boundary}--"
        )
    );
    for chunk in 1..=out.len() {
        assert_eq!(
            read(&writer.content_type(), &out, chunk).unwrap(),
            [
                Told::Doc(b"{}".to_vec()),
                Told::DocEnd,
                Told::Error(b"{\"missing\":\"3-y\"}".to_vec()),
                Told::Doc(b"{}".to_vec()),
                Told::DocEnd,
                Told::Closed
            ],
            "chunks of {chunk}"
        );
    }
}

#[test]
fn bodies_of_other_writers() {
    let data = |name: Option<&str>, bytes: &[u8]| Told::Attachment(name.map(Into::into), bytes.to_vec());
    let check = |body: &str, expected: &[Told]| {
        for chunk in 1..=body.len() {
            let told = read("Multipart/Related; boundary=b", body.as_bytes(), chunk).unwrap();
            assert_eq!(told, expected, "chunks of {chunk} of {body:?}");
        }
    };
    let doc = Told::Doc(b"{}".to_vec());
    // A preamble, an epilogue, white space behind delimiters, no headers.
    check(
        "preamble\r\n--bb\r\n--b \t\r\n\r\n{}\r\n--b\r\n\r\nx\r\n--b-- \r\nepilogue\r\n--b\r\n",
        &[doc.clone(), data(None, b"x"), Told::DocEnd, Told::Closed],
    );
    // Lines that end with LF alone.
    check(
        "--b\nContent-Type: application/json\n\n{}\n--b\nContent-Disposition: x; filename=n\n\nx\r\ny\n--b--",
        &[
            doc.clone(),
            data(Some("n"), b"x\r\ny"),
            Told::DocEnd,
            Told::Closed,
        ],
    );
    // Bytes that look like a delimiter and are none.
    check(
        "--b\r\n\r\n{}\r\n--b\r\n\r\n\r\n--bc\r\n-\r\n--\r\r\n --b--\r\n\r\n--b--",
        &[
            doc.clone(),
            data(None, b"\r\n--bc\r\n-\r\n--\r\r\n --b--\r\n"),
            Told::DocEnd,
            Told::Closed,
        ],
    );
    // Parts without a body, with and without a line break of their own.
    check(
        "--b\r\n\r\n{}\r\n--b\r\nA: b\r\n\r\n--b\r\n\r\n--bc\r\n--b--",
        &[
            doc.clone(),
            data(None, b""),
            data(None, b"--bc"),
            Told::DocEnd,
            Told::Closed,
        ],
    );
    check(
        "--b\r\n\r\n{}\r\n--b\r\nA: b\r\n\r\n\r\n--b--",
        &[doc, data(None, b""), Told::DocEnd, Told::Closed],
    );
}

#[test]
fn bodies_that_are_refused() {
    let check = |content_type: &str, body: &str, reason: &str| {
        for chunk in [3, body.len()] {
            let error = read(content_type, body.as_bytes(), chunk).unwrap_err();
            assert!(error.contains(reason), "{body:?}: {error}");
        }
    };
    let (related, mixed) = ("multipart/related; boundary=b", "multipart/mixed; boundary=b");
    check("application/json", "", "must be multipart/related");
    check("multipart/related", "", "boundary");
    check(related, "", "cut off");
    check(related, "--b\r\n\r\n{}\r\n--b", "cut off");
    check(related, "--b\r\n\r\n{}\r\n--b-", "cut off");
    check(related, "--b--", "no document");
    check(mixed, "--b\r\n\r\n{}\r\n", "cut off");
    check(
        mixed,
        "--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\n{}\r\n--c\r\n\r\nx\r\n--b--",
        "cut off",
    );
    check(
        mixed,
        "--b\r\nContent-Type: multipart/related\r\n\r\n\r\n--b--",
        "boundary",
    );
    let long = format!("--b\r\nX: {}", "x".repeat(33_000));
    check(related, &long, "headers of a part are longer");
}

#[test]
fn a_document_has_a_limit_and_an_attachment_has_none() {
    let chunk = vec![b'x'; 1 << 20];
    let mut reader = DocumentReader::new("multipart/related; boundary=b").unwrap();
    reader.feed(b"--b\r\n\r\n");
    let fed = (0..64).take_while(|_| {
        reader.feed(&chunk);
        reader.next_event().is_ok()
    });
    assert!(fed.count() <= trunkline_core::limits::MULTIPART_DOC_BYTES_MAX >> 20);

    let mut reader = PartReader::new("b");
    reader.feed(b"--b\r\n\r\n");
    assert_eq!(reader.next_event().unwrap(), PartEvent::Start(Headers::default()));
    for _ in 0..8 {
        reader.feed(&chunk);
        let PartEvent::Body(bytes) = reader.next_event().unwrap() else {
            panic!("no body");
        };
        assert_eq!(bytes.len(), chunk.len());
        assert_eq!(reader.next_event().unwrap(), PartEvent::More);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        docs in prop::collection::vec(
            (
                prop::collection::vec(any::<u8>(), 0..20),
                prop::collection::vec(("[a-zé\"+/ ]{1,5}", "(\r|\n|-|0|\r\n--0{32}|[a-c]){0,40}", any::<bool>()), 0..3),
            ),
            0..4,
        ),
        chunks in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let writer = MixedWriter::new(0x0f);
        let mut body = Vec::new();
        let mut expected = Vec::new();
        writer.open(&mut body);
        for (index, (doc, parts)) in docs.into_iter().enumerate() {
            let inner = RelatedWriter::new(index as u128 + 0x100);
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(name, bytes, gzip)| (attachment(&name, bytes.as_bytes(), gzip), bytes.into_bytes()))
                .collect();
            let item = related(&inner, &doc, &parts);
            let length = inner.content_length(doc.len(), parts.iter().map(|(attachment, _)| attachment));
            prop_assert_eq!(length, item.len() as u64);
            writer.related(&mut body, &inner, None);
            body.extend_from_slice(&item);
            writer.end_item(&mut body);
            expected.push(Told::Doc(doc));
            for (attachment, bytes) in parts {
                expected.push(Told::Attachment(Some(attachment.name.into()), bytes));
            }
            expected.push(Told::DocEnd);
        }
        writer.close(&mut body);
        expected.push(Told::Closed);
        for chunk in chunks {
            prop_assert_eq!(&read(&writer.content_type(), &body, chunk).unwrap(), &expected);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(text in "(--b|--c|\r\n|\n|[:;=\"a -]|content-type: multipart/related; boundary=c){0,30}", chunk in 1_usize..9) {
        for content_type in ["multipart/related; boundary=b", "multipart/mixed; boundary=b"] {
            let whole = read(content_type, text.as_bytes(), text.len());
            let pieces = read(content_type, text.as_bytes(), chunk);
            prop_assert_eq!(whole, pieces);
        }
    }
}
