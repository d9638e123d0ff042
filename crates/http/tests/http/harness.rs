//! A server on a free port, and a client that reads its answers.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use trunkline_http::{Config, Secret, serve};
use trunkline_store::Store;

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: reqwest::Client,
    pub(crate) store: Store,
    /// Who asks; nobody on a server that is open.
    pub(crate) user: Option<(&'static str, &'static str)>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
    /// Where its store is.
    pub(crate) dir: tempfile::TempDir,
}

/// An answer in one piece.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }

    /// The `rev` of an answer to a write.
    #[track_caller]
    pub(crate) fn rev(&self) -> String {
        self.json()["rev"]
            .as_str()
            .unwrap_or_else(|| panic!("no rev in {self:?}"))
            .to_owned()
    }

    /// The `_rev` of a document.
    #[track_caller]
    pub(crate) fn rev_of_doc(&self) -> String {
        self.json()["_rev"].as_str().unwrap().to_owned()
    }

    /// Checks the status, and members of the answer.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, members: Value) -> &Answer {
        assert_eq!(self.status, status, "{}", self.text());
        let json = self.json();
        for (name, value) in members.as_object().unwrap() {
            assert_eq!(&json[name], value, "member {name} of {json}");
        }
        self
    }

    /// Checks status, error word and reason.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, error: &str, reason: &str) -> &Answer {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.json(),
            serde_json::json!({ "error": error, "reason": reason })
        );
        self
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(Config::default()).await
    }

    /// With an administrator, who asks.
    pub(crate) async fn with_admin(name: &'static str, password: &'static str) -> Server {
        let mut config = Config::default();
        config.admins.insert(name.to_owned(), Secret::new(password));
        config.authentication.passwords.iterations = 10;
        let mut server = Server::with(config).await;
        server.user = Some((name, password));
        server
    }

    /// With a database `db`.
    pub(crate) async fn with_db() -> Server {
        let server = Server::start().await;
        server
            .put("/db", None)
            .await
            .is(201, serde_json::json!({ "ok": true }));
        server
    }

    pub(crate) async fn with(config: Config) -> Server {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, store.clone(), config, shutdown));
        let client = reqwest::Client::builder().no_gzip().no_zstd().build().unwrap();
        Server {
            url,
            client,
            store,
            user: None,
            stop: Some(stop),
            task,
            dir,
        }
    }

    /// Sends the shutdown signal.
    pub(crate) fn signal(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the server's end.
    pub(crate) async fn ended(self) {
        self.task.await.unwrap().unwrap();
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header("accept", "application/json");
        match self.user {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer {
            status,
            headers,
            bytes: response.bytes().await.unwrap().to_vec(),
        }
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        self.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Option<Value>) -> Answer {
        self.call("PUT", path, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    /// Sends a GET with a header.
    pub(crate) async fn get_with(&self, path: &str, header: &str, value: &str) -> Answer {
        let client = &self.client;
        self.send(client.get(format!("{}{path}", self.url)).header(header, value))
            .await
    }
}

/// The path of a document, percent-encoded.
pub(crate) fn encoded(segment: &str) -> String {
    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string()
}
