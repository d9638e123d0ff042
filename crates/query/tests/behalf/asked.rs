//! Questions, and their answers as texts.

use crate::support::VIEWS;
use std::ops::ControlFlow;
use std::sync::Arc;
use trunkline_core::selector::Selector;
use trunkline_query::mango::{Gathering, Plan, Search, Shown, Source, Stats, Wanted};
use trunkline_query::view::Keys;
use trunkline_query::{Error, Indexes, Walk};
use trunkline_store::Database;
use trunkline_wire::find::{Sort, parse_aggregate, write_row};

/// Goes through a view; with what it told of its length.
pub(crate) fn walk(
    db: &Database,
    indexes: &Indexes,
    (view, range, keys): (&str, &Keys, Option<&[&str]>),
    page: (u64, u64),
    update: bool,
) -> (Vec<String>, Option<(u64, u64)>) {
    let opened = indexes.open(db, VIEWS).unwrap();
    if update {
        opened.update().unwrap();
    }
    let keys = keys.map(|keys| keys.iter().map(|&key| key.to_owned()).collect());
    let (view, index) = (opened.view(view).unwrap(), opened.index.clone());
    let mut walk = Walk::new(&opened.db, index, view, range.clone(), keys, page);
    let mut rows = Vec::new();
    let snapshot = walk.snapshot().unwrap().unwrap();
    let counts = walk.counts(&snapshot).unwrap();
    while !walk.is_done() {
        let snapshot = walk.snapshot().unwrap().unwrap();
        let before = rows.len();
        walk.rows(&snapshot, &mut |row| {
            let [key, value] = [row.key, row.value].map(String::from_utf8_lossy);
            rows.push(format!("{} {key} {value}", row.id()));
            Ok::<_, Error>(match rows.len() - before < 3 {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })
        .unwrap();
    }
    (rows, counts)
}

fn plan(db: &Database, indexes: &Indexes, selector: &Selector, fields: &[String], index: &[String]) -> Plan {
    let wanted = Wanted {
        selector,
        sort: &Sort::default(),
        fields,
        use_index: index,
        allow_fallback: true,
        partition: None,
    };
    Plan::new(&indexes.catalog(db).unwrap(), &wanted).unwrap()
}

/// What `_find` finds.
pub(crate) fn find(
    db: &Database,
    indexes: &Indexes,
    (selector, fields, index): (&str, &[String], &[String]),
    (skip, limit): (u64, u64),
) -> (Vec<String>, Stats) {
    let parsed = Selector::parse(selector).unwrap();
    let plan = plan(db, indexes, &parsed, fields, index);
    let of_plan = match &plan.source {
        Source::Documents(_) => None,
        Source::Index { index, .. } => Some(indexes.index(db, (*index.design).clone()).unwrap()),
    };
    if let Some(index) = &of_plan {
        index.update().unwrap();
    }
    let shown = Shown::new(fields, false).unwrap();
    let search = Search::new(db, of_plan, parsed, &plan, shown, None).unwrap();
    let mut search = search.page(skip, limit);
    let mut found = Vec::new();
    while !search.is_done() {
        let mut each = |text: &[u8]| found.push(String::from_utf8(text.to_vec()).unwrap());
        search.chunk(&mut each).unwrap();
    }
    (found, search.stats())
}

/// What `_aggregate` gathers.
pub(crate) fn gather(
    db: &Database,
    indexes: &Indexes,
    asked: &str,
    index: &[String],
    update: bool,
) -> (Vec<String>, Stats) {
    let request = parse_aggregate(asked.as_bytes()).unwrap();
    let selector = Selector::parse(&request.selector).unwrap();
    let mut fields: Vec<String> = vec!["_id".to_owned()];
    fields.extend(
        request
            .aggregate
            .fields()
            .iter()
            .map(|field| field.name().to_owned()),
    );
    let plan = plan(db, indexes, &selector, &fields, index);
    let of_plan = match &plan.source {
        Source::Documents(_) => None,
        Source::Index { index, .. } => Some(indexes.index(db, (*index.design).clone()).unwrap()),
    };
    if let Some(index) = of_plan.as_ref().filter(|_| update) {
        index.update().unwrap();
    }
    let aggregate = Arc::new(request.aggregate);
    let named = !index.is_empty();
    let mut gathering = Gathering::new(db, of_plan, selector, &plan, aggregate.clone(), named).unwrap();
    while !gathering.is_done() {
        gathering.step().unwrap();
    }
    let stats = gathering.stats();
    let report = gathering.finish(0, u64::MAX);
    let row = |row: Vec<String>| {
        let mut out = Vec::new();
        write_row(aggregate.columns(), &row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (report.map(row).collect(), stats)
}
