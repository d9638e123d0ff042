//! Patterns of `$regex`, and the memory that they take.

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_CACHE_BYTES_MIN};
use regex_automata::meta::{BuildError, Regex};
use regex_automata::nfa::thompson::WhichCaptures;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    text: Box<str>,
    /// Bytes of what was compiled, and of what matching may keep of it.
    pub(super) bytes: usize,
}

/// Whether it matches is all that is asked.
fn compiled(text: &str, cache_bytes: usize) -> Result<Regex, Box<BuildError>> {
    let config = Regex::config()
        .nfa_size_limit(Some(PATTERN_BYTES_MAX))
        .which_captures(WhichCaptures::Implicit)
        .onepass(false)
        .hybrid_cache_capacity(cache_bytes);
    Ok(Regex::builder().configure(config).build(text)?)
}

impl Pattern {
    /// `None` where it is none, or takes too much.
    pub(super) fn new(text: &str) -> Option<Pattern> {
        let regex = compiled(text, PATTERN_CACHE_BYTES_MIN).ok()?;
        let compiled_bytes = regex.memory_usage();
        let cache_bytes = (2 * compiled_bytes).clamp(PATTERN_CACHE_BYTES_MIN, PATTERN_BYTES_MAX);
        let regex = match cache_bytes > PATTERN_CACHE_BYTES_MIN {
            true => compiled(text, cache_bytes).ok()?,
            false => regex,
        };
        Some(Pattern {
            bytes: regex.memory_usage() + cache_bytes,
            regex,
            text: text.into(),
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// How many times as long as to read a text it may take to match it, about.
    pub(super) fn weight(&self) -> usize {
        WEIGHT + self.bytes / BYTES_PER_WEIGHT
    }
}

/// Few patterns take that long, and none on short texts; but some of a few characters do.
const WEIGHT: usize = 16;
const BYTES_PER_WEIGHT: usize = 32 << 10;
