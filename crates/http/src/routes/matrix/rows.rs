//! The rows as they are written down.

use super::world::World;
use crate::access::Needs;

/// What each row needs, a line each: whoever changes a row says so here, too.
const ROWS: &str = include_str!("rows.txt");

#[tokio::test]
async fn what_each_row_needs_is_written_down() {
    let world = World::new().await;
    let mut lines: Vec<String> = world
        .rows()
        .map(|row| {
            let needs = match row.needs {
                Needs::Nothing => "nothing".to_owned(),
                Needs::ServerAdmin => "server admin".to_owned(),
                Needs::Documents(rights) => rights.to_string(),
                Needs::Whole(rights) => format!("{rights}, of the whole database"),
            };
            format!("{} {}: {needs}", row.method, row.path)
        })
        .collect();
    lines.sort_unstable();
    let now = lines.join("\n") + "\n";
    assert_eq!(now, ROWS, "{now}");
}
