//! What a selector says of fields before any document is read: which must be there, and within which limits.

use super::{Comparison, Condition, Selector, Test};
use crate::collate;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Where the values of a field may lie. Comparisons that stand below anything but `$and` do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldRange<'a> {
    /// No value is less.
    pub low: Option<Limit<'a>>,
    /// No value is greater.
    pub high: Option<Limit<'a>>,
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<'a> {
    /// JSON text.
    pub value: &'a str,
    /// Whether the value itself is in the range.
    pub inclusive: bool,
}

impl Selector {
    /// Whether every document that matches has a field.
    pub fn requires(&self, field: &str) -> bool {
        requires(&self.condition, field)
    }

    /// Whether all documents that match have equal values in a field.
    pub fn is_constant(&self, field: &str) -> bool {
        let mut constant = false;
        comparisons(&self.condition, &mut |name, comparison, _| {
            constant |= name == field && comparison == Comparison::Eq;
        });
        constant
    }

    /// The fields that are compared, with their ranges in the usual order, except for `_id`, which has its bytes' order.
    pub fn ranges(&self) -> BTreeMap<&str, FieldRange<'_>> {
        let mut ranges = BTreeMap::<&str, FieldRange<'_>>::new();
        comparisons(&self.condition, &mut |name, comparison, value| {
            let order = if name == "_id" {
                super::matching::id_order
            } else {
                collate::compare
            };
            if comparison != Comparison::Ne {
                ranges.entry(name).or_default().narrow(comparison, value, order);
            }
        });
        ranges
    }

    /// Every field that a test looks at.
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut fields = BTreeSet::new();
        collect_fields(&self.condition, &mut fields);
        fields
    }
}

impl<'a> FieldRange<'a> {
    /// Whether no value can be in it.
    pub fn is_empty(&self) -> bool {
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return false;
        };
        match collate::compare(low.value, high.value) {
            Ordering::Less => false,
            Ordering::Equal => !(low.inclusive && high.inclusive),
            Ordering::Greater => true,
        }
    }

    fn narrow(&mut self, comparison: Comparison, value: &'a str, order: fn(&str, &str) -> Ordering) {
        let inclusive = matches!(comparison, Comparison::Lte | Comparison::Eq | Comparison::Gte);
        let limit = Limit { value, inclusive };
        if matches!(comparison, Comparison::Eq | Comparison::Gt | Comparison::Gte) {
            narrow(&mut self.low, limit, order);
        }
        if matches!(comparison, Comparison::Eq | Comparison::Lt | Comparison::Lte) {
            narrow(&mut self.high, limit, |new, old| order(old, new));
        }
    }
}

fn narrow<'a>(limit: &mut Option<Limit<'a>>, new: Limit<'a>, order: impl Fn(&str, &str) -> Ordering) {
    let narrower = match limit {
        None => true,
        Some(old) => match order(new.value, old.value) {
            Ordering::Less => false,
            Ordering::Equal => old.inclusive && !new.inclusive,
            Ordering::Greater => true,
        },
    };
    if narrower {
        *limit = Some(new);
    }
}

fn requires(condition: &Condition, field: &str) -> bool {
    match condition {
        Condition::And(inner) => inner.iter().any(|condition| requires(condition, field)),
        Condition::Or(inner) => !inner.is_empty() && inner.iter().all(|condition| requires(condition, field)),
        Condition::Not(_) => false,
        Condition::Field(path, test) => path.name() == field && !matches!(test, Test::Exists(false)),
    }
}

/// Shows the comparisons that every document that matches has to pass.
fn comparisons<'a>(condition: &'a Condition, each: &mut impl FnMut(&'a str, Comparison, &'a str)) {
    match condition {
        Condition::And(inner) => inner.iter().for_each(|condition| comparisons(condition, each)),
        Condition::Field(path, Test::Compare(comparison, value)) => each(path.name(), *comparison, value),
        Condition::Or(_) | Condition::Not(_) | Condition::Field(..) => {}
    }
}

fn collect_fields<'a>(condition: &'a Condition, fields: &mut BTreeSet<&'a str>) {
    match condition {
        Condition::And(inner) | Condition::Or(inner) => {
            inner
                .iter()
                .for_each(|condition| collect_fields(condition, fields));
        }
        Condition::Not(inner) => collect_fields(inner, fields),
        Condition::Field(path, _) => {
            fields.insert(path.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(text: &str) -> Selector {
        Selector::parse(text).unwrap()
    }

    #[test]
    fn fields_that_must_be_there() {
        let a = |text| selector(text).requires("a");
        assert!(a(r#"{"a":1}"#) && a(r#"{"b":1,"a":{"$regex":"x"}}"#) && a(r#"{"a":{"$ne":1}}"#));
        assert!(a(r#"{"$or":[{"a":1},{"b":1,"a":{"$gt":2}}]}"#));
        assert!(!a("{}") && !a(r#"{"a":{"$exists":false}}"#) && !a(r#"{"$or":[]}"#));
        assert!(!a(r#"{"$or":[{"a":1},{"b":1}]}"#) && !a(r#"{"a":{"b":1}}"#));
        assert!(selector(r#"{"a":{"b":1}}"#).requires("a.b"));
        assert!(selector(r#"{"a":1,"b":{"$gt":1}}"#).is_constant("a"));
        assert!(!selector(r#"{"a":1,"b":{"$gt":1}}"#).is_constant("b"));
    }

    #[test]
    fn ranges_are_as_narrow_as_their_comparisons() {
        let check = |text: &str, low: Option<(&str, bool)>, high: Option<(&str, bool)>| {
            let selector = selector(text);
            let range = selector.ranges().remove("a").unwrap_or_default();
            let pair =
                |limit: Option<Limit<'_>>| limit.map(|limit| (limit.value.to_owned(), limit.inclusive));
            let owned =
                |limit: Option<(&str, bool)>| limit.map(|(value, inclusive)| (value.to_owned(), inclusive));
            assert_eq!(pair(range.low), owned(low), "{text}");
            assert_eq!(pair(range.high), owned(high), "{text}");
        };
        check(r#"{"a":5}"#, Some(("5", true)), Some(("5", true)));
        check(
            r#"{"a":{"$gt":5,"$lte":9}}"#,
            Some(("5", false)),
            Some(("9", true)),
        );
        check(
            r#"{"$and":[{"a":{"$gte":5}},{"a":{"$gt":5}}]}"#,
            Some(("5", false)),
            None,
        );
        check(
            r#"{"$and":[{"a":{"$lt":5}},{"a":{"$lt":"x"}}]}"#,
            None,
            Some(("5", false)),
        );
        check(r#"{"$or":[{"a":5}]}"#, None, None);
        check(r#"{"a":{"$in":[5]}}"#, None, None);
        check(r#"{"a":{"$ne":5}}"#, None, None);
        let empty = |text: &str| selector(text).ranges().values().any(FieldRange::is_empty);
        assert!(empty(r#"{"a":{"$gt":5,"$lt":5}}"#) && empty(r#"{"$and":[{"a":1},{"a":2}]}"#));
        assert!(!empty(r#"{"a":{"$gte":5,"$lte":5}}"#));
        let selector = selector(r#"{"_id":{"$gt":"Z","$gte":"a"}}"#);
        let low = selector.ranges().remove("_id").unwrap().low;
        assert_eq!(
            low,
            Some(Limit {
                value: "\"a\"",
                inclusive: true
            })
        );
    }
}
