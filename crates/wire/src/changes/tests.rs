//! Feeds written, read back in chunks of any size, and refused.

use super::*;
use proptest::prelude::*;
use trunkline_core::rev::Rev;

fn rev(text: &str) -> Rev {
    Rev::parse(text).unwrap()
}

fn read(feed: &[u8], chunk: usize) -> Result<Vec<Event>, String> {
    let mut reader = Reader::new();
    let mut events = Vec::new();
    for chunk in feed.chunks(chunk.max(1)) {
        reader.feed(chunk);
        while let Some(event) = reader.next_event().map_err(|error| error.0)? {
            events.push(event);
        }
    }
    reader.finish().map_err(|error| error.0)?;
    Ok(events)
}

/// Two rows with everything, a heartbeat between them, and the end.
fn written(framing: Framing) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::open(&mut out, framing);
    let row = |seq, id, deleted| Row { seq, id, deleted };
    writer.row(&mut out, row("\"1-x\"", "a", false), [rev("1-a")], None);
    writer.heartbeat(&mut out);
    writer.row(
        &mut out,
        row("\"3-x\"", "b\"}", true),
        [rev("2-b"), rev("1-c")],
        Some(&mut |out| out.extend_from_slice(b"{\"_id\":\"b\\\"}\"}")),
    );
    assert_eq!(writer.rows(), 2);
    writer.close(&mut out, "\"3-x\"", Some(7));
    String::from_utf8(out).unwrap()
}

const ROWS: [&str; 2] = [
    r#"{"seq":"1-x","id":"a","changes":[{"rev":"1-a"}]}"#,
    r#"{"seq":"3-x","id":"b\"}","changes":[{"rev":"2-b"},{"rev":"1-c"}],"deleted":true,"doc":{"_id":"b\"}"}}"#,
];

#[test]
fn framings() {
    let [a, b] = ROWS;
    assert_eq!(
        written(Framing::Normal),
        format!("{{\"results\":[\n{a}\n,\n{b}\n],\n\"last_seq\":\"3-x\",\"pending\":7}}\n")
    );
    assert_eq!(
        written(Framing::Continuous),
        format!("{a}\n\n{b}\n{{\"last_seq\":\"3-x\",\"pending\":7}}\n")
    );
    assert_eq!(
        written(Framing::EventSource),
        format!("data: {a}\nid: \"1-x\"\n\nevent: heartbeat\ndata: \n\ndata: {b}\nid: \"3-x\"\n\n")
    );
}

#[test]
fn what_is_written_is_read_back_in_chunks_of_any_size() {
    let expected = [
        Event::Row(IncomingRow {
            seq: "\"1-x\"".into(),
            id: "a".into(),
            revs: vec![rev("1-a")],
            odd_revs: Vec::new(),
            deleted: false,
            doc: None,
        }),
        Event::Row(IncomingRow {
            seq: "\"3-x\"".into(),
            id: "b\"}".into(),
            revs: vec![rev("2-b"), rev("1-c")],
            odd_revs: Vec::new(),
            deleted: true,
            doc: Some("{\"_id\":\"b\\\"}\"}".into()),
        }),
        Event::End {
            last_seq: "\"3-x\"".into(),
            pending: Some(7),
        },
    ];
    for framing in [Framing::Normal, Framing::Continuous] {
        let feed = written(framing);
        for chunk in 1..=feed.len() {
            assert_eq!(
                read(feed.as_bytes(), chunk).unwrap(),
                expected,
                "chunks of {chunk}"
            );
        }
    }
}

