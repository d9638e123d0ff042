//! Whether a document, or a value in it, is as a condition asks. Values are looked up and compared as texts.

use super::field::{FieldPath, Found, find};
use super::fields::{FIELDS_APART, Fields};
use super::work::Work;
use super::{Comparison, Condition, Test, quoted};
use crate::collate;
use crate::json::{self, JsonError, Reader};
use crate::rev::Rev;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::cmp::Ordering;

/// Members that stand beside a body and are costly to spell.
pub(super) const ATTACHED: [&str; 2] = ["_attachments", "_conflicts"];

/// A document, its parts not yet put together.
pub(super) struct Document<'a> {
    pub(super) id: &'a str,
    pub(super) rev: &'a Rev,
    pub(super) deleted: bool,
    pub(super) body: &'a str,
    /// An object with what there is of [`ATTACHED`]; empty where no field needs it.
    pub(super) attached: &'a str,
    /// Where there are many of them.
    pub(super) fields: Option<&'a Fields>,
    /// Of these, how many were looked up one by one.
    pub(super) looked_up: Cell<usize>,
    /// What stands at each, once they were looked up together.
    pub(super) found: OnceCell<Vec<Found<'a>>>,
}

/// Bytes that could be read in the time of a test, about.
const TEST_WORK: usize = 32;

impl<'a> Document<'a> {
    /// What stands in the body at a path of the selector.
    fn look_up(&self, field: &FieldPath, work: &Work) -> Found<'a> {
        let Some(fields) = self.fields.filter(|_| self.looked_up.get() >= FIELDS_APART) else {
            self.looked_up.set(self.looked_up.get() + 1);
            work.take(self.body.len());
            return find(self.body, &field.path);
        };
        let found = self.found.get_or_init(|| fields.find(self.body, work));
        found.get(field.number).copied().unwrap_or(Found::NoPath)
    }
}

