//! A database with documents of two accounts, grants for each right, and requests straight to the map.

use super::Has;
use crate::Config;
use crate::app::App;
use crate::auth::User;
use crate::routes::table::Row;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;
use trunkline_core::access::Rights;
use trunkline_core::db_name::DbName;
use trunkline_store::Store;

pub(super) struct World {
    router: Router,
    rows: Vec<Row>,
    _dir: tempfile::TempDir,
}

/// In every document of the other account, in ids and bodies.
pub(super) const THEIRS: &str = "theirs";

const DOCS: &str = r#"{"docs":[
    {"_id":"mine-1","account":"acme","n":1,"_attachments":{"a.txt":{"content_type":"text/plain","data":"bWluZQ=="}}},
    {"_id":"mine-2","account":"acme","n":2},
    {"_id":"theirs-1","account":"other","n":3,"note":"theirs","_attachments":{"theirs.txt":{"content_type":"text/plain","data":"dGhlaXJz"}}},
    {"_id":"theirs-2","account":"other","n":4,"note":"theirs"},
    {"_id":"_design/d","views":{"v":{"map":"function (doc) { emit(doc.account, doc.note || null); }"},
        "r":{"map":"function (doc) { emit(doc.note || doc.account, doc.n); }","reduce":"_sum"}},
        "filters":{"f":"function (doc) { return true; }"},"feeds":{"all":{"selector":{}},"acme":{"selector":{"account":"acme"}}}}
]}"#;

/// A document that its account sees, and what ends it and a losing revision: with words of the other.
const LAST: [&str; 2] = [
    r#"{"new_edits":false,"docs":[{"_id":"mine-3","_rev":"1-a","account":"acme"}]}"#,
    r#"{"new_edits":false,"docs":[
    {"_id":"mine-3","_rev":"2-b","_revisions":{"start":2,"ids":["b","a"]},"_deleted":true,"note":"theirs"},
    {"_id":"mine-1","_rev":"1-0","_deleted":true,"note":"theirs"},
    {"_id":"theirs-3","_rev":"1-a","_deleted":true,"note":"theirs"}]}"#,
];

/// Every kind of user: its name in the test's words, who it is, what it has.
pub(super) fn kinds() -> Vec<(String, Arc<User>, Has)> {
    let user = |name: Option<&str>, role: &str| {
        Arc::new(User {
            name: name.map(str::to_owned),
            roles: vec![role.to_owned()],
            ..User::default()
        })
    };
    let has = |whole, some| Has {
        server_admin: false,
        whole,
        some,
    };
    let mut kinds = vec![
        (
            "nobody".to_owned(),
            user(None, ""),
            has(Rights::NONE, Rights::NONE),
        ),
        (
            "a stranger".to_owned(),
            user(Some("eve"), "x"),
            has(Rights::NONE, Rights::NONE),
        ),
        (
            "a member".to_owned(),
            user(Some("max"), "member"),
            has(Rights::MEMBER, Rights::NONE),
        ),
        (
            "an admin".to_owned(),
            user(Some("ada"), "owner"),
            has(Rights::ALL, Rights::NONE),
        ),
        (
            "a server admin".to_owned(),
            user(Some("root"), "_admin"),
            Has {
                server_admin: true,
                ..has(Rights::ALL, Rights::NONE)
            },
        ),
        (
            "by name".to_owned(),
            user(Some("named"), ""),
            has(Rights::READ, Rights::NONE),
        ),
    ];
    for (name, right) in Rights::NAMES {
        kinds.push((name.to_owned(), user(Some("u"), name), has(right, Rights::NONE)));
        if right != Rights::CONFIGURE {
            let role = format!("some-{name}");
            kinds.push((role.clone(), user(Some("s"), &role), has(Rights::NONE, right)));
        }
    }
    kinds
}

fn security() -> String {
    let mut grants = vec![r#"{"names":["named"],"may":["read"]}"#.to_owned()];
    for (name, right) in Rights::NAMES {
        grants.push(format!(r#"{{"roles":["{name}"],"may":["{name}"]}}"#));
        if right != Rights::CONFIGURE {
            let bound = match right {
                Rights::REPLICATE_OUT => r#""feed":"d/acme""#,
                _ => r#""selector":{"account":"acme"}"#,
            };
            grants.push(format!(r#"{{"roles":["some-{name}"],"may":["{name}"],{bound}}}"#));
        }
    }
    format!(
        r#"{{"admins":{{"roles":["owner"]}},"members":{{"roles":["member"]}},"grants":[{}]}}"#,
        grants.join(",")
    )
}

impl World {
    pub(super) async fn new() -> World {
        World::with(DOCS).await
    }

    /// The same without the other account's documents.
    pub(super) async fn alone() -> World {
        let lines: Vec<&str> = DOCS.lines().filter(|line| !line.contains(THEIRS)).collect();
        World::with(&lines.join("\n")).await
    }

    async fn with(docs: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("db").unwrap()).unwrap();
        db.set_security(&security()).unwrap();
        let app = App::new(store.into(), Config::default().into(), Vec::new());
        let (router, rows) = super::super::table();
        let world = World {
            router: router.with_state(app),
            rows,
            _dir: dir,
        };
        let root = kinds()
            .into_iter()
            .find(|(kind, ..)| kind == "a server admin")
            .unwrap()
            .1;
        for docs in [docs, LAST[0], LAST[1]] {
            let (status, text) = world.ask(&root, "POST", "/{db}/_bulk_docs", None, docs).await;
            assert_eq!(status, StatusCode::CREATED, "{text}");
            db.build_feeds().unwrap();
        }
        world
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().copied()
    }

    /// Status and body of an answer; of a live feed what comes at once.
    pub(super) async fn ask(
        &self,
        user: &Arc<User>,
        method: &str,
        path: &str,
        query: Option<&str>,
        body: &str,
    ) -> (StatusCode, String) {
        let mut path = path.to_owned();
        for (capture, value) in [
            ("{db}", "db"),
            ("{doc}", "theirs-1"),
            ("{design}", "d"),
            ("{local}", "l"),
            ("{view}", "v"),
            ("{*attachment}", "theirs.txt"),
            ("{partition}", "p"),
            ("{name}", "all"),
            ("{type}", "json"),
            ("{function}", "f"),
            ("{*doc}", "theirs-1"),
            ("{*rest}", "x"),
            ("{*path}", "x"),
            ("{id}", "x"),
            ("{token}", "t"),
            ("{hash}", "00"),
            ("{node}", "_local"),
            ("{section}", "log"),
            ("{key}", "level"),
        ] {
            path = path.replace(capture, value);
        }
        assert!(!path.contains('{'), "{path}: what stands for it?");
        if let Some(query) = query {
            path = format!("{path}?{query}");
        }
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header("destination", "theirs-copied")
            .body(Body::from(body.to_owned()))
            .unwrap();
        request.extensions_mut().insert(user.clone());
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let mut body = answer.into_body();
        let mut text = Vec::new();
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(Duration::from_millis(500), body.frame()).await {
            text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        (status, String::from_utf8_lossy(&text).into_owned())
    }
}