#[test]
fn feeds_of_other_servers() {
    let end = |last_seq: &str, pending| Event::End {
        last_seq: last_seq.into(),
        pending,
    };
    let check = |feed: &str, expected: &[Event]| {
        for chunk in [1, 2, 7, feed.len()] {
            assert_eq!(read(feed.as_bytes(), chunk).unwrap(), expected, "{feed}");
        }
    };
    check(
        "{\"results\":[],\"last_seq\":0,\"pending\":0}",
        &[end("0", Some(0))],
    );
    check(
        "\n\n{\"results\":[\n\n],\n\"last_seq\":[3,\"a\"]}\n ignored",
        &[end("[3,\"a\"]", None)],
    );
    check(" { \"last_seq\" : 5 , \"results\" : [ ] }", &[end("5", None)]);
    let row = Event::Row(IncomingRow {
        seq: "5".into(),
        id: "d".into(),
        revs: vec![rev("1-a")],
        odd_revs: Vec::new(),
        deleted: false,
        doc: None,
    });
    let text = r#"{"id":"d","changes":[{"rev":"1-a"}],"seq":5,"doc":null}"#;
    check(
        &format!("{{\"last_seq\":5,\"results\":[{text},{text}],\"pending\":1}}"),
        &[row.clone(), row.clone(), end("5", Some(1))],
    );
    check(&format!("{text}\n\n"), std::slice::from_ref(&row));
    let odd = Event::Row(IncomingRow {
        seq: "1".into(),
        id: "d".into(),
        revs: vec![rev("1-a")],
        odd_revs: vec!["x".into()],
        deleted: false,
        doc: None,
    });
    let text = r#"{"seq":1,"id":"d","changes":[{"rev":"x"},{"rev":"1-a"}]}"#;
    check(&format!("{text}\n"), std::slice::from_ref(&odd));
    let long = text.replace("\"x\"", &format!("\"{}\"", "é".repeat(2000)));
    let kept = "é".repeat(trunkline_core::limits::ODD_ID_CHARS_MAX);
    let Event::Row(odd) = odd else { unreachable!() };
    let cut = IncomingRow {
        odd_revs: vec![kept.into()],
        ..odd
    };
    check(&format!("{long}\n"), &[Event::Row(cut)]);
}

#[test]
fn feeds_that_are_refused() {
    let check = |feed: &str, reason: &str| {
        for chunk in [1, feed.len()] {
            let error = read(feed.as_bytes(), chunk).unwrap_err();
            assert!(error.contains(reason), "{feed}: {error}");
        }
    };
    check("", "cut off");
    check("{\"results\":[{", "cut off");
    check("{\"results\":[]", "cut off");
    check("{\"seq\":1", "cut off");
    check("<html>", "not one");
    check("[]", "not one");
    check("{\"results\":[7]}", "not one");
    check("{\"results\":[]}", "without last_seq");
    check("{\"results\":[],\"pending\":1}", "without last_seq");
    check("{\"results\":[{\"seq\":1}]}", "lacks seq or id");
    check(
        "{\"seq\":1,\"id\":\"a\",\"changes\":[{\"rev\":7}]}",
        "malformed rev",
    );
    check("{\"seq\":1,\"id\":\"a\",}", "not JSON");
    check(
        "{\"error\":\"timeout\",\"reason\":\"too slow\"}\n",
        "broke off: timeout: too slow",
    );
}

#[test]
fn a_row_has_a_limit() {
    let mut reader = Reader::new();
    reader.feed(b"{\"results\":[{\"seq\":\"");
    let chunk = vec![b'x'; 1 << 20];
    let fed = (0..64).take_while(|_| {
        reader.feed(&chunk);
        reader.next_event().is_ok()
    });
    assert_eq!(
        fed.count() << 20,
        trunkline_core::limits::CHANGES_ROW_BYTES_MAX - (1 << 20)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        text in "(\\{\"results\":\\[)?[{}\\[\\]\":,a1\\\\ ]{0,40}",
        chunk in 1_usize..9,
    ) {
        let _ = read(&bytes, chunk);
        let whole = read(text.as_bytes(), text.len());
        prop_assert_eq!(read(text.as_bytes(), chunk).is_ok(), whole.is_ok());
    }
}