/// What fields are looked up in.
#[derive(Clone, Copy)]
enum Subject<'s, 'a> {
    Document(&'s Document<'a>),
    Value(&'s str),
}

pub(super) fn document(condition: &Condition, document: &Document<'_>, work: &Work) -> bool {
    matches(condition, Subject::Document(document), work)
}

pub(super) fn text(condition: &Condition, document: &str, work: &Work) -> bool {
    matches(condition, Subject::Value(document), work)
}

/// Whether matching a document looks at [`ATTACHED`]. Fields below `$elemMatch` and its kin are not the document's.
pub(super) fn looks_at_attached(condition: &Condition) -> bool {
    match condition {
        Condition::And(inner) | Condition::Or(inner) => inner.iter().any(looks_at_attached),
        Condition::Not(inner) => looks_at_attached(inner),
        Condition::Field(field, _) => field
            .path
            .first()
            .is_some_and(|first| ATTACHED.contains(&&**first)),
    }
}

fn matches(condition: &Condition, subject: Subject<'_, '_>, work: &Work) -> bool {
    match condition {
        Condition::And(inner) => inner.iter().all(|condition| matches(condition, subject, work)),
        Condition::Or(inner) => {
            inner.is_empty()
                || inner
                    .iter()
                    .any(|condition| work.is_too_much() || matches(condition, subject, work))
        }
        Condition::Not(inner) => !matches(inner, subject, work),
        Condition::Field(field, test) => field_passes(field, test, subject, work),
    }
}

/// What it answers once the work is too much is of no use, and soon done.
fn field_passes(field: &FieldPath, test: &Test, subject: Subject<'_, '_>, work: &Work) -> bool {
    if !work.take(TEST_WORK) {
        return false;
    }
    let order = if *field.name == *"_id" {
        id_order
    } else {
        collate::compare
    };
    let special;
    let found = match (subject, field.path.split_first()) {
        (Subject::Value(value), _) => {
            work.take(value.len());
            find(value, &field.path)
        }
        (Subject::Document(document), Some((first, rest))) => match &**first {
            "_id" => {
                special = quoted(document.id);
                find(&special, rest)
            }
            "_rev" => {
                special = quoted(&document.rev.to_string());
                find(&special, rest)
            }
            "_deleted" if document.deleted => find("true", rest),
            "_deleted" => Found::Nothing,
            name if ATTACHED.contains(&name) => {
                work.take(document.attached.len());
                find(document.attached, &field.path)
            }
            _ => document.look_up(field, work),
        },
        (Subject::Document(document), None) => find(document.body, &[]),
    };
    match found {
        Found::Value(value) => work.take(cost(test, value)) && passes(test, value, order, work),
        Found::Nothing => matches!(test, Test::Exists(false)),
        Found::NoPath => false,
    }
}

/// Ids are compared byte by byte, and a string is greater than any other kind of value.
pub(super) fn id_order(id: &str, argument: &str) -> Ordering {
    match (json::string(id), json::string(argument)) {
        (Some(id), Some(argument)) => id.as_bytes().cmp(argument.as_bytes()),
        (Some(_), None) => Ordering::Greater,
        _ => collate::compare(id, argument),
    }
}

/// What a test takes, elements by themselves apart.
fn cost(test: &Test, value: &str) -> usize {
    match test {
        Test::Exists(_) | Test::Type(_) => 0,
        Test::In(items) | Test::NotIn(items) => {
            let looks = items.len().checked_ilog2().unwrap_or(0) as usize + 1;
            value.len().saturating_mul(looks)
        }
        Test::Regex(pattern) => value.len().saturating_mul(pattern.weight()),
        Test::Not(inner) => cost(inner, value),
        _ => value.len(),
    }
}

fn passes(test: &Test, value: &str, order: fn(&str, &str) -> Ordering, work: &Work) -> bool {
    match test {
        Test::Compare(comparison, argument) => {
            let order = order(value, argument);
            match comparison {
                Comparison::Lt => order.is_lt(),
                Comparison::Lte => order.is_le(),
                Comparison::Eq => order.is_eq(),
                Comparison::Ne => order.is_ne(),
                Comparison::Gte => order.is_ge(),
                Comparison::Gt => order.is_gt(),
            }
        }
        Test::In(items) => is_in(items, value, order),
        Test::NotIn(items) => !is_in(items, value, order),
        Test::Exists(exists) => *exists,
        Test::Type(name) => kind(value) == &**name,
        Test::Mod { divisor, remainder } => modulo(value, *divisor) == Some(*remainder),
        Test::Regex(regex) => json::string(value).is_some_and(|text| regex.is_match(&text)),
        Test::BeginsWith(prefix) => json::string(value).is_some_and(|text| text.starts_with(&**prefix)),
        Test::Size(size) => elements(value).is_some_and(|elements| elements.len() as u64 == *size),
        Test::All(items) => has_all(items, value, work),
        Test::ElemMatch(inner) => elements(value).is_some_and(|elements| {
            elements
                .iter()
                .any(|element| work.is_too_much() || matches(inner, Subject::Value(element), work))
        }),
        Test::AllMatch(inner) => elements(value).is_some_and(|elements| {
            !elements.is_empty()
                && elements
                    .iter()
                    .all(|element| !work.is_too_much() && matches(inner, Subject::Value(element), work))
        }),
        Test::KeyMapMatch(inner) => keys(value)
            .iter()
            .any(|key| work.is_too_much() || matches(inner, Subject::Value(key), work)),
        Test::Not(inner) => !passes(inner, value, order, work),
    }
}

/// Of an array, one element is enough. `items` are in the order of [`collate::compare`], and whatever is equal in
/// another order is equal in that one.
fn is_in(items: &[Box<str>], value: &str, order: fn(&str, &str) -> Ordering) -> bool {
    let is_item = |value: &str| {
        let from = items.partition_point(|item| collate::compare(item, value).is_lt());
        let mut equal = items
            .iter()
            .skip(from)
            .take_while(|item| collate::compare(item, value).is_eq());
        equal.any(|item| order(value, item).is_eq())
    };
    match elements(value) {
        Some(elements) => elements.iter().any(|element| is_item(element)),
        None => is_item(value),
    }
}

/// Bytes that could be read in the time of comparing two values that differ at once.
const PAIR_WORK: usize = 4;

/// Whether all items are elements, or the only item is an array equal to the whole value.
fn has_all(items: &[Box<str>], value: &str, work: &Work) -> bool {
    let Some(elements) = elements(value) else {
        return false;
    };
    if let [item] = items
        && item.starts_with('[')
        && collate::compare(item, value).is_eq()
    {
        return true;
    }
    // Each item is looked for among all elements.
    let pairs = elements.len().saturating_mul(items.len());
    if !work.take(pairs.saturating_mul(PAIR_WORK)) {
        return false;
    }
    let is_element = |item: &str| elements.iter().any(|element| is_same(element, item));
    !items.is_empty() && items.iter().all(|item| is_element(item))
}

/// Equality of Erlang terms: an integer is no float, and strings have the same bytes.
fn is_same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (kind(a), kind(b)) {
        ("string", "string") => json::string(a) == json::string(b),
        ("number", "number") => {
            let is_float = |number: &str| number.contains(['.', 'e', 'E']);
            is_float(a) == is_float(b) && collate::compare_numbers(a, b).is_eq()
        }
        ("array", "array") => match (elements(a), elements(b)) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| is_same(a, b)),
            _ => false,
        },
        ("object", "object") => {
            let (a, b) = (members(a), members(b));
            a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1))
        }
        _ => false,
    }
}

fn kind(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "boolean",
        Some(b'"') => "string",
        Some(b'[') => "array",
        Some(b'{') => "object",
        _ => "number",
    }
}

/// The remainder of an integer, with its sign, whatever its length.
fn modulo(value: &str, divisor: i64) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let divisor = i128::from(divisor);
    let remainder = digits.bytes().try_fold(0_i128, |remainder, digit| {
        let digit = digit.is_ascii_digit().then(|| i128::from(digit - b'0'))?;
        Some((remainder * 10 + digit) % divisor)
    })?;
    let remainder = if digits.len() < value.len() {
        -remainder
    } else {
        remainder
    };
    i64::try_from(remainder).ok()
}

/// The elements of an array; `None` for any other value.
fn elements(value: &str) -> Option<Vec<&str>> {
    if !value.starts_with('[') {
        return None;
    }
    let mut elements = Vec::new();
    json::elements(value, |element| {
        elements.push(element);
        Ok::<_, JsonError>(())
    })
    .ok()?;
    Some(elements)
}

/// The members of an object; none for any other value.
fn members(value: &str) -> Vec<(Cow<'_, str>, &str)> {
    let mut members = Vec::new();
    let _ = json::members(value, |key, value| {
        members.push((key, value));
        Ok::<_, JsonError>(())
    });
    members
}

/// The keys of an object, each as the text of a string; none for any other value.
fn keys(value: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let _ = Reader::new(value).raw_members(|key, _| {
        keys.push(format!("\"{key}\""));
        Ok::<_, JsonError>(())
    });
    keys
}
