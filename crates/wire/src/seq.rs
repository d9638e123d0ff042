//! Places in a feed: `"N-xxxxxxxx"`, where x names the incarnation of the database, and what `since` may be.

use std::fmt;
use std::io::Write;
use trunkline_core::Seq;
use trunkline_core::{json, time};

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
    let seq = time::digits(seq).ok_or_else(invalid)?;
    Ok(match suffix {
        None if seq == 0 => Since::Start,
        suffix => Since::Seq { seq, suffix },
    })
}

/// Reads an RFC 3339 time into ms since 1970 (earlier times are 0). A space may stand for the `T`, and for the `+` of
/// an offset, which an URL turns into one.
pub fn parse_time(text: &str) -> Option<u64> {
    let time = time::parse(text).filter(|time| time.zoned)?;
    let millis = time.seconds * 1000 + i64::from(time.millis);
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
