//! What was measured, beside its floor and its goal.

use serde_json::{Value, json};

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

/// Every line with the facts of the run, for programs.
pub(crate) fn json(lines: &[Line], facts: &Value) -> Value {
    json!({ "facts": facts, "lines": lines.iter().map(Line::json).collect::<Vec<_>>() })
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
}
