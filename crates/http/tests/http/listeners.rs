//! Several places to listen at.

use crate::certificates::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;
use trunkline_http::{Config, Listener, Listeners, ServerTls, serve};
use trunkline_store::Store;

const ASKED: &[u8] = b"GET /_up HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn one_server_listens_at_several_places() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let authority = Authority::new();
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secured = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let https = format!("https://localhost:{}/_up", secured.local_addr().unwrap().port());
    let tls = ServerTls::read(authority.settings(dir.path())).unwrap();
    let path = dir.path().join("trunkline.sock");
    let listeners = Listeners::from(vec![
        plain.into(),
        Listener::tls(secured, tls),
        Listener::unix(&path).unwrap(),
    ]);
    let addresses = listeners.addresses().unwrap();
    assert_eq!(addresses.len(), 2);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let server = tokio::spawn(serve(listeners, store, Config::default(), shutdown));

    let mut heard = String::new();
    let mut stream = TcpStream::connect(addresses[0]).await.unwrap();
    stream.write_all(ASKED).await.unwrap();
    stream.read_to_string(&mut heard).await.unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(ASKED).await.unwrap();
    stream.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard.matches("HTTP/1.1 200").count(), 2, "{heard}");
    let client = authority.client().build().unwrap();
    assert_eq!(client.get(https).send().await.unwrap().status(), 200);

    drop(stop);
    server.await.unwrap().unwrap();
    assert!(!path.exists());
}
