//! Places in a feed: `"N-xxxxxxxx"`, where x names the incarnation of the database, and what `since` may be.

use std::fmt;
use std::io::Write;
use trunkline_core::Seq;
use trunkline_core::json;

/// The value of `since` (or `Last-Event-ID`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the beginning.
    Start,
    /// What comes from now on.
    Now,
    /// After a seq.
    Seq {
        /// Its number.
        seq: Seq,
        /// The incarnation it belongs to; `None` for a bare number.
        suffix: Option<Box<str>>,
    },
    /// After a time, in ms since 1970.
    Time(u64),
}

/// The text is no `since`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSince(pub Box<str>);

impl fmt::Display for InvalidSince {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no seq: give a seq of this database, `now`, 0, or an RFC 3339 time",
            self.0
        )
    }
}

impl std::error::Error for InvalidSince {}

/// Characters of a database's uuid that its seqs carry: enough that another incarnation hardly ever has the same.
const SUFFIX_CHARS: usize = 8;

/// The part of a database's uuid that its seqs carry.
pub fn suffix(uuid: &str) -> &str {
    uuid.get(..SUFFIX_CHARS).unwrap_or(uuid)
}

/// Appends a seq as JSON text, quotes and all. `suffix` as [`suffix()`] gives it.
pub fn write(out: &mut Vec<u8>, seq: Seq, suffix: &str) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\"{seq}-{suffix}\"");
}

/// A seq as JSON text, quotes and all.
pub fn json(seq: Seq, suffix: &str) -> String {
    format!("\"{seq}-{suffix}\"")
}

/// Reads `since`: `0`, `now`, `N`, `N-x`, each also as a JSON string, or an RFC 3339 time.
pub fn parse(text: &str) -> Result<Since, InvalidSince> {
    let invalid = || InvalidSince(text.chars().take(100).collect::<String>().into());
    let unquoted = if text.starts_with('"') {
        let text = json::validate(text.as_bytes()).map_err(|_| invalid())?;
        json::string(text).ok_or_else(invalid)?
    } else {
        text.into()
    };
    match &*unquoted {
        "0" => return Ok(Since::Start),
        "now" => return Ok(Since::Now),
        _ => {}
    }
    if let Some(time) = parse_time(&unquoted) {
        return Ok(Since::Time(time));
    }
    let (seq, suffix) = match unquoted.split_once('-') {
        Some((_, suffix)) if !is_suffix(suffix) => return Err(invalid()),
        Some((seq, suffix)) => (seq, Some(suffix.into())),
        None => (&*unquoted, None),
    };
    let seq = digits(seq).ok_or_else(invalid)?;
    Ok(match suffix {
        None if seq == 0 => Since::Start,
        suffix => Since::Seq { seq, suffix },
    })
}

/// Reads an RFC 3339 time into ms since 1970 (earlier times are 0). A space may stand for the `T`, and for the `+` of
/// an offset, which an URL turns into one.
pub fn parse_time(text: &str) -> Option<u64> {
    let (date, time) = text.split_at_checked(10)?;
    let mut date = date.splitn(3, '-');
    let year = date.next().filter(|year| year.len() == 4).and_then(digits)?;
    let month = date.next().filter(|month| month.len() == 2).and_then(digits)?;
    let day = date.next().filter(|day| day.len() == 2).and_then(digits)?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = time.split_at_checked(8)?;
    let [hour, minute, second] = [clock.get(0..2)?, clock.get(3..5)?, clock.get(6..8)?].map(digits);
    let (hour, minute, second) = (hour?, minute?, second?);
    if clock.get(2..3) != Some(":") || clock.get(5..6) != Some(":") {
        return None;
    }
    let (millis, zone) = match zone.strip_prefix('.') {
        Some(fraction) => {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            let (fraction, zone) = fraction.split_at_checked(end)?;
            let thousandths = format!("{fraction:0<3}");
            (digits(thousandths.get(..3).filter(|_| end > 0)?)?, zone)
        }
        None => (0, zone),
    };
    let offset_minutes = offset_minutes(zone)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    // 23:59:60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400
        + i64::try_from(hour * 3600 + minute * 60 + second).ok()?
        - offset_minutes * 60;
    let millis = seconds * 1000 + i64::try_from(millis).ok()?;
    Some(u64::try_from(millis).unwrap_or(0))
}

