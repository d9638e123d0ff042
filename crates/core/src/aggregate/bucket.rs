//! Stretches of time that documents are grouped by.

use crate::{json, time};

/// Hours, days, months: what of a time makes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// How long each is.
    pub length: Length,
    /// What a number counts.
    pub unit: Unit,
    /// How far the clock that days begin by is ahead of UTC.
    pub offset_minutes: i32,
}

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many, counted from 1970 on; an hour and a day are such. Not zero.
    Seconds(u32),
    /// From Monday.
    Week,
    /// From the first.
    Month,
    /// From January.
    Year,
}

/// What a number says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unit {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Thousandths of seconds since 1970.
    Milliseconds,
    /// Seconds since the year 0, as Erlang counts them.
    Gregorian,
}

/// Seconds from the year 0 to 1970.
const YEAR_ZERO: i64 = 62_167_219_200;
/// Seconds from the year 1 to 1970.
const YEAR_ONE: i64 = 62_135_596_800;
/// Seconds from 1970 to the year 10 000.
const YEAR_TEN_THOUSAND: i64 = 253_402_300_800;

impl Bucket {
    /// When the bucket of a time begins, seconds since 1970 by its own clock. A time is a number or a text; of what is
    /// none, or not in the years 1 to 9999, there is no bucket.
    pub(super) fn start(&self, value: &str) -> Option<i64> {
        let seconds = match json::string(value) {
            Some(text) => time::parse(&text)?.seconds,
            None => self.unit.seconds(value)?,
        };
        let local = seconds.checked_add(i64::from(self.offset_minutes) * 60)?;
        if !(-YEAR_ONE..YEAR_TEN_THOUSAND).contains(&local) {
            return None;
        }
        let day = local.div_euclid(time::DAY);
        let first_of_month = |year, month| time::days_since_1970(year, month, 1) * time::DAY;
        Some(match self.length {
            Length::Seconds(length) => local - local.rem_euclid(i64::from(length.max(1))),
            // 1970 began on a Thursday.
            Length::Week => (day - (day + 3).rem_euclid(7)) * time::DAY,
            Length::Month => {
                let (year, month, _) = time::date(day);
                first_of_month(year, month)
            }
            Length::Year => first_of_month(time::date(day).0, 1),
        })
    }

    /// Spells the beginning of a bucket, as JSON.
    pub(super) fn spell(&self, start: i64) -> String {
        let minutes = self.offset_minutes.unsigned_abs();
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let text = time::spell(start);
        match minutes {
            0 => format!("\"{text}Z\""),
            _ => format!("\"{text}{sign}{:02}:{:02}\"", minutes / 60, minutes % 60),
        }
    }
}

impl Unit {
    fn seconds(self, number: &str) -> Option<i64> {
        let whole = number.parse::<i64>().ok().or_else(|| {
            let floor = number.parse::<f64>().ok()?.floor();
            (floor.abs() < 1e18).then_some(floor as i64)
        })?;
        Some(match self {
            Unit::Seconds => whole,
            Unit::Milliseconds => whole.div_euclid(1000),
            Unit::Gregorian => whole.checked_sub(YEAR_ZERO)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(length: Length, (unit, offset_minutes): (Unit, i32), value: &str, expected: Option<&str>) {
        let bucket = Bucket {
            length,
            unit,
            offset_minutes,
        };
        let found = bucket.start(value).map(|start| bucket.spell(start));
        assert_eq!(
            found,
            expected.map(|text| format!("\"{text}\"")),
            "{bucket:?} {value}"
        );
    }

    #[test]
    fn times_fall_into_buckets() {
        let (day, utc) = (Length::Seconds(86_400), (Unit::Seconds, 0));
        // 2026-11-21T04:15:42Z, a Saturday.
        let now = "1795234542";
        check(day, utc, now, Some("2026-11-21T00:00:00Z"));
        check(Length::Seconds(3600), utc, now, Some("2026-11-21T04:00:00Z"));
        check(Length::Seconds(900), utc, now, Some("2026-11-21T04:15:00Z"));
        check(Length::Week, utc, now, Some("2026-11-16T00:00:00Z"));
        check(Length::Month, utc, now, Some("2026-11-01T00:00:00Z"));
        check(Length::Year, utc, now, Some("2026-01-01T00:00:00Z"));
        check(day, (Unit::Seconds, -300), now, Some("2026-11-20T00:00:00-05:00"));
        check(day, (Unit::Seconds, 330), now, Some("2026-11-21T00:00:00+05:30"));
        check(day, utc, "1795234542.75", Some("2026-11-21T00:00:00Z"));
        check(day, utc, "-1", Some("1969-12-31T00:00:00Z"));
        check(day, utc, "-0.5", Some("1969-12-31T00:00:00Z"));
        check(
            day,
            (Unit::Milliseconds, 0),
            "1795234542999",
            Some("2026-11-21T00:00:00Z"),
        );
        check(
            day,
            (Unit::Gregorian, 0),
            "63962453742",
            Some("2026-11-21T00:00:00Z"),
        );
        for text in [
            "\"2026-11-21T04:15:42Z\"",
            "\"2026-11-20 23:15:42-05:00\"",
            "\"2026-11-21T04:15:42.5\"",
            "\"2026-11-21\"",
        ] {
            check(day, utc, text, Some("2026-11-21T00:00:00Z"));
        }
        for none in [
            "null",
            "true",
            "\"\"",
            "\"yesterday\"",
            "[]",
            "{}",
            "1e300",
            "999999999999999",
            "-9e18",
        ] {
            check(day, utc, none, None);
        }
        check(day, (Unit::Gregorian, 0), "0", None);
        check(Length::Week, utc, "-62135596800", Some("0001-01-01T00:00:00Z"));
        check(Length::Year, utc, "253402300799", Some("9999-01-01T00:00:00Z"));
    }
}
