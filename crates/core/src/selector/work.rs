//! What matching takes, counted as bytes that are read.

use crate::limits::{SEARCH_SLICE_WORK, SELECTOR_WORK_MAX};
use std::cell::Cell;
use std::fmt;

/// Counts what the documents of one piece of a search take.
#[derive(Debug)]
pub struct Work {
    before: Cell<u64>,
    document: Cell<u64>,
    of_document_max: u64,
}

impl Default for Work {
    fn default() -> Work {
        Work {
            before: Cell::new(0),
            document: Cell::new(0),
            of_document_max: SELECTOR_WORK_MAX,
        }
    }
}

/// A document would take more than [`SELECTOR_WORK_MAX`]; its id, where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooMuchWork(pub Box<str>);

impl fmt::Display for TooMuchWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "To match the document {:?} with the selector takes too long. Ask with fewer tests of long values.",
            self.0
        )
    }
}

impl std::error::Error for TooMuchWork {}

impl Work {
    /// Bytes read, with what else took as long.
    pub fn done(&self) -> u64 {
        self.before.get().saturating_add(self.document.get())
    }

    /// Whether a piece of a search has done its part.
    pub fn is_enough(&self) -> bool {
        self.done() >= SEARCH_SLICE_WORK
    }

    /// Begins with another document.
    pub(super) fn begin(&self) {
        self.before.set(self.done());
        self.document.set(0);
    }

    /// Counts what takes as long as to read so many bytes; whether the document may still take that.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let document = self.document.get().saturating_add(bytes as u64);
        self.document.set(document);
        document <= self.of_document_max
    }

    /// Whether the document took more than it may.
    pub(super) fn is_too_much(&self) -> bool {
        self.document.get() > self.of_document_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selector::{InvalidSelector, Selector};

    fn text(mut item: impl FnMut(usize) -> String, many: usize) -> String {
        (0..many).map(&mut item).collect::<Vec<_>>().join(",")
    }

    /// A shorter bound, which is reached sooner.
    const LIMIT: u64 = 4 << 20;

    fn short() -> Work {
        Work {
            of_document_max: LIMIT,
            ..Work::default()
        }
    }

    fn judged(selector: &str, document: &str) -> (Result<bool, TooMuchWork>, u64) {
        let work = short();
        let rev = crate::rev::Rev::parse("1-a").unwrap();
        let selector = Selector::parse(selector).unwrap();
        let judged = selector.judge("a", &rev, false, document, String::new, &work);
        (judged, work.done())
    }

    #[test]
    fn a_body_is_read_once_for_all_fields() {
        let body = format!("{{{}}}", text(|n| format!(r#""f{n}":{n}"#), 1000));
        let misses = format!(r#"{{"$or":[{}]}}"#, text(|n| format!(r#"{{"g{n}":1}}"#), 2000));
        let (matches, work) = judged(&misses, &body);
        assert_eq!(matches, Ok(false));
        assert!(work < 20 * body.len() as u64 + 2000 * 64, "{work}");
        let hits = format!("{{{}}}", text(|n| format!(r#""f{n}":{n}"#), 1000));
        assert_eq!(judged(&hits, &body).0, Ok(true));
        let but_one = hits.replace(r#""f999":999"#, r#""f999":{"$ne":999}"#);
        assert_eq!(judged(&but_one, &body).0, Ok(false));
    }

    #[test]
    fn what_takes_too_long_is_told() {
        let long = format!(r#"{{"a":[{}]}}"#, text(|n| n.to_string(), 4000));
        let sizes = format!(
            r#"{{"$or":[{}]}}"#,
            text(|n| format!(r#"{{"a":{{"$size":{n}}}}}"#), 1000)
        );
        let all = format!(
            r#"{{"a":{{"$all":[{}]}}}}"#,
            text(|n| (n + 1_000_000).to_string(), 2000)
        );
        let tests = text(|n| format!(r#"{{"$lt":-{n}}}"#), 1000);
        let elements = format!(r#"{{"a":{{"$elemMatch":{{"$or":[{tests}]}}}}}}"#);
        for selector in [&sizes, &all, &elements] {
            let (matches, work) = judged(selector, &long);
            assert_eq!(matches, Err(TooMuchWork("a".into())), "{selector:.40}");
            let of_text = Selector::parse(selector).unwrap().judge_text(&long, &short());
            assert!(of_text.is_err());
            // It is not gone on with.
            assert!(
                selector == &all || work < LIMIT + LIMIT / 8,
                "{selector:.40} {work}"
            );
            // With a document as people write them it is nothing.
            assert!(judged(selector, r#"{"a":[1,2,3]}"#).0.is_ok());
        }
        // The bound is one document's, and what all took is known.
        let (selector, work) = (Selector::parse(&sizes).unwrap(), short());
        let rev = crate::rev::Rev::parse("1-a").unwrap();
        let judge = |body: &str| selector.judge("a", &rev, false, body, String::new, &work);
        for _ in 0..SEARCH_SLICE_WORK / LIMIT {
            assert!(!work.is_enough());
            assert!(judge(&long).is_err());
            assert_eq!(judge(r#"{"a":[1]}"#), Ok(true));
        }
        assert!(work.is_enough());
    }

    #[test]
    fn all_patterns_share_their_room() {
        let patterns = |pattern: &str, many| {
            let tests = text(|n| format!(r#"{{"f{n}":{{"$regex":"{pattern}"}}}}"#), many);
            Selector::parse(&format!(r#"{{"$or":[{tests}]}}"#))
        };
        let wide = patterns(r"\\w{10}", 2).unwrap();
        assert!(wide.pattern_bytes() > 1 << 20);
        assert_eq!(
            patterns(r"\\w{10}", 20).unwrap_err(),
            InvalidSelector::PatternsTooLarge
        );
        assert!(
            patterns("^abc.*x$", 100).unwrap().pattern_bytes() < crate::limits::SELECTOR_PATTERNS_BYTES_MAX
        );
        assert!(patterns(r"\\w+@\\w+", 20).is_ok());
        assert!(matches!(
            patterns(r"\\w{1000}", 1).unwrap_err(),
            InvalidSelector::BadArgument { .. }
        ));
    }
}
