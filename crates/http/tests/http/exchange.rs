//! `_exchange`, as our own nodes speak it.

use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use std::time::Duration;
use trunkline_core::attachment::{AttachmentEdit, AttachmentSource, Content, Encoding};
use trunkline_core::doc::{Body, ReplicatedEdit, RevPath};
use trunkline_core::doc_id::DocId;
use trunkline_core::limits::{HTTP2_ANSWER_WINDOW_BYTES, HTTP2_ANSWERS_WINDOW_BYTES};
use trunkline_core::rev::Rev;
use trunkline_wire::exchange::{self, Frame, Log, Reader, hash_text};

/// Longer than anything here takes, but for what never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A feed being read.
struct Feed {
    answer: reqwest::Response,
    reader: Reader,
}

impl Feed {
    async fn open(client: &reqwest::Client, server: &Server, ask: &Value) -> Feed {
        let request = client.post(format!("{}/db/_exchange/changes", server.url));
        let request = request.header("content-type", "application/json");
        let answer = request.body(ask.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Feed {
            answer,
            reader: Reader::new(),
        }
    }

    /// The next frame; `None` at the answer's end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.reader.next_frame().unwrap() {
                return Some(frame);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.unwrap();
            match chunk.unwrap() {
                Some(chunk) => self.reader.feed(&chunk),
                None => {
                    self.reader.finish().unwrap();
                    return None;
                }
            }
        }
    }

    /// The id of the next row, whatever comes between.
    async fn row(&mut self) -> String {
        loop {
            match self.next().await {
                Some(Frame::Row(row)) => return row.id.into(),
                Some(Frame::Progress(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// As peers of our own connect.
fn http2() -> reqwest::Client {
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .http2_initial_stream_window_size(HTTP2_ANSWER_WINDOW_BYTES)
        .http2_initial_connection_window_size(HTTP2_ANSWERS_WINDOW_BYTES)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_feed_tells_rows_how_far_they_reach_and_its_end() {
    let server = Server::with_db().await;
    let features = server.get("/").await.json()["features"].clone();
    assert!(features.as_array().unwrap().contains(&json!("exchange")));
    for id in ["a", "b"] {
        server.put(&format!("/db/{id}"), Some(json!({ "n": id }))).await;
    }
    let mut feed = Feed::open(&server.client, &server, &json!({ "docs": true })).await;
    let mut rows = Vec::new();
    let last_seq = loop {
        match feed.next().await.unwrap() {
            Frame::Row(row) => rows.push(row),
            Frame::Progress(progress) => break progress.last_seq,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(feed.next().await, Some(Frame::End)));
    assert!(feed.next().await.is_none());
    let bodies: Vec<_> = rows.iter().map(|row| row.docs[0].body.as_str()).collect();
    assert_eq!(bodies, [r#"{"n":"a"}"#, r#"{"n":"b"}"#]);

    let since: Value = serde_json::from_str(&last_seq).unwrap();
    let mut feed = Feed::open(&server.client, &server, &json!({ "since": since })).await;
    assert!(matches!(feed.next().await, Some(Frame::End)));
    let ids = json!({ "doc_ids": ["b"] });
    assert_eq!(Feed::open(&server.client, &server, &ids).await.row().await, "b");

    let ask = |ask: Value| server.post("/db/_exchange/changes", ask);
    assert_eq!(ask(json!({ "since": "1-other" })).await.status, 409);
    assert_eq!(ask(json!({ "selector": { "$no": 1 } })).await.status, 400);
    let missing = server.post("/none/_exchange/changes", json!({})).await;
    missing.fails(404, "not_found", "Database does not exist.");
}

/// A compressor must not hold back what is all there is for now.
#[tokio::test]
async fn a_continuous_feed_tells_each_change_at_once_compressed_or_not() {
    let mut server = Server::with_db().await;
    let zstd = reqwest::Client::new();
    let plain = server.client.clone();
    for (round, client) in [plain, zstd, http2()].iter().enumerate() {
        let ask = json!({ "continuous": true, "docs": true, "since": "now" });
        let mut feed = Feed::open(client, &server, &ask).await;
        for number in 0..3 {
            let id = format!("{round}-{number}");
            server.put(&format!("/db/{id}"), Some(json!({}))).await;
            assert_eq!(feed.row().await, id);
        }
    }
    let ask = json!({ "continuous": true });
    let request = server.request("POST", "/db/_exchange/changes");
    let request = request.header("content-type", "application/json");
    let request = request.header("accept-encoding", "zstd");
    let encoded = request.body(ask.to_string()).send().await.unwrap();
    assert_eq!(encoded.headers()["content-encoding"], "zstd");

    let mut feed = Feed::open(&http2(), &server, &ask).await;
    server.signal();
    let fault = loop {
        match feed.next().await.unwrap() {
            Frame::Fault(fault) => break fault,
            Frame::Row(_) | Frame::Progress(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fault.error, "shutting_down");
    server.ended().await;
}

#[tokio::test]
async fn feeds_that_nobody_reads_hold_up_no_other_of_their_connection() {
    let server = Server::with_db().await;
    let client = http2();
    let ask = json!({ "continuous": true, "docs": true });
    let mut feeds = Vec::new();
    for _ in 0..300 {
        feeds.push(Feed::open(&client, &server, &ask).await);
    }
    // More than a stream's window holds, times so many that no connection's common window would.
    let text = "x".repeat(1 << 20);
    for number in 0..6 {
        server
            .put(&format!("/db/{number}"), Some(json!({ "text": text })))
            .await;
    }
    let mut one = feeds.pop().unwrap();
    for number in 0..6 {
        assert_eq!(one.row().await, number.to_string());
    }
    let welcome = client.get(&server.url).send().await.unwrap();
    assert_eq!(welcome.version(), reqwest::Version::HTTP_2);
}

#[tokio::test]
async fn two_thousand_feeds_of_a_connection_follow_while_one_is_not_read() {
    let server = Server::with_db().await;
    let client = http2();
    let _unread = Feed::open(&client, &server, &json!({ "continuous": true, "docs": true })).await;
    let ask = json!({ "continuous": true, "doc_ids": ["news"] });
    let mut feeds = Vec::new();
    for _ in 0..2000 {
        feeds.push(Feed::open(&client, &server, &ask).await);
    }
    let text = "x".repeat(1 << 20);
    for number in 0..8 {
        server
            .put(&format!("/db/{number}"), Some(json!({ "text": text })))
            .await;
    }
    server.put("/db/news", Some(json!({}))).await;
    for feed in &mut feeds {
        assert_eq!(feed.row().await, "news");
    }
}

pub(crate) fn edit(id: &str, path: RevPath, body: &str) -> ReplicatedEdit {
    ReplicatedEdit {
        id: DocId::parse(id).unwrap(),
        path,
        deleted: false,
        body: Body::parse(body).unwrap(),
        attachments: Vec::new(),
        age_ms: 0,
    }
}

pub(crate) fn path(revs: &[&str]) -> RevPath {
    let revs: Vec<Rev> = revs.iter().map(|rev| Rev::parse(rev).unwrap()).collect();
    let digests = revs.iter().map(|rev| rev.digest.clone()).collect();
    RevPath::new(revs[0].generation, digests).unwrap()
}

async fn send(server: &Server, body: Vec<u8>) -> Answer {
    let request = server.request("POST", "/db/_exchange/docs");
    let request = request.header("content-type", exchange::CONTENT_TYPE);
    server.send(request.body(body)).await
}

#[tokio::test]
async fn documents_may_come_compressed() {
    let server = Server::with_db().await;
    let mut body = Vec::new();
    exchange::start(&mut body);
    for at in 0..100 {
        exchange::write_document(
            &mut body,
            &edit(&format!("call-{at}"), path(&["1-a"]), "{\"n\":1}"),
        );
    }
    let compressed = zstd::bulk::compress(&body, 1).unwrap();
    assert!(compressed.len() < body.len() / 2);
    let request = server.request("POST", "/db/_exchange/docs");
    let request = request
        .header("content-type", exchange::CONTENT_TYPE)
        .header("content-encoding", "zstd");
    let answer = request.body(compressed).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(server.get("/db").await.json()["doc_count"], 100);
}

#[tokio::test]
async fn contents_that_have_not_come_are_listed() {
    let server = Server::with_db().await;
    let ask = |ask: Value| server.post("/db/_exchange/absent", ask);
    let none = ask(json!({})).await.json();
    assert_eq!(none, json!({ "contents": [] }));
    let later = |byte: u8| Content {
        hash: [byte; 32],
        md5: [byte; 16],
        length: 3,
        encoding: Encoding::Identity,
    };
    let mut body = Vec::new();
    exchange::start(&mut body);
    for byte in [1, 2, 3] {
        let mut edit = edit(&format!("call-{byte}"), path(&["1-a"]), "{}");
        edit.attachments.push(AttachmentEdit {
            name: "voice".into(),
            content_type: None,
            revpos: Some(1),
            source: AttachmentSource::Later(later(byte)),
        });
        exchange::write_document(&mut body, &edit);
    }
    assert_eq!(send(&server, body).await.json()["refused"], json!([]));
    let after = hash_text(&[1; 32]);
    let answer = ask(json!({ "after": after, "limit": 1 })).await.json();
    let absent = exchange::parse_absent(answer.to_string().as_bytes()).unwrap();
    assert_eq!(absent, [later(2)]);
    assert_eq!(ask(json!({ "after": "x" })).await.status, 400);
    // What names bytes that were to be here is told apart from what is wrong with a document.
    let mut body = Vec::new();
    exchange::start(&mut body);
    let mut edit = edit("call-4", path(&["1-a"]), "{}");
    edit.attachments.push(AttachmentEdit {
        name: "voice".into(),
        content_type: None,
        revpos: Some(1),
        source: AttachmentSource::Staged(later(4)),
    });
    exchange::write_document(&mut body, &edit);
    let answer = send(&server, body).await.json();
    assert_eq!(answer["refused"][0]["error"], json!(exchange::NOT_STAGED));
}

#[tokio::test]
async fn documents_are_written_with_their_checkpoint() {
    let config = trunkline_http::Config {
        document_bytes_max: 100,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await;
    let mut body = Vec::new();
    exchange::start(&mut body);
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(100));
    for edit in [
        edit("a", path(&["3-c", "2-b"]), r#"{"n":1}"#),
        edit("a", path(&["2-z", "1-y"]), "{}"),
        edit("long", path(&["1-l"]), &long),
    ] {
        assert!(exchange::write_document(&mut body, &edit));
    }
    let log = |number| Log {
        replication_id: "run".into(),
        number,
        body: r#"{"history":[]}"#.into(),
    };
    exchange::write_log(&mut body, &log(0));
    let answer = send(&server, body).await;
    let db = server.get("/db").await.json();
    answer.is(
        201,
        json!({
            "refused": [{ "id": "long", "rev": "1-l", "error": "document_too_large", "reason": "long" }],
            "log_number": 1,
            "instance_start_time": db["instance_start_time"],
        }),
    );
    let doc = server.get("/db/a?revs=true&conflicts=true").await;
    let revs = json!({ "start": 3, "ids": ["c", "b"] });
    doc.is(
        200,
        json!({ "_rev": "3-c", "n": 1, "_conflicts": ["2-z"], "_revisions": revs }),
    );
    let stored = server.get("/db/_local/run").await;
    stored.is(200, json!({ "_rev": "0-1", "history": [] }));

    let mut alone = Vec::new();
    exchange::start(&mut alone);
    exchange::write_log(&mut alone, &log(1));
    let answer = send(&server, alone.clone()).await;
    answer.is(201, json!({ "refused": [], "log_number": 2 }));
    assert_eq!(send(&server, alone[..alone.len() - 1].to_vec()).await.status, 400);
    assert_eq!(send(&server, b"{\"docs\":[]}".to_vec()).await.status, 400);
}

pub(crate) fn content(bytes: &[u8]) -> String {
    let hash = hash_text(blake3::hash(bytes).as_bytes());
    format!("/db/_exchange/contents/{hash}")
}

pub(crate) async fn bring(server: &Server, path: &str, bytes: &[u8]) -> Answer {
    server
        .send(server.request("PUT", path).body(bytes.to_vec()))
        .await
}

#[tokio::test]
async fn contents_are_read_from_any_place() {
    let server = Server::with_db().await;
    let voice: Vec<u8> = (0..600_000_u32).map(|at| (at % 251) as u8).collect();
    bring(&server, "/db/call/voice.wav", &voice).await;
    let path = content(&voice);
    assert_eq!(server.get(&path).await.bytes, voice);
    let rest = server.request("GET", &path).header("range", "bytes=400000-");
    let rest = server.send(rest).await;
    assert_eq!((rest.status, rest.bytes.as_slice()), (206, &voice[400_000..]));
    assert_eq!(rest.header("content-range"), "bytes 400000-599999/600000");
    let behind = server.request("GET", &path).header("range", "bytes=600000-");
    assert_eq!(server.send(behind).await.status, 416);
    assert_eq!(server.get(&content(b"other")).await.status, 404);
    assert_eq!(server.get("/db/_exchange/contents/ab").await.status, 400);

    let [here, lacking] = [voice.as_slice(), b"other"].map(|bytes| hash_text(blake3::hash(bytes).as_bytes()));
    let asked = json!({ "contents": [lacking, here] });
    let answer = server.post("/db/_exchange/lacking", asked).await;
    answer.is(200, json!({ "contents": [lacking] }));
}

#[tokio::test]
async fn contents_come_in_pieces_and_with_the_right_hash_or_not_at_all() {
    let server = Server::with_db().await;
    let voice: Vec<u8> = (0..600_000_u32).map(|at| (at % 251) as u8).collect();
    let path = content(&voice);
    let begun = async || {
        let head = server.send(server.request("HEAD", &path)).await;
        head.header("upload-offset").parse::<usize>().unwrap()
    };
    assert_eq!(begun().await, 0);
    cut_off(&server, &path, &voice[..400_000]).await;
    // The server hears of the cut a little later.
    let patience = tokio::time::timeout(PATIENCE, async {
        while begun().await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        begun().await
    });
    let offset = patience.await.unwrap();
    assert!(offset <= 400_000);
    let other = bring(&server, &format!("{path}?from={}", offset + 1), &[0]).await;
    let reason = format!("The upload goes on at byte {offset}.");
    other.fails(409, "conflict", &reason);

    let wrong = bring(&server, &format!("{path}?from={offset}"), &[0; 9]).await;
    wrong.fails(400, "bad_request", "these bytes have another hash");
    assert_eq!(begun().await, 0);

    let asked = json!({ "contents": [path.rsplit('/').next().unwrap()] });
    let lacking = async || server.post("/db/_exchange/lacking", asked.clone()).await.json();
    assert_eq!(lacking().await, asked);
    let whole = bring(&server, &path, &voice).await;
    assert_eq!(whole.status, 201, "{whole:?}");
    assert_eq!(lacking().await, json!({ "contents": [] }));
}

pub(crate) async fn lacks(server: &Server, bytes: &[u8]) -> bool {
    let hash = hash_text(blake3::hash(bytes).as_bytes());
    let answer = server
        .post("/db/_exchange/lacking", json!({ "contents": [hash] }))
        .await;
    answer.json() != json!({ "contents": [] })
}

/// Sends a document with an attachment whose bytes are staged.
async fn name(server: &Server, id: &str, bytes: &[u8]) -> Answer {
    send(server, naming(id, "{}", bytes)).await
}

/// A request with a document that names content as staged.
pub(crate) fn naming(id: &str, json: &str, bytes: &[u8]) -> Vec<u8> {
    let mut edit = edit(id, path(&["1-a"]), json);
    let mut md5 = [0; 16];
    let digest = <md5::Md5 as md5::Digest>::digest(bytes);
    md5.copy_from_slice(&digest);
    edit.attachments.push(AttachmentEdit {
        name: "voice".into(),
        content_type: None,
        revpos: Some(1),
        source: AttachmentSource::Staged(Content {
            hash: *blake3::hash(bytes).as_bytes(),
            md5,
            length: bytes.len() as u64,
            encoding: Encoding::Identity,
        }),
    });
    let mut body = Vec::new();
    exchange::start(&mut body);
    exchange::write_document(&mut body, &edit);
    body
}

#[tokio::test]
async fn documents_take_what_was_brought_for_them_and_it_may_be_brought_again() {
    let server = Server::with_db().await;
    for number in 0..300 {
        let bytes = format!("call {number}");
        let brought = bring(&server, &content(bytes.as_bytes()), bytes.as_bytes()).await;
        assert_eq!(brought.status, 201, "{brought:?}");
        let answer = name(&server, &format!("call-{number}"), bytes.as_bytes()).await;
        answer.is(201, json!({ "refused": [] }));
    }
    let voice = b"call 7";
    server.post("/db/_purge", json!({ "call-7": ["1-a"] })).await;
    assert!(lacks(&server, voice).await);
    for _ in 0..2 {
        bring(&server, &content(voice), voice).await;
        assert!(!lacks(&server, voice).await);
    }
    let named = name(&server, "call-7", voice).await;
    named.is(201, json!({ "refused": [] }));
    assert_eq!(server.get("/db/call-7/voice").await.bytes, voice);
}

#[tokio::test]
async fn uploads_that_fail_leave_nothing_behind() {
    let config = trunkline_http::Config {
        attachment_bytes_max: 100,
        ..trunkline_http::Config::default()
    };
    let server = Server::with(config).await;
    server.put("/db", None).await;
    for number in 0..300 {
        let path = content(format!("call {number}").as_bytes());
        let (path, bytes, status) = match number % 4 {
            0 => (path, vec![0; 9], 400),
            1 => (path, vec![0; 101], 413),
            2 => (format!("{path}?gzip=true"), vec![0; 9], 400),
            _ => (format!("{path}?from=5"), vec![0; 9], 409),
        };
        let answer = bring(&server, &path, &bytes).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // One after another, more than may be under way at once.
    for number in 0..300 {
        let path = content(format!("long {number}").as_bytes());
        assert_eq!(bring(&server, &path, &[0; 101]).await.status, 413);
    }
    let good = b"call";
    assert_eq!(bring(&server, &content(good), good).await.status, 201);
    assert!(!lacks(&server, good).await);
}

/// Begins an upload and cuts the connection in the middle.
async fn cut_off(server: &Server, path: &str, bytes: &[u8]) {
    use tokio::io::AsyncWriteExt;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("PUT {path}?from=0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
}
