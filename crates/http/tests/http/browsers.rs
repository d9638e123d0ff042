//! What browsers are told: which pages may ask, and what becomes of answers.

use crate::harness::{Answer, Server};
use reqwest::Method;
use serde_json::json;
use trunkline_http::{Config, Cors, Secret};

async fn server(cors: Cors) -> Server {
    let mut config = Config {
        cors,
        ..Config::default()
    };
    config.admins.insert("anna".to_owned(), Secret::new("secret"));
    config.authentication.require_valid_user = true;
    Server::with(config).await
}

fn app_example() -> Cors {
    Cors {
        origins: vec![
            "https://app.example".to_owned(),
            "http://localhost:8000".to_owned(),
        ],
        credentials: true,
        headers: vec!["X-Call-Id".to_owned()],
        ..Cors::default()
    }
}

async fn ask(server: &Server, method: &str, headers: &[(&str, &str)]) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = server.client.request(method, format!("{}/db", server.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        bytes: answer.bytes().await.unwrap().to_vec(),
    }
}

/// `Access-Control-` headers, with their values.
fn told(answer: &Answer) -> Vec<String> {
    let mut told: Vec<String> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("access-control-")?;
            Some(format!("{name}: {}", value.to_str().unwrap()))
        })
        .collect();
    told.sort();
    told
}

#[tokio::test]
async fn preflights_are_answered_to_pages_that_may_ask_and_need_no_credentials() {
    let server = server(app_example()).await;
    let wanted = "Content-Type, x-call-id, authorization";
    let preflight = async |origin, method, headers| {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        ask(&server, "OPTIONS", &asked).await
    };
    for origin in [
        "https://app.example",
        "https://app.example:443",
        "http://localhost:8000",
    ] {
        let answer = preflight(origin, "COPY", wanted).await;
        assert_eq!((answer.status, answer.text()), (204, ""));
        assert_eq!(
            told(&answer)[..4],
            [
                "allow-credentials: true".to_owned(),
                format!("allow-headers: {wanted}"),
                "allow-methods: GET, HEAD, PUT, POST, DELETE, COPY, OPTIONS".to_owned(),
                format!("allow-origin: {origin}"),
            ]
        );
        assert_eq!(answer.header("access-control-max-age"), "600");
        assert_eq!(answer.header("vary"), "Origin");
    }
    for (origin, method, headers) in [
        ("https://app.example", "PATCH", wanted),
        ("https://app.example", "GET", "X-Other"),
    ] {
        let answer = preflight(origin, method, headers).await;
        assert_eq!(answer.status, 401);
        assert!(!answer.headers.contains_key("access-control-allow-methods"));
    }
    for origin in [
        "http://app.example",
        "https://app.example.org",
        "https://app.example:8443",
        "null",
    ] {
        let answer = preflight(origin, "GET", wanted).await;
        assert_eq!((answer.status, told(&answer)), (401, vec![]), "{origin}");
        assert_eq!(answer.header("vary"), "Origin");
    }
}

#[tokio::test]
async fn answers_say_whose_page_may_read_them() {
    let server = server(app_example()).await;
    let login = ("authorization", "Basic YW5uYTpzZWNyZXQ=");
    let page = ("origin", "https://app.example");
    // Refusals, too: a page could not tell why otherwise.
    for (headers, status) in [(&[login, page][..], 404), (&[page], 401)] {
        let answer = ask(&server, "GET", headers).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "https://app.example"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert!(answer.header("access-control-expose-headers").contains("etag"));
    }
    for headers in [&[login][..], &[login, ("origin", "https://evil.example")]] {
        let answer = ask(&server, "GET", headers).await;
        assert_eq!((answer.status, told(&answer)), (404, vec![]));
        assert_eq!(answer.header("vary"), "Origin");
    }
}

#[tokio::test]
async fn everybodys_pages_come_without_credentials_and_nobodys_are_not_spoken_of() {
    let everybody = server(Cors {
        origins: vec!["*".to_owned()],
        credentials: true,
        ..Cors::default()
    })
    .await;
    let page = ("origin", "https://any.example");
    let answer = ask(&everybody, "GET", &[page]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://any.example"
    );
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));

    let unnamed = server(Cors {
        origins: vec!["null".to_owned()],
        credentials: true,
        ..Cors::default()
    })
    .await;
    let answer = ask(&unnamed, "GET", &[("origin", "null")]).await;
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));

    let nobody = server(Cors::default()).await;
    let preflight = [page, ("access-control-request-method", "GET")];
    for (method, headers) in [("GET", &[page][..]), ("OPTIONS", &preflight)] {
        let answer = ask(&nobody, method, headers).await;
        assert_eq!((answer.status, told(&answer)), (401, vec![]));
        assert!(!answer.headers.contains_key("vary"));
    }
}

#[tokio::test]
async fn what_users_store_runs_nothing_in_the_name_of_the_server() {
    let server = Server::with_db().await;
    for (path, kind) in [("page.html", "text/html"), ("image.svg", "image/svg+xml")] {
        let put = server
            .client
            .put(format!("{}/db/{path}/{path}", server.url))
            .header("content-type", kind)
            .body("<script>alert(1)</script>");
        assert_eq!(put.send().await.unwrap().status(), 201);
        let answer = server.get(&format!("/db/{path}/{path}")).await;
        assert_eq!(answer.header("content-type"), kind);
        assert_eq!(answer.header("content-security-policy"), "sandbox");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let document = server.get("/db/page.html").await;
    document.is(200, json!({ "_id": "page.html" }));
    assert_eq!(document.header("x-content-type-options"), "nosniff");
    assert!(!document.headers.contains_key("content-security-policy"));
    for path in ["/_utils", "/_utils/index.html"] {
        let answer = server.get(path).await;
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'self';")
        );
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
    }
}

#[tokio::test]
async fn pages_of_others_change_nothing_in_the_name_of_their_reader() {
    let server = server(app_example()).await;
    let basic = ("authorization", "Basic YW5uYTpzZWNyZXQ=");
    let evil = ("origin", "https://evil.example");
    for (headers, status) in [
        (vec![("sec-fetch-site", "cross-site"), evil], 403),
        (vec![("sec-fetch-site", "same-site"), evil], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (
            vec![
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://app.example"),
            ],
            201,
        ),
        (
            vec![("sec-fetch-site", "same-origin"), ("origin", &server.url)],
            201,
        ),
        (vec![], 201),
    ] {
        let headers: Vec<_> = headers.into_iter().chain([basic]).collect();
        assert_eq!(ask(&server, "PUT", &headers).await.status, status, "{headers:?}");
        // A link of theirs may be followed.
        let read = ask(&server, "GET", &headers).await.status;
        assert_eq!(read, if status == 201 { 200 } else { 404 }, "{headers:?}");
        ask(&server, "DELETE", &[basic]).await;
    }
}
