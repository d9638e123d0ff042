//! Times in documents of replications: RFC 3339, in UTC, to the second.

use trunkline_core::time;

/// Spells ms since 1970.
pub fn rfc3339(ms: u64) -> String {
    let mut text = time::spell((ms / 1000).cast_signed());
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq::parse_time;

    #[test]
    fn there_and_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_254_588_000, "2026-11-21T09:49:48Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
            assert_eq!(parse_time(text), Some(ms));
        }
        for days in 0..60_000 {
            let ms = days * 86_400_000;
            assert_eq!(parse_time(&rfc3339(ms)), Some(ms));
        }
    }
}
