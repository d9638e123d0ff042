//! What is written is read again; what a peer should not say is refused.

use super::*;
use crate::invalid::BadAnswer;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Content, Encoding};
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::{EXCHANGE_FRAME_BYTES_MAX, GENERATION_MAX};
use trunkline_core::rev::Digest;

fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![
        9 => any::<[u8; 16]>().prop_map(Digest::from),
        1 => "[a-z0-9-]{1,31}".prop_map(|text| Digest::parse(&text, 1).unwrap()),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    let lengths = (0..1_u64 << 30, option::of(0..1_u64 << 30));
    (any::<[u8; 32]>(), any::<[u8; 16]>(), lengths).prop_map(|(hash, md5, (length, encoded))| Content {
        hash,
        md5,
        length,
        encoding: match encoded {
            None => Encoding::Identity,
            Some(encoded_length) => Encoding::Gzip { encoded_length },
        },
    })
}

fn attachments() -> impl Strategy<Value = Vec<AttachmentEdit>> {
    let source = prop_oneof![
        content().prop_map(AttachmentSource::Staged),
        content().prop_map(AttachmentSource::Later),
        option::of(any::<[u8; 16]>()).prop_map(|md5| AttachmentSource::Stub { md5 }),
    ];
    let one = (option::of(".{0,9}"), option::of(0..GENERATION_MAX), source);
    vec(one, 0..3).prop_map(|all| {
        let named = all.into_iter().enumerate();
        let named = named.map(|(at, (content_type, revpos, source))| AttachmentEdit {
            name: format!("ä{at}").into(),
            content_type: content_type.map(Into::into),
            revpos,
            source,
        });
        named.collect()
    })
}

fn doc(id: &'static str) -> impl Strategy<Value = ReplicatedEdit> {
    let path = (0..GENERATION_MAX - 9, vec(digest(), 1..5));
    let body = "[a-zé\"\\\\]{0,20}".prop_map(|text| {
        let mut json = b"{\"a\":".to_vec();
        trunkline_core::json::quote(&text, &mut json);
        json.push(b'}');
        Body::parse(std::str::from_utf8(&json).unwrap()).unwrap()
    });
    (path, any::<bool>(), body, attachments(), any::<u64>()).prop_map(
        move |((above, digests), deleted, body, attachments, age_ms)| ReplicatedEdit {
            id: DocId::parse(id).unwrap(),
            path: RevPath::new(above + digests.len() as u64, digests).unwrap(),
            deleted,
            body,
            attachments,
            age_ms,
        },
    )
}

fn frame() -> impl Strategy<Value = Frame> {
    let rev = (1..GENERATION_MAX, digest()).prop_map(|(generation, digest)| Rev { generation, digest });
    let row = (vec(rev, 0..4), vec(doc("a/ü"), 0..3)).prop_map(|(revs, docs)| {
        Frame::Row(Row {
            id: "a/ü".into(),
            revs,
            docs,
        })
    });
    let progress = (any::<u64>(), option::of(any::<u64>()), option::of(any::<u64>()));
    let progress = progress.prop_map(|(seq, pending, oldest_age_ms)| {
        Frame::Progress(Progress {
            last_seq: format!("\"{seq}-x\"").into(),
            pending,
            oldest_age_ms,
        })
    });
    let fault = (".{0,9}", ".{0,9}").prop_map(|(error, reason)| Frame::Fault(Fault { error, reason }));
    let log = ("[a-z]{0,9}", any::<u64>()).prop_map(|(id, number)| {
        Frame::Log(Log {
            replication_id: id.into(),
            number,
            body: "{\"history\":[]}".into(),
        })
    });
    prop_oneof![
        4 => row,
        2 => progress,
        2 => doc("_design/x").prop_map(Frame::Document),
        1 => fault,
        1 => log,
        1 => Just(Frame::End),
    ]
}

fn write(frame: &Frame, out: &mut Vec<u8>) {
    match frame {
        Frame::Row(Row { id, revs, docs }) => write_row(out, id, revs, docs.iter()),
        Frame::Progress(progress) => write_progress(out, progress),
        Frame::End => write_end(out),
        Frame::Fault(fault) => write_fault(out, &fault.error, &fault.reason),
        Frame::Document(doc) => assert!(write_document(out, doc)),
        Frame::Log(log) => write_log(out, log),
    }
}

fn read(bytes: &[u8], chunk_bytes: usize) -> Result<Vec<Frame>, BadAnswer> {
    let mut reader = Reader::new();
    let mut frames = Vec::new();
    for chunk in bytes.chunks(chunk_bytes) {
        reader.feed(chunk);
        while let Some(frame) = reader.next_frame()? {
            frames.push(frame);
        }
    }
    reader.finish()?;
    Ok(frames)
}

