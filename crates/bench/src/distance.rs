//! The lines of replication over a link with a long round trip, against the same without it.

use crate::bench::{self, Bench};
use crate::client::Connection;
use crate::delay;
use crate::feeds::source;
use crate::measure::{Failure, alternate, pair, rate};
use crate::report::{Goal, Line};
use crate::target::Target;
use std::time::Duration;

/// Between continents.
const ROUND_TRIP: Duration = Duration::from_millis(80);

/// One-shot pull and push into an empty database.
pub(crate) fn distance(bench: &mut Bench) -> Result<Vec<Line>, Failure> {
    if bench.external.is_some() {
        return Err("this line measures servers of its own".into());
    }
    let source = source(bench)?;
    let bench = &*bench;
    let mut lines = Vec::new();
    for push in [false, true] {
        let run = |far: bool| {
            let dir = bench.directory()?;
            let target = bench.server(dir.path())?;
            let (driver, mut other) = match push {
                true => (&source.target, target.target.clone()),
                false => (&target.target, source.target.clone()),
            };
            if far {
                other = delay::link(&other, ROUND_TRIP)?;
            }
            rate(bench.big_docs as usize, || {
                bench.run(replicate(driver, &other.url(bench::DATABASE), push))
            })
        };
        let mut far = |_: usize| run(true);
        let mut near = |_: usize| run(false);
        let samples = alternate(bench.repeat, &mut [&mut far, &mut near])?;
        let [far, near] = samples.as_slice() else {
            return Err("two sides".into());
        };
        let pair = pair(far, near);
        lines.push(Line {
            name: "distance",
            what: format!(
                "one-shot {} of {} documents, {} ms round trip",
                if push { "push" } else { "pull" },
                bench.big_docs,
                ROUND_TRIP.as_millis()
            ),
            unit: "docs/s",
            measured: pair.measured,
            floor: Some(("the same over loopback".into(), pair.floor)),
            ratio: Some(pair.ratio),
            goal: Goal::Ratio(0.8),
        });
    }
    Ok(lines)
}

async fn replicate(driver: &Target, other: &str, push: bool) -> Result<(), Failure> {
    let (source, target) = match push {
        true => (bench::DATABASE, other),
        false => (other, bench::DATABASE),
    };
    let ask = serde_json::json!({ "source": source, "target": target }).to_string();
    let mut connection = Connection::open(driver).await?;
    let request = driver.request("POST", "/_replicate", ask.as_bytes());
    let answer: serde_json::Value = serde_json::from_slice(connection.expect(&request).await?)?;
    match answer.get("ok").and_then(serde_json::Value::as_bool) {
        Some(true) => Ok(()),
        _ => Err(answer.to_string().into()),
    }
}
