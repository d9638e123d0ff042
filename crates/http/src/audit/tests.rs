//! What the audit log has, and what it has not.

mod changes;
pub(crate) mod log;
mod replications;

use crate::app::App;
use crate::config::{Config, Lockout, Secret};
use crate::front::Front;
use axum::body::Body;
use axum::http::Request;
use log::Log;
use std::time::Duration;
use trunkline_core::db_name::DbName;
use trunkline_core::limits::{REFUSALS_COUNTED_MS, REFUSALS_LISTED_MAX};
use trunkline_store::Store;

/// `root:FFFFFFFF:`, not signed.
const FORGED: (&str, &str) = (
    "cookie",
    "AuthSession=cm9vdDpGRkZGRkZGRjp4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eA",
);
/// `nobody:FFFFFFFF:`, not signed.
const FORGED_OF_NOBODY: (&str, &str) = (
    "cookie",
    "AuthSession=bm9ib2R5OkZGRkZGRkZGOnh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4",
);
/// `root:1:`, not signed.
const OLD: (&str, &str) = (
    "cookie",
    "AuthSession=cm9vdDoxOnh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4",
);
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn what_is_refused_and_who_changes_what() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config {
        admins: [("root".to_owned(), Secret::new("toor"))].into(),
        ..Config::default()
    };
    let settings = &mut config.authentication;
    settings.require_valid_user = true;
    settings.passwords.iterations = 10;
    settings.proxy.secret = Secret::new("s3cret");
    settings.lockout = Lockout {
        failures: 1,
        seconds: 1000,
        ..Lockout::default()
    };
    let app = App::new(Store::open(dir.path()).unwrap().into(), config.into(), Vec::new());
    let (front, log) = (Front::new(app), Log::of("192.0.2.1"));
    let root = ("authorization", "Basic cm9vdDp0b29y");
    let anna = ("authorization", "Basic YW5uYTpndWVzcw==");
    let proxy = ("x-auth-couchdb-username", "anna");
    for (method, path, header, body, status, noted) in [
        ("GET", "/", JSON, "", 401, "Authentication required."),
        (
            "GET",
            "/x",
            ("authorization", "Bearer t0ken"),
            "",
            400,
            "Malformed token",
        ),
        ("GET", "/x", proxy, "", 401, "The proxy's token is not right."),
        ("GET", "/x", ("cookie", "AuthSession=!"), "", 400, "path=\"/x\""),
        ("GET", "/_session", FORGED, "", 200, "reason=\"a cookie that"),
        ("GET", "/_session", FORGED_OF_NOBODY, "", 200, "user=\"nobody\""),
        ("GET", "/x", anna, "", 401, "locked out"),
        ("GET", "/x", anna, "", 403, "reason=\"locked out\""),
        ("PUT", "/db", root, "", 201, "what=\"database made\""),
        ("PUT", "/db/_design/d", root, "{}", 201, "of=\"_design/d\""),
        ("POST", "/db/_purge", root, "{}", 201, "what=\"purged\""),
        ("DELETE", "/db", root, "", 200, "what=\"database deleted\""),
    ] {
        let request = Request::builder().method(method).uri(path).header("host", "node");
        let request = request.header(JSON.0, JSON.1).header(header.0, header.1);
        let request = request.extension(log.peer());
        let answer = front.answer(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        let lines = log.taken();
        let [line] = &lines[..] else {
            panic!("{method} {path}: {lines:?}");
        };
        assert!(line.contains(noted), "{method} {path}: {line}");
        for secret in ["t0ken", "toor", "s3cret", "cm9vd", "guess", "YW5uY"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
    // Cookies run out all the time.
    let request = Request::get("/_session").header("host", "node");
    let request = request.header(OLD.0, OLD.1).extension(log.peer());
    let request = request.body(Body::empty());
    assert_eq!(front.answer(request.unwrap()).await.status(), 200);
    assert!(log.taken().is_empty());
}

/// Ten times as many requests as are listed, each with a path of 4 kB.
#[tokio::test(start_paused = true)]
async fn who_is_refused_without_end_fills_no_disk() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        admins: [("root".to_owned(), Secret::new("toor"))].into(),
        ..Config::default()
    };
    let store = Store::open(dir.path()).unwrap();
    store.create(&DbName::parse("_users").unwrap()).unwrap();
    let app = App::new(store.into(), config.into(), Vec::new());
    let front = Front::new(app);
    let (log, other) = (Log::of("192.0.2.77"), Log::of("192.0.2.78"));
    let path = format!("/_users/{}", "A".repeat(4000));
    let requests = 10 * REFUSALS_LISTED_MAX;
    let ask = async |log: &Log| {
        let request = Request::get(&path).header("host", "node").extension(log.peer());
        let answer = front.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 401);
    };
    for _ in 0..requests {
        ask(&log).await;
    }
    let lines = log.taken();
    assert_eq!(lines.len() as u64, REFUSALS_LISTED_MAX);
    assert!(lines.iter().all(|line| line.len() < 500), "{}", lines[0]);
    ask(&other).await;
    assert_eq!(other.taken().len(), 1);
    // Nobody else has to be refused for it.
    tokio::time::sleep(Duration::from_millis(REFUSALS_COUNTED_MS)).await;
    let lines = log.taken();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    let unlisted = requests - REFUSALS_LISTED_MAX;
    assert!(
        line.contains("192.0.2.77") && line.contains(&format!("unlisted={unlisted} ")),
        "{line}"
    );
    ask(&log).await;
    assert_eq!(log.taken().len(), 1);
}
