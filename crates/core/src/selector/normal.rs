//! The normal form of conditions, and the text that names it.

use super::{Comparison, Condition, Test, quoted};

/// Moves negations down to the tests.
pub(super) fn push_negations(condition: Condition) -> Condition {
    match condition {
        Condition::Not(inner) => negate(*inner),
        Condition::And(inner) => Condition::And(inner.into_iter().map(push_negations).collect()),
        Condition::Or(inner) => Condition::Or(inner.into_iter().map(push_negations).collect()),
        Condition::Field(..) => condition,
    }
}

fn negate(condition: Condition) -> Condition {
    match condition {
        Condition::Not(inner) => push_negations(*inner),
        Condition::And(inner) => Condition::Or(inner.into_iter().map(negate).collect()),
        Condition::Or(inner) => Condition::And(inner.into_iter().map(negate).collect()),
        Condition::Field(field, test) => Condition::Field(field, negate_test(test)),
    }
}

fn negate_test(test: Test) -> Test {
    match test {
        Test::Compare(comparison, argument) => Test::Compare(comparison.opposite(), argument),
        Test::In(items) => Test::NotIn(items),
        Test::NotIn(items) => Test::In(items),
        Test::Exists(exists) => Test::Exists(!exists),
        Test::Not(inner) => *inner,
        other => Test::Not(other.into()),
    }
}

impl Comparison {
    fn opposite(self) -> Comparison {
        match self {
            Comparison::Lt => Comparison::Gte,
            Comparison::Lte => Comparison::Gt,
            Comparison::Eq => Comparison::Ne,
            Comparison::Ne => Comparison::Eq,
            Comparison::Gte => Comparison::Lt,
            Comparison::Gt => Comparison::Lte,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Comparison::Lt => "$lt",
            Comparison::Lte => "$lte",
            Comparison::Eq => "$eq",
            Comparison::Ne => "$ne",
            Comparison::Gte => "$gte",
            Comparison::Gt => "$gt",
        }
    }
}

/// A selector of the same meaning, where order that does not matter is settled.
pub(super) fn canonical(condition: &Condition) -> String {
    match condition {
        Condition::And(inner) => format!("{{\"$and\":{}}}", sorted(inner.iter().map(canonical))),
        Condition::Or(inner) => format!("{{\"$or\":{}}}", sorted(inner.iter().map(canonical))),
        Condition::Not(inner) => format!("{{\"$not\":{}}}", canonical(inner)),
        Condition::Field(field, test) if field.path.is_empty() => canonical_test(test),
        Condition::Field(field, test) => format!("{{{}:{}}}", quoted(&field.name), canonical_test(test)),
    }
}

fn canonical_test(test: &Test) -> String {
    let (operator, argument) = match test {
        Test::Compare(comparison, argument) => (comparison.name(), argument.to_string()),
        Test::In(items) => ("$in", sorted(items.iter().map(|item| item.to_string()))),
        Test::NotIn(items) => ("$nin", sorted(items.iter().map(|item| item.to_string()))),
        Test::Exists(exists) => ("$exists", exists.to_string()),
        Test::Type(name) => ("$type", quoted(name)),
        Test::Mod { divisor, remainder } => ("$mod", format!("[{divisor},{remainder}]")),
        Test::Regex(regex) => ("$regex", quoted(regex.text())),
        Test::BeginsWith(prefix) => ("$beginsWith", quoted(prefix)),
        Test::Size(size) => ("$size", size.to_string()),
        Test::All(items) => ("$all", sorted(items.iter().map(|item| item.to_string()))),
        Test::ElemMatch(inner) => ("$elemMatch", canonical(inner)),
        Test::AllMatch(inner) => ("$allMatch", canonical(inner)),
        Test::KeyMapMatch(inner) => ("$keyMapMatch", canonical(inner)),
        Test::Not(inner) => ("$not", canonical_test(inner)),
    };
    format!("{{\"{operator}\":{argument}}}")
}

/// A JSON array of texts in the order of their bytes.
fn sorted(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    format!("[{}]", texts.join(","))
}
