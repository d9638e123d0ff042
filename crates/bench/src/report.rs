//! What was measured, beside its floor and its goal: as a table for people and as JSON for programs.

use serde_json::{Value, json};
use std::fmt::Write;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Which line (`--help` lists them) it belongs to.
    pub(crate) name: &'static str,
    /// What was measured, in words.
    pub(crate) what: String,
    /// Unit of `measured` and `floor`.
    pub(crate) unit: &'static str,
    /// Median over the repetitions.
    pub(crate) measured: f64,
    /// What it is held against, in words, and its median.
    pub(crate) floor: Option<(String, f64)>,
    /// Median of the ratios of repetitions that ran one after the other.
    pub(crate) ratio: Option<f64>,
    /// What is asked.
    pub(crate) goal: Goal,
}

/// What is asked of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At least so many times the floor.
    Ratio(f64),
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

impl Line {
    /// Whether the goal is met; `None` when there is no ratio to tell by.
    pub(crate) fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::Ratio(goal) => self.ratio.map(|ratio| ratio >= goal),
            Goal::AtLeast(goal) => Some(self.measured >= goal),
            Goal::AtMost(goal) => Some(self.measured <= goal),
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::Ratio(goal) => format!("{goal}x"),
            Goal::AtLeast(goal) => format!("at least {}", number(goal)),
            Goal::AtMost(goal) => format!("at most {}", number(goal)),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.met() {
            Some(true) => "met",
            Some(false) => "SHORT",
            None => "",
        }
    }

    fn json(&self) -> Value {
        let (goal_kind, goal) = match self.goal {
            Goal::Ratio(goal) => ("ratio", goal),
            Goal::AtLeast(goal) => ("at_least", goal),
            Goal::AtMost(goal) => ("at_most", goal),
        };
        json!({
            "line": self.name, "what": self.what, "unit": self.unit, "measured": self.measured,
            "floor": self.floor.as_ref().map(|(_, value)| value),
            "floor_is": self.floor.as_ref().map(|(what, _)| what),
            "ratio": self.ratio, "goal_kind": goal_kind, "goal": goal, "met": self.met(),
        })
    }
}

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
            line.goal_text(),
            line.verdict(),
        );
    }
    out
}

/// Everything, with the facts of the run.
pub(crate) fn json(lines: &[Line], facts: &Value) -> Value {
    json!({ "facts": facts, "lines": lines.iter().map(Line::json).collect::<Vec<_>>() })
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

    fn line(goal: Goal, measured: f64, ratio: Option<f64>) -> Line {
        Line {
            name: "put",
            what: "puts".into(),
            unit: "docs/s",
            measured,
            floor: ratio.map(|ratio| ("raw".into(), measured / ratio)),
            ratio,
            goal,
        }
    }

    #[test]
    fn verdicts_follow_goals() {
        assert_eq!(line(Goal::Ratio(0.6), 6.0, Some(0.6)).met(), Some(true));
        assert_eq!(line(Goal::Ratio(0.6), 6.0, Some(0.59)).met(), Some(false));
        assert_eq!(line(Goal::Ratio(0.6), 6.0, None).met(), None);
        assert_eq!(line(Goal::AtLeast(200.0), 199.0, None).met(), Some(false));
        assert_eq!(line(Goal::AtMost(64.0), 64.0, Some(9.0)).met(), Some(true));
    }

    #[test]
    fn the_table_reads_well() {
        let text = table(&[line(Goal::Ratio(0.5), 1_234_567.0, Some(0.5))]);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| put: puts | 1 234 567 docs/s | 2 469 134 docs/s (raw) | 0.50x | 0.5x | met |"
        );
        assert_eq!(number(7.26), "7.3");
        assert_eq!(number(7.0), "7");
    }
}
