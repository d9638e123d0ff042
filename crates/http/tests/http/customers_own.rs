//! What a customer's peer leaves in a database, and what it learns of the rest by naming it.

use crate::customers::{ann, ids, server};
use crate::exchange::{content, naming};
use crate::harness::{Answer, Server};
use serde_json::{Value, json};
use trunkline_http::Config;
use trunkline_wire::exchange::{CONTENT_TYPE, Frame, Reader};

const HERS: &str = r#"{"account":"acme"}"#;

async fn send(server: &Server, method: &str, path: &str, body: Vec<u8>) -> Answer {
    let url = format!("{}/calls{path}", server.url);
    let request = server.client.request(method.parse().unwrap(), url);
    server
        .send(
            request
                .basic_auth("ann", Some("one"))
                .header("content-type", CONTENT_TYPE)
                .body(body),
        )
        .await
}

#[tokio::test]
async fn she_names_no_content_that_hidden_documents_have() {
    let server = server().await;
    let sound = json!({ "content_type": "audio/wav", "data": "c2VjcmV0" });
    let call = json!({ "account": "emca", "_attachments": { "a": sound } });
    server.put("/calls/e9", Some(call)).await.is(201, json!({}));
    let docs = async |bytes: &[u8]| {
        let answer = send(&server, "POST", "/_exchange/docs", naming("a9", HERS, bytes)).await;
        answer.json()["refused"].clone()
    };
    let hidden = docs(b"secret").await;
    assert_eq!(hidden[0]["id"], "a9", "{hidden}");
    assert_eq!(hidden, docs(b"absent").await);
    let path = content(b"secret").replace("/db/", "/");
    // What she brings is hers to name, and what others bring is not.
    for (brings_herself, refused) in [(false, hidden), (true, json!([]))] {
        let brought = match brings_herself {
            true => send(&server, "PUT", &path, b"secret".to_vec()).await,
            false => {
                let request = server.request("PUT", &format!("/calls{path}"));
                server.send(request.body(b"secret".to_vec())).await
            }
        };
        assert_eq!(brought.status, 201, "{}", brought.text());
        assert_eq!(docs(b"secret").await, refused);
    }
    assert_eq!(
        ann(&server, "GET", "/calls/a9/voice", None).await.text(),
        "secret"
    );
}

#[tokio::test]
async fn she_reads_contents_of_documents_that_she_sees() {
    let server = server().await;
    let sound = json!({ "content_type": "audio/wav", "data": "c2VjcmV0" });
    let call = json!({ "account": "emca", "_attachments": { "a": sound } });
    server.put("/calls/e9", Some(call)).await.is(201, json!({}));
    let path = |bytes: &[u8]| content(bytes).replace("/db/", "/calls/");
    let (said, secret, nowhere) = (path(b"said"), path(b"secret"), path(b"nowhere"));
    let get = async |path: String| ann(&server, "GET", &path, None).await;
    assert_eq!(get(format!("{said}?doc=a1")).await.text(), "said");
    // Those of a document that is hidden have the same bytes.
    for path in [
        format!("{said}?doc=e1"),
        format!("{said}?doc=none"),
        format!("{secret}?doc=e9"),
        format!("{secret}?doc=a1"),
        format!("{nowhere}?doc=a1"),
    ] {
        get(path).await.fails(404, "not_found", "missing");
    }
    for path in [said.clone(), secret.clone(), nowhere] {
        let reason =
            "You may see some documents of this database only: name one that has this content (`doc`).";
        get(path).await.fails(403, "forbidden", reason);
    }
    assert_eq!(server.get(&secret).await.text(), "secret");
    assert_eq!(server.get(&said).await.text(), "said");
}

#[tokio::test]
async fn she_hears_of_the_end_of_what_was_in_her_feed() {
    let server = server().await;
    let design = json!({ "feeds": { "acme": { "selector": { "account": "acme" } } } });
    server
        .put("/calls/_design/feeds", Some(design))
        .await
        .is(201, json!({}));
    // Answers once it is built.
    server
        .get("/calls/_changes?feed_name=feeds/acme")
        .await
        .is(200, json!({}));
    let grant = json!({ "roles": ["acme"], "may": ["read", "replicate-out"], "feed": "feeds/acme" });
    server
        .put("/calls/_security", Some(json!({ "grants": [grant] })))
        .await
        .is(200, json!({}));
    let hers = Server::with(Config::default()).await;
    let remote = server.url.replace("http://", "http://ann:one@") + "/calls";
    let pull = json!({ "source": remote, "target": "mine", "create_target": true });
    let ids = async || {
        hers.post("/_replicate", pull.clone())
            .await
            .is(200, json!({ "ok": true }));
        let rows = hers.get("/mine/_all_docs").await.json()["rows"].clone();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids().await, ["a1", "a2"]);
    for id in ["a1", "e1"] {
        let rev = server.get(&format!("/calls/{id}")).await.rev_of_doc();
        let path = format!("/calls/{id}?rev={rev}");
        server.call("DELETE", &path, None).await.is(200, json!({}));
    }
    assert_eq!(ids().await, ["a2"]);
    hers.get("/mine/a1").await.fails(404, "not_found", "deleted");
    for (id, reason) in [("a1", "deleted"), ("e1", "missing")] {
        let path = format!("/calls/{id}");
        ann(&server, "GET", &path, None)
            .await
            .fails(404, "not_found", reason);
    }
}