/// Whether a text can stand behind a seq's number, here or at a CouchDB. `11-21`, from a date without a time, cannot.
fn is_suffix(text: &str) -> bool {
    let date = |text: &[u8]| matches!(text, [month, _, b'-', _, _] if month.is_ascii_digit());
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
        && !date(text.as_bytes())
}

fn digits(text: &str) -> Option<u64> {
    let only_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| only_digits)
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.bytes().next()? {
        b'+' | b' ' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let two = |text: &str| digits(text).filter(|_| text.len() == 2);
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let minutes = (hours <= 23 && minutes <= 59).then_some(hours * 60 + minutes)?;
    Some(sign * i64::try_from(minutes).ok()?)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar; `year` has four digits.
fn days_since_1970(year: u64, month: u64, day: u64) -> i64 {
    let days_before_year = |year: u64| {
        let past = year.saturating_sub(1);
        year * 365 + past / 4 - past / 100 + past / 400 + u64::from(year > 0)
    };
    let days_before_month: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
    let days = days_before_year(year) + days_before_month + day - 1;
    days.cast_signed() - days_before_year(1970).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(seq: Seq, suffix: Option<&str>) -> Result<Since, InvalidSince> {
        Ok(Since::Seq {
            seq,
            suffix: suffix.map(Into::into),
        })
    }

    #[test]
    fn every_form_of_since() {
        assert_eq!(parse("0"), Ok(Since::Start));
        assert_eq!(parse("\"0\""), Ok(Since::Start));
        assert_eq!(parse("now"), Ok(Since::Now));
        assert_eq!(parse("\"now\""), Ok(Since::Now));
        assert_eq!(parse("26"), seq(26, None));
        assert_eq!(parse("\"26\""), seq(26, None));
        assert_eq!(parse("26-g1AAAA"), seq(26, Some("g1AAAA")));
        assert_eq!(parse("0-12345678"), seq(0, Some("12345678")));
        assert_eq!(
            parse(&json(7, suffix("0123456789abcdef"))),
            seq(7, Some("01234567"))
        );
        assert_eq!(parse("2026-11-21T04:15:42Z"), Ok(Since::Time(1_795_234_542_000)));
        assert_eq!(
            parse("\"2026-11-21T04:15:42Z\""),
            Ok(Since::Time(1_795_234_542_000))
        );
        for wrong in [
            "",
            "\"",
            "-",
            "1-",
            "-1",
            "+1",
            "x",
            "1.0",
            "[1]",
            "18446744073709551616",
            "2026-13-01T00:00:00Z",
            "2026-11-21",
        ] {
            assert_eq!(parse(wrong), Err(InvalidSince(wrong.into())));
        }
    }

    #[test]
    fn both_writers_agree() {
        let mut out = Vec::new();
        write(&mut out, 12, "abcdef01");
        assert_eq!(out, json(12, "abcdef01").as_bytes());
        assert_eq!(out, b"\"12-abcdef01\"");
    }

    #[test]
    fn times() {
        let check = |text, ms| assert_eq!(parse_time(text), Some(ms), "{text}");
        check("1970-01-01T00:00:00Z", 0);
        check("1969-12-31T23:59:59Z", 0);
        check("0000-01-01T00:00:00Z", 0);
        check("2000-02-29T12:00:00.5Z", 951_825_600_500);
        check("2000-02-29 12:00:00.123456789z", 951_825_600_123);
        check("2024-03-01T01:30:00+01:30", 1_709_251_200_000);
        check("2024-03-01T01:30:00 01:30", 1_709_251_200_000);
        check("2024-02-29T18:00:00-06:00", 1_709_251_200_000);
        check("2016-12-31T23:59:60Z", 1_483_228_800_000);
        check("9999-12-31T23:59:59.999Z", 253_402_300_799_999);
        for wrong in [
            "",
            "2024-03-01",
            "2024-03-01T01:30:00",
            "2024-03-01T01:30Z",
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.5",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T+1:00:00Z",
            "+024-01-01T00:00:00Z",
            "2024-01-01T00:00:00é",
            "20é4-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
