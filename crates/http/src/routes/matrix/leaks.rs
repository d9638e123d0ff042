//! Whoever is bound to some documents sees nothing of the others, whichever route is asked, with whatever options.

use super::world::{THEIRS, World, kinds};
use crate::access::Needs;
use axum::http::StatusCode;
use serde_json::json;
use trunkline_core::access::Rights;

/// Options that make answers say more.
const QUERIES: [Option<&str>; 9] = [
    None,
    Some("include_docs=true&conflicts=true&attachments=true&reduce=false"),
    Some("startkey=%22t%22&limit=5&update_seq=true&reduce=false"),
    Some("keys=%5B%22theirs-1%22,%22mine-1%22,%22other%22%5D&include_docs=true&reduce=false"),
    Some("style=all_docs&since=0&include_docs=true"),
    Some("filter=_feed/d/all&feed_name=d/all&include_docs=true"),
    Some("revs=true&revs_info=true&meta=true&open_revs=all"),
    Some("descending=true&reduce=false"),
    Some("group=true"),
];

/// Bodies that ask for everything.
fn bodies() -> Vec<String> {
    let bodies = [
        json!({}),
        json!({ "keys": ["theirs-1", "theirs-2", "mine-1", "other", "acme"], "selector": {}, "limit": 100, "include_docs": true, "reduce": false }),
        json!({ "selector": {}, "fields": ["_id", "note"], "group_by": ["note"], "aggregate": { "n": { "count": true } }, "totals": { "n": { "$count": true } } }),
        json!({ "docs": [{ "id": "theirs-1" }, { "id": "mine-1" }, { "id": "theirs-2", "rev": "1-x" }] }),
        json!({ "queries": [{ "include_docs": true, "reduce": false }, { "keys": ["other"], "reduce": false }] }),
        json!({ "doc_ids": ["theirs-1", "mine-1"] }),
        json!({ "since": 0, "style": "all_docs", "include_docs": true, "live": false }),
    ];
    bodies.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn nothing_of_others_is_seen() {
    let (world, alone) = (World::new().await, World::alone().await);
    let bound = kinds().into_iter().filter(|(_, _, has)| has.some != Rights::NONE);
    let mut seen_mine = 0;
    for (kind, user, _) in bound {
        for row in world.rows() {
            // Their design document is the database's own business: who may see it, sees it all.
            if !matches!(row.needs, Needs::Documents(_)) || row.path.contains("_update") {
                continue;
            }
            let method = if row.method == "*" { "GET" } else { row.method };
            for query in QUERIES {
                for body in bodies() {
                    if matches!(method, "GET" | "HEAD" | "DELETE") && body != "{}" {
                        continue;
                    }
                    let (status, text) = world.ask(&user, method, row.path, query, &body).await;
                    // What the request itself said may come back: as often as where there is nothing of others.
                    let (_, alone) = alone.ask(&user, method, row.path, query, &body).await;
                    assert_eq!(
                        text.matches(THEIRS).count(),
                        alone.matches(THEIRS).count(),
                        "{kind}: {method} {} {query:?} {body}: {status} {text}\n{alone}",
                        row.path
                    );
                    assert!(
                        !status.is_server_error() || meant(status, &text),
                        "{kind}: {method} {} {query:?} {body}: {text}",
                        row.path
                    );
                    seen_mine += usize::from(text.contains("\"mine-1\""));
                }
            }
        }
    }
    assert!(seen_mine > 20, "{seen_mine}: what is one's own is seen");
}

/// Not there at all, or as many as one user may have.
fn meant(status: StatusCode, text: &str) -> bool {
    status == StatusCode::NOT_IMPLEMENTED || text.contains("too_many_snapshots")
}
