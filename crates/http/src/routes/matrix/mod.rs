//! The authorisation matrix: every row of the map, every kind of user, every right. The rows come from the map itself, so
//! that none can be forgotten; what each needs is written down once more in `rows.txt`, so that none changes unseen.

mod leaks;
mod rows;
mod world;

use super::table::Row;
use crate::access::Needs;
use axum::http::StatusCode;
use trunkline_core::access::Rights;
use world::{World, kinds};

/// What a kind of user has: with the whole database, and with some documents of it.
struct Has {
    server_admin: bool,
    whole: Rights,
    some: Rights,
}

fn passes(needs: Needs, has: &Has) -> bool {
    match needs {
        Needs::Nothing => true,
        Needs::ServerAdmin => has.server_admin,
        Needs::Documents(rights) => has.server_admin || has.whole.any_of(rights) || has.some.any_of(rights),
        Needs::Whole(rights) => has.server_admin || has.whole.any_of(rights),
    }
}

#[tokio::test]
async fn every_route_with_every_kind_of_user() {
    let mut tried = 0;
    for (kind, user, has) in kinds() {
        let world = World::new().await;
        let mut rows: Vec<Row> = world.rows().collect();
        // What takes the ground away from under the others comes last.
        rows.sort_by_key(|row| {
            (
                row.method == "PUT" && row.path == "/{db}/_security",
                (row.method, row.path) == ("DELETE", "/{db}"),
            )
        });
        for Row { path, method, needs } in rows {
            let method = if method == "*" { "GET" } else { method };
            let status = world.ask(&user, method, path, None, "{}").await.0;
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let case = format!("{kind}: {method} {path} needs {needs:?}: {status}");
            if passes(needs, &has) {
                // Some edits are refused behind the gate still, each for the right that it needs itself.
                let is_edit = matches!(needs, Needs::Documents(rights) if rights.any_of(Rights::CONFIGURE) || !rights.any_of(Rights::READ));
                assert!(!refused || is_edit, "{case}");
                assert!(
                    !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED,
                    "{case}"
                );
            } else {
                let expected = match user.name {
                    None => StatusCode::UNAUTHORIZED,
                    Some(_) => StatusCode::FORBIDDEN,
                };
                assert_eq!(status, expected, "{case}");
            }
            tried += 1;
        }
    }
    assert!(tried > 13 * 100, "{tried}");
}
