//! What a view shows, as texts that can be compared.

use std::ops::ControlFlow;
use trunkline_query::index::Grouping;
use trunkline_query::view::Keys;
use trunkline_query::{Error, ViewIndex};

/// The rows of all views, and what they come to.
pub(crate) fn everything(index: &ViewIndex) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for (name, view) in &index.design().views {
        all.push(format!("view {name}"));
        all.extend(read_rows(index, name, false)?);
        if view.reduce.is_some() {
            for grouping in [Grouping::All, Grouping::Elements(1), Grouping::Keys] {
                all.extend(read_groups(index, name, grouping, false)?);
            }
        }
    }
    Ok(all)
}

pub(crate) fn rows(index: &ViewIndex, view: &str, descending: bool) -> Vec<String> {
    read_rows(index, view, descending).unwrap()
}

pub(crate) fn groups(index: &ViewIndex, view: &str, grouping: Grouping, descending: bool) -> Vec<String> {
    read_groups(index, view, grouping, descending).unwrap()
}

fn read_rows(index: &ViewIndex, view: &str, descending: bool) -> Result<Vec<String>, Error> {
    let number = index.design().views[view].number;
    let keys = Keys {
        descending,
        ..Keys::default()
    };
    let places = keys.places(number, index.collation(number)).unwrap();
    let mut rows = Vec::new();
    let Some(snapshot) = index.snapshot()? else {
        return Ok(rows);
    };
    index.rows(&snapshot, &places, 0, &mut |row| {
        let [key, value] = [row.key, row.value].map(String::from_utf8_lossy);
        rows.push(format!("{} {key} {value}", row.id()));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn read_groups(
    index: &ViewIndex,
    view: &str,
    grouping: Grouping,
    descending: bool,
) -> Result<Vec<String>, Error> {
    let of_design = index.design().views[view];
    let keys = Keys {
        descending,
        ..Keys::default()
    };
    let order = index.collation(of_design.number);
    let places = keys.places(of_design.number, order).unwrap();
    let mut groups = Vec::new();
    let Some(snapshot) = index.snapshot()? else {
        return Ok(groups);
    };
    let reduce = of_design.reduce.unwrap();
    index.reduce(&snapshot, &places, grouping, reduce, &mut |key, value| {
        let value = value.unwrap_or_else(|failure| format!("{failure:?}"));
        groups.push(format!("{} {value}", String::from_utf8_lossy(key)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(groups)
}