proptest! {
    /// Edits know no equality; all there is of them shows in their debug text.
    #[test]
    fn frames_survive_however_they_are_cut(frames in vec(frame(), 0..6), chunk_bytes in 1..200_usize) {
        let mut bytes = Vec::new();
        start(&mut bytes);
        frames.iter().for_each(|frame| write(frame, &mut bytes));
        let back = read(&bytes, chunk_bytes).unwrap();
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", frames));
    }

    #[test]
    fn what_is_cut_off_is_noticed_and_what_is_damaged_does_no_harm(
        frames in vec(frame(), 1..4), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = Vec::new();
        start(&mut bytes);
        let mut ends = vec![bytes.len()];
        for frame in &frames {
            write(frame, &mut bytes);
            ends.push(bytes.len());
        }
        let at = at.index(bytes.len());
        prop_assert_eq!(read(&bytes[..at], 7).is_ok(), ends.contains(&at));
        bytes[at] = byte;
        let _ = read(&bytes, 7);
    }
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn a_body_is_not_believed_to_be_compact() {
    let mut payload = vec![1, b'a', 0, 1, 1, 1, b'x', 0];
    let text = br#"{ "a" : 1, "a":2 }"#;
    payload.push(text.len() as u8);
    payload.extend_from_slice(text);
    match read(&framed(kind::DOCUMENT, &payload), 100).unwrap().as_slice() {
        [Frame::Document(doc)] => assert_eq!(doc.body.as_str(), r#"{"a":2}"#),
        other => panic!("{other:?}"),
    }
    for bad in [r#"{"_id":1}"#, "[]", "{", ""] {
        let mut payload = vec![1, b'a', 0, 1, 1, 1, b'x', 0, bad.len() as u8];
        payload.extend_from_slice(bad.as_bytes());
        assert!(read(&framed(kind::DOCUMENT, &payload), 100).is_err(), "{bad}");
    }
}

#[test]
fn lies_are_refused() {
    let too_long = [
        MAGIC.as_slice(),
        &[kind::ROW],
        &(EXCHANGE_FRAME_BYTES_MAX as u32 + 1).to_le_bytes(),
    ]
    .concat();
    let hex_of_32 = [vec![1, b'a', 1, 1, 32], vec![b'0'; 32], vec![0]].concat();
    for (bytes, why) in [
        (b"HTTP/1.1 200 OK".to_vec(), "another protocol"),
        (b"TLX\x02\x03\0\0\0\0".to_vec(), "another version"),
        (too_long, "a frame that is too long"),
        (framed(99, b""), "an unknown kind"),
        (framed(kind::END, b"x"), "bytes behind a frame's end"),
        (
            framed(kind::DOCUMENT, b"\x02_x\0\x01\x01\x01x\0\x02{}"),
            "an id that cannot be",
        ),
        (framed(kind::ROW, &hex_of_32), "two spellings of one revision"),
        (
            framed(kind::ROW, b"\x01a\xff\xff\x7f"),
            "more revisions than bytes",
        ),
        (
            framed(kind::PROGRESS, b"\x05\"1\",\"\0\0"),
            "a seq that is no JSON",
        ),
    ] {
        assert!(read(&bytes, 100).is_err(), "{why}");
    }
}

#[test]
fn rows_whose_documents_cannot_be_read_carry_none() {
    for (row, id) in [
        (b"\x01a\0\x01\0\x01\x01\x01x\0\x01{".as_slice(), "a"),
        (b"\x02_x\0\x01\0\x01\x01\x01x\0\x02{}", "_x"),
        (b"\x01a\0\0behind", "a"),
    ] {
        match read(&framed(kind::ROW, row), 100).unwrap().as_slice() {
            [Frame::Row(row)] => assert_eq!((&*row.id, row.docs.len()), (id, 0)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_row_that_is_too_long_goes_without_its_documents() {
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
    let doc = ReplicatedEdit {
        id: DocId::parse("a").unwrap(),
        path: Rev::parse("1-a").unwrap().into(),
        deleted: false,
        body: Body::parse(&text).unwrap(),
        attachments: Vec::new(),
        age_ms: 0,
    };
    for (count, carried) in [(2, 2), (4, 0)] {
        let mut bytes = MAGIC.to_vec();
        write_row(&mut bytes, "a", &[], vec![doc.clone(); count].iter());
        match read(&bytes, 1 << 20).unwrap().as_slice() {
            [Frame::Row(row)] => assert_eq!(row.docs.len(), carried),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn asks_survive() {
    let selector = r#"{"a":{"$gt":1}}"#;
    let ask = Ask {
        since: Some("\"5-x\"".into()),
        until: Some("7".into()),
        continuous: true,
        docs: true,
        contents: true,
        main_only: true,
        without_deleted: true,
        doc_ids: Some(vec!["a\"b".to_owned(), "c".to_owned()]),
        selector: Some((
            selector.to_owned(),
            trunkline_core::selector::Selector::parse(selector).unwrap(),
        )),
        feed_name: Some("d/\"f".to_owned()),
    };
    for ask in [ask, Ask::default()] {
        let mut text = Vec::new();
        write_ask(&mut text, &ask);
        assert_eq!(format!("{:?}", parse_ask(&text).unwrap()), format!("{ask:?}"));
    }
    for bad in [
        "",
        "[]",
        r#"{"doc_ids":[1]}"#,
        r#"{"selector":{"$x":1}}"#,
        r#"{"feed_name":1}"#,
        r#"{"feed_name":""}"#,
    ] {
        assert!(parse_ask(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn answers_survive() {
    let hashes = [[7; 32], [0xab; 32]];
    let mut text = Vec::new();
    write_contents(&mut text, &hashes);
    assert_eq!(parse_contents(&text).unwrap(), hashes);
    assert!(parse_contents(br#"{"contents":["+7"]}"#).is_err());

    let mut text = Vec::new();
    let refused = |out: &mut Vec<u8>| crate::bulk_docs::write_error(out, "a", None, "forbidden", "not here");
    write_docs_answer(&mut text, refused, Some(4), "17");
    let answer = parse_docs_answer(&text).unwrap();
    assert_eq!((answer.refused.len(), answer.log_number), (1, Some(4)));
    assert_eq!(answer.instance_start_time.as_deref(), Some("17"));
    assert!(parse_docs_answer(b"{}").is_err());
}
