//! Texts one of which stands in every body that matches: most others are passed over without being read as JSON.
//!
//! A string that is asked for stands in the body as it is spelled, in quotes, unless something there is spelled in
//! another way: behind a backslash, or with characters that collation takes for others or for none.

use super::{Comparison, Condition, Test};
use crate::json;
use memchr::memmem::Finder;
use std::cell::Cell;

/// Looking for more takes longer than reading the body.
const NEEDLES_MAX: usize = 8;

/// One of these stands in every plain body that matches.
pub(super) type Needles = Box<[Finder<'static>]>;

/// A body that several selectors glance at.
#[derive(Debug)]
pub struct Glance<'a> {
    body: &'a str,
    plain: Cell<Option<bool>>,
}

impl<'a> Glance<'a> {
    /// At a body, a valid JSON text.
    pub fn at(body: &'a str) -> Glance<'a> {
        Glance {
            body,
            plain: Cell::new(None),
        }
    }

    /// Whether each of its strings is spelled as it is, and equal to no other.
    fn is_plain(&self) -> bool {
        self.plain.get().unwrap_or_else(|| {
            let plain = is_plain(self.body);
            self.plain.set(Some(plain));
            plain
        })
    }

    /// Whether the body has none of the texts that it would have to have.
    pub(super) fn rules_out(&self, needles: Option<&Needles>) -> bool {
        let Some(needles) = needles else {
            return false;
        };
        let stands_here = |needle: &Finder<'_>| needle.find(self.body.as_bytes()).is_some();
        !needles.iter().any(stands_here) && self.is_plain()
    }
}

/// The delete character is the one that ASCII has without a backslash and collation ignores. Without a way out of the
/// loop, which is what makes it fast: many bytes are looked at together.
fn is_plain(text: &str) -> bool {
    let odd = |byte: &u8| u8::from(*byte >= 0x7f) | u8::from(*byte == b'\\');
    text.as_bytes().iter().fold(0, |found, byte| found | odd(byte)) == 0
}

/// What every match has one of; `None` where nothing is known.
pub(super) fn of(condition: &Condition) -> Option<Needles> {
    let texts = texts(condition)?;
    let needles = texts.iter().map(|text| Finder::new(text.as_bytes()).into_owned());
    Some(needles.collect())
}

fn texts(condition: &Condition) -> Option<Vec<String>> {
    match condition {
        Condition::And(inner) => inner
            .iter()
            .filter_map(texts)
            .min_by_key(|texts| (texts.len(), usize::MAX - shortest(texts))),
        Condition::Or(inner) if !inner.is_empty() => few(inner.iter().map(texts)),
        Condition::Field(field, test) => {
            // Special members are not part of a body.
            let first = field.path.first()?;
            if first.starts_with('_') {
                return None;
            }
            match test {
                Test::Compare(Comparison::Eq, value) => Some(vec![spelled(value)?]),
                Test::In(items) => few(items.iter().map(|item| Some(vec![spelled(item)?]))),
                _ => None,
            }
        }
        Condition::Or(_) | Condition::Not(_) => None,
    }
}

fn shortest(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

/// All of them together, if each is known and they are not too many.
fn few(parts: impl Iterator<Item = Option<Vec<String>>>) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part?);
        if all.len() > NEEDLES_MAX {
            return None;
        }
    }
    Some(all)
}

/// A string as it stands in a plain body.
fn spelled(value: &str) -> Option<String> {
    let text = json::string(value)?;
    let printable = text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
    printable.then(|| format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collate;
    use crate::selector::Selector;

    /// What is looked for, and whether bodies are ruled out.
    #[track_caller]
    fn check(selector: &str, needles: Option<&[&str]>, ruled_out: &[&str], left: &[&str]) {
        let selector = Selector::parse(selector).unwrap();
        let texts = texts(&selector.condition);
        let expected = needles.map(|needles| needles.iter().map(|needle| format!("\"{needle}\"")).collect());
        assert_eq!(texts, expected, "{selector:?}");
        for body in ruled_out {
            assert!(selector.rules_out(&Glance::at(body)), "{selector:?} {body}");
            assert!(!selector.matches_text(body), "{selector:?} {body}");
        }
        for body in left {
            assert!(!selector.rules_out(&Glance::at(body)), "{selector:?} {body}");
        }
    }

    #[test]
    fn strings_that_must_be_there() {
        let acme = r#"{"account":"acme"}"#;
        check(acme, Some(&["acme"]), &["{}", r#"{"account":"acm"}"#], &[acme]);
        // Spelled in another way, or taken for the same.
        for body in [
            r#"{"account":"\u0061cme"}"#,
            "{\"account\":\"ac\u{ad}me\"}",
            "{\"account\":\"acme\u{7f}\"}",
        ] {
            check(acme, Some(&["acme"]), &[], &[body]);
            assert!(Selector::parse(acme).unwrap().matches_text(body), "{body}");
        }
        check(
            r#"{"a":{"$in":["x","y"]}}"#,
            Some(&["x", "y"]),
            &[r#"{"a":"z"}"#],
            &[r#"{"a":["y"]}"#],
        );
        check(
            r#"{"$or":[{"a":"x"},{"b":"y"}]}"#,
            Some(&["x", "y"]),
            &["{}"],
            &[r#"{"b":"y"}"#],
        );
        check(
            r#"{"a":{"$in":["x","y"]},"type":"cdr","b":{"$gt":1}}"#,
            Some(&["cdr"]),
            &["{}"],
            &[],
        );
        check(
            r#"{"type":"cdr","account":"4711"}"#,
            Some(&["4711"]),
            &["{}"],
            &[],
        );
    }

    #[test]
    fn what_says_nothing_of_the_text() {
        for selector in [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":"ü"}"#,
            r#"{"a":"\""}"#,
            r#"{"_id":"x"}"#,
            r#"{"a":{"$ne":"x"}}"#,
            r#"{"a":{"$in":["x",1]}}"#,
            r#"{"$or":[{"a":"x"},{"b":1}]}"#,
            r#"{"$not":{"a":"x"}}"#,
            r#"{"a":{"$elemMatch":{"$eq":"x"}}}"#,
            r#"{"a":{"$in":["1","2","3","4","5","6","7","8","9"]}}"#,
        ] {
            check(selector, None, &[], &["{}"]);
        }
    }

    /// The one thing that exactness rests on.
    #[test]
    fn plain_characters_are_equal_to_no_others() {
        let plain = |character: &char| is_plain(&character.to_string()) && *character >= ' ';
        let characters: Vec<char> = ('\0'..='\x7f').filter(plain).collect();
        for a in &characters {
            assert!(collate::compare_strings("", &a.to_string()).is_lt());
            for b in &characters {
                assert_eq!(
                    a == b,
                    collate::compare_strings(&a.to_string(), &b.to_string()).is_eq()
                );
            }
        }
    }
}