#[tokio::test]
async fn her_replication_goes_back_for_what_she_may_see_now() {
    let server = server().await;
    let hers = Server::with(Config::default()).await;
    let remote = server.url.replace("http://", "http://ann:one@") + "/calls";
    let pull = json!({ "source": remote, "target": "mine", "create_target": true });
    for (accounts, count) in [(json!(["acme"]), 2), (json!(["acme", "emca"]), 4)] {
        let selector = json!({ "account": { "$in": accounts } });
        let grant = json!({ "roles": ["acme"], "may": ["replicate-out"], "selector": selector });
        server
            .put("/calls/_security", Some(json!({ "grants": [grant] })))
            .await
            .is(200, json!({}));
        hers.post("/_replicate", pull.clone())
            .await
            .is(200, json!({ "ok": true }));
        hers.get("/mine").await.is(200, json!({ "doc_count": count }));
    }
}

#[tokio::test]
async fn her_replication_reads_the_feed_that_she_is_bound_to() {
    let server = server().await;
    let design =
        json!({ "feeds": { "acme": { "selector": { "account": "acme" } }, "all": { "selector": {} } } });
    server
        .put("/calls/_design/feeds", Some(design))
        .await
        .is(201, json!({}));
    let grant = json!({ "roles": ["acme"], "may": ["replicate-out"], "feed": "feeds/acme" });
    server
        .put("/calls/_security", Some(json!({ "grants": [grant] })))
        .await
        .is(200, json!({}));
    let hers = Server::with(Config::default()).await;
    let remote = server.url.replace("http://", "http://ann:one@") + "/calls";
    for (target, feed) in [("mine", "feeds/acme"), ("more", "feeds/all")] {
        let pull = json!({ "source": remote, "target": target, "create_target": true, "feed_name": feed });
        let told = hers.post("/_replicate", pull).await;
        assert_eq!(told.status, 200, "{}", told.text());
        assert_eq!(
            ids(&hers.get(&format!("/{target}/_all_docs")).await, "rows"),
            ["a1", "a2"]
        );
    }
    // That it is there she is told, and nothing that is about documents of others.
    let told = ann(&server, "GET", "/calls/_feed/feeds/all", None).await.json();
    assert_eq!(told, json!({ "name": "feeds/all", "built": true }));
    let whole = server.get("/calls/_feed/feeds/all").await.json();
    assert_eq!((&whole["selector"], &whole["pending"]), (&json!({}), &json!(0)));
    let none = "/calls/_feed/feeds/none";
    ann(&server, "GET", none, None)
        .await
        .fails(404, "not_found", "missing_named_feed");
}

