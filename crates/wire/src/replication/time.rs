//! Times in documents of replications: RFC 3339, in UTC, to the second.

const DAY: u64 = 86_400;

/// Spells ms since 1970.
pub fn rfc3339(ms: u64) -> String {
    let seconds = ms / 1000;
    let (year, month, day) = date(seconds / DAY);
    let of_day = seconds % DAY;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days from the March before year 0 to 1970.
const EPOCH: u64 = 719_468;

fn date(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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
            let ms = days * DAY * 1000;
            assert_eq!(parse_time(&rfc3339(ms)), Some(ms));
        }
    }
}
