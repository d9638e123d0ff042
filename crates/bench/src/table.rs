//! Lines as a Markdown table.

use crate::report::{Goal, Line};
use std::fmt::Write;

/// The table, as Markdown.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut out = String::from(
        "| line | measured | floor | ratio | goal | verdict |\n| --- | ---: | ---: | ---: | ---: | --- |\n",
    );
    for line in lines {
        let floor = match &line.floor {
            Some((what, value)) => format!("{} {} ({what})", number(*value), line.unit),
            None => String::new(),
        };
        let ratio = line.ratio.map(|ratio| format!("{ratio:.2}x")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {}: {} | {} {} | {floor} | {ratio} | {} | {} |",
            line.name,
            line.what,
            number(line.measured),
            line.unit,
            goal_text(line.goal),
            verdict(line.met()),
        );
    }
    out
}

fn goal_text(goal: Goal) -> String {
    match goal {
        Goal::Ratio(goal) => format!("{goal}x"),
        Goal::AtLeast(goal) => format!("at least {}", number(goal)),
        Goal::AtMost(goal) => format!("at most {}", number(goal)),
    }
}

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "SHORT",
        None => "",
    }
}

/// A number as people read it: thousands apart, decimals only when small.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let text = format!("{value:.1}");
        return text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_well() {
        let line = Line {
            name: "put",
            what: "puts".into(),
            unit: "docs/s",
            measured: 1_234_567.0,
            floor: Some(("raw".into(), 2_469_134.0)),
            ratio: Some(0.5),
            goal: Goal::Ratio(0.5),
        };
        let text = table(&[line]);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| put: puts | 1 234 567 docs/s | 2 469 134 docs/s (raw) | 0.50x | 0.5x | met |"
        );
        assert_eq!(number(7.26), "7.3");
        assert_eq!(number(7.0), "7");
    }
}