#[tokio::test]
async fn her_replication_goes_back_while_it_runs() {
    let server = server().await;
    let hers = Server::with(Config::default()).await;
    let remote = server.url.replace("http://", "http://ann:one@") + "/calls";
    let pull = json!({ "source": remote, "target": "mine", "create_target": true, "continuous": true });
    hers.post("/_replicate", pull)
        .await
        .is(202, json!({ "ok": true }));
    let comes = async |id: &str| {
        let path = format!("/mine/{id}");
        for _ in 0..1000 {
            if hers.get(&path).await.status == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!(
            "{id} does not come: {}",
            hers.get("/_scheduler/jobs").await.text()
        );
    };
    comes("a2").await;
    // No checkpoint was written yet: the last one of what she was bound to before must not count for what she sees now.
    let grant =
        json!({ "roles": ["acme"], "may": ["replicate-out"], "selector": { "account": { "$gt": null } } });
    server
        .put("/calls/_security", Some(json!({ "grants": [grant] })))
        .await
        .is(200, json!({}));
    let call = json!({ "account": "emca" });
    server.put("/calls/e3", Some(call)).await.is(201, json!({}));
    for id in ["e3", "e2", "e1"] {
        comes(id).await;
    }
}

#[tokio::test]
async fn her_tombstones_are_not_those_of_others() {
    let server = server().await;
    let end = async |id: &str, account: &str| {
        let rev = server.get(&format!("/calls/{id}")).await.rev_of_doc();
        let doc = json!({ "_rev": rev, "_deleted": true, "account": account });
        ann(&server, "PUT", &format!("/calls/{id}"), Some(doc))
            .await
            .status
    };
    assert_eq!(end("a1", "emca").await, 403);
    assert_eq!(end("a1", "acme").await, 200);
    let rev = server.get("/calls/a2").await.rev_of_doc();
    let path = format!("/calls/a2?rev={rev}");
    ann(&server, "DELETE", &path, None).await.is(200, json!({}));
    // What others deleted stays as they left it.
    let rev = server.get("/calls/e1").await.rev_of_doc();
    let end = json!({ "_rev": rev, "_deleted": true, "account": "emca" });
    let ended = server.put("/calls/e1", Some(end)).await.json()["rev"].clone();
    let ids = [
        json!("9"),
        ended.as_str().unwrap().split_once('-').unwrap().1.into(),
    ];
    let bare = json!({ "_id": "e1", "_deleted": true, "_revisions": { "start": 3, "ids": ids } });
    let docs = json!({ "new_edits": false, "docs": [bare] });
    let refused = ann(&server, "POST", "/calls/_bulk_docs", Some(docs)).await.json();
    assert_eq!(refused[0]["error"], "forbidden", "{refused}");
}

#[tokio::test]
async fn her_stubs_stand_for_what_she_sees() {
    let server = server().await;
    let sound = json!({ "content_type": "audio/wav", "data": "c2VjcmV0" });
    let call = |more: Value| {
        let mut call = json!({ "account": "emca", "_attachments": { "a": sound } });
        call.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call
    };
    // A deleted document's, and those of a branch that lost.
    server
        .put("/calls/e8", Some(call(json!({ "_deleted": true }))))
        .await
        .is(200, json!({}));
    let hers = json!({ "_id": "a8", "_rev": "2-b", "account": "acme" });
    let hidden = call(json!({ "_id": "a8", "_rev": "1-c" }));
    let docs = json!({ "new_edits": false, "docs": [hers, hidden] });
    assert_eq!(server.post("/calls/_bulk_docs", docs).await.status, 201);
    let stub = json!({ "account": "acme", "_attachments": { "a": { "stub": true } } });
    let put = ann(&server, "PUT", "/calls/e8", Some(stub.clone())).await;
    put.fails(403, "forbidden", "You may not change this document.");
    let mut brought = stub;
    brought["_id"] = "a8".into();
    brought["_revisions"] = json!({ "start": 3, "ids": ["d", "b"] });
    brought["_attachments"]["a"]["digest"] = "md5-Xr4ilOzQ4PCOq3aQ0qbuaQ==".into();
    let docs = json!({ "new_edits": false, "docs": [brought] });
    ann(&server, "POST", "/calls/_bulk_docs", Some(docs)).await;
    assert_eq!(ann(&server, "GET", "/calls/a8/a", None).await.status, 404);
    assert_eq!(ann(&server, "GET", "/calls/e8/a", None).await.status, 404);
}

#[tokio::test]
async fn she_copies_her_own_with_its_attachments() {
    let server = server().await;
    let url = format!("{}/calls/a1", server.url);
    let request = server.client.request("COPY".parse().unwrap(), url);
    let request = request.basic_auth("ann", Some("one")).header("destination", "a9");
    server.send(request).await.is(201, json!({}));
    assert_eq!(ann(&server, "GET", "/calls/a9/a.wav", None).await.text(), "said");
}

#[tokio::test]
async fn her_local_documents_are_hers() {
    let server = server().await;
    let path = "/calls/_local/run";
    server.put(path, Some(json!({ "of": "root" }))).await;
    assert_eq!(ann(&server, "GET", path, None).await.status, 404);
    let body = json!({ "_id": "_local/run", "of": "ann" });
    for (method, path, body) in [
        ("PUT", path, body.clone()),
        ("POST", "/calls", body.clone()),
        ("POST", "/calls/_bulk_docs", json!({ "docs": [body] })),
    ] {
        let written = ann(&server, method, path, Some(body)).await;
        assert!(written.status < 300, "{}", written.text());
    }
    let hers = ann(&server, "GET", path, None).await;
    hers.is(200, json!({ "of": "ann" }));
    server.get(path).await.is(200, json!({ "of": "root" }));
    ann(&server, "DELETE", path, None).await.is(200, json!({}));
    server.get(path).await.is(200, json!({ "of": "root" }));
}

#[tokio::test]
async fn she_is_not_told_how_many_changes_there_are() {
    let server = server().await;
    let feed = ann(&server, "POST", "/calls/_exchange/changes", Some(json!({}))).await;
    let mut reader = Reader::new();
    reader.feed(&feed.bytes);
    let mut told = 0;
    while let Some(frame) = reader.next_frame().unwrap() {
        if let Frame::Progress(progress) = frame {
            assert_eq!(progress.pending, None);
            told += 1;
        }
    }
    assert!(told > 0);
}
