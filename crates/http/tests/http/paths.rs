//! Names that would lead out of the store's directory, were they ever file names as they come.

use crate::harness::Server;
use crate::sockets::statuses;
use serde_json::json;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use trunkline_http::{Config, serve};
use trunkline_store::Store;

/// All files beneath a directory, but for the store's.
fn outside(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn ask(address: std::net::SocketAddr, method: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let said = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut heard = String::new();
    let _ = stream.read_to_string(&mut heard).await;
    heard
}

#[tokio::test]
async fn no_name_leads_out_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let beside = dir.path().join("beside");
    std::fs::create_dir_all(dir.path().join("a/b/store")).unwrap();
    std::fs::write(&beside, "untouched").unwrap();
    let store = Store::open(dir.path().join("a/b/store")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, store, Config::default(), async {
        drop(stopped.await)
    }));
    assert_eq!(statuses(&ask(address, "PUT", "/db").await), [201]);

    let names = [
        "..",
        "../x",
        "..%2fx",
        "..%2F..%2F..%2Fbeside",
        "%2e%2e%2f%2e%2e%2fbeside",
        "%2e%2e",
        ".%2e/x",
        "..%5c..%5cbeside",
        "db%2f..%2f..%2f..%2f..%2fbeside",
        "%2fetc%2fpasswd",
        "..%252f..%252fbeside",
        "%c0%ae%c0%ae%2fbeside",
        "db%00",
        "%00",
        "..%00%2fx",
        "%ff%fe",
        "con%0d%0aX: y",
        "./db",
        "%2e/db",
        "~",
        "db%2f..",
        "db%2f.%2fx",
        "%EF%BC%8E%EF%BC%8E%2fx",
    ];
    for name in names {
        for method in ["PUT", "GET", "DELETE"] {
            let heard = ask(address, method, &format!("/{name}")).await;
            let status = statuses(&heard)[0];
            assert!((400..500).contains(&status), "{method} /{name}: {heard}");
        }
    }
    // As ids of documents and names of attachments they are names as any, where they can be.
    for name in names {
        for target in [
            format!("/db/{name}"),
            format!("/db/_design/{name}"),
            format!("/db/_local/{name}"),
            format!("/db/doc/{name}"),
            format!("/db/{name}/file"),
            format!("/db/_exchange/contents/{name}"),
            format!("/db/_snapshot/{name}"),
        ] {
            for method in ["PUT", "GET"] {
                let heard = ask(address, method, &target).await;
                let status = statuses(&heard)[0];
                assert!((200..500).contains(&status), "{method} {target}: {heard}");
                assert!(!heard.contains("root:"), "{method} {target}: {heard}");
            }
        }
    }
    let long = "x".repeat(9_000);
    for target in [
        format!("/{long}"),
        format!("/db/{long}"),
        format!("/db/_local/{long}"),
    ] {
        let heard = ask(address, "PUT", &target).await;
        assert!((400..500).contains(&statuses(&heard)[0]), "{heard}");
    }

    drop(stop);
    server.await.unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(&beside).unwrap(), "untouched");
    assert_eq!(outside(dir.path()), ["a", "beside"]);
    assert_eq!(outside(&dir.path().join("a")), ["b"]);
    assert_eq!(outside(&dir.path().join("a/b")), ["store"]);
}

#[tokio::test]
async fn names_are_decoded_once() {
    let server = Server::with_db().await;
    let ids = ["50%25", "100%", "a%2Fb", "%", "%252F", "x%00"];
    let docs: Vec<_> = ids.iter().map(|id| json!({ "_id": id, "is": id })).collect();
    let written = server.post("/db/_bulk_docs", json!({ "docs": docs })).await;
    assert_eq!(written.status, 201);
    for id in ids {
        let name = id.replace('%', "%25");
        let doc = server.get(&format!("/db/{name}")).await.json();
        assert_eq!(doc["is"], id);
        let path = format!("/db/{name}/{name}?rev={}", doc["_rev"].as_str().unwrap());
        assert_eq!(server.put(&path, Some(json!("file"))).await.status, 201);
        let doc = server.get(&format!("/db/{name}")).await.json();
        assert!(doc["_attachments"][id].is_object(), "{doc}");
    }
}
