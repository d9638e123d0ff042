//! Dates and times of day, as people and RFC 3339 write them.

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A time that a text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And so many thousandths.
    pub millis: u16,
    /// Whether the text names a zone; without, it is read as UTC.
    pub zoned: bool,
}

/// Reads a date, or a date and a time with or without a zone: RFC 3339, where a space may stand for the `T`, and for the
/// `+` of an offset, which an URL turns into one.
pub fn parse(text: &str) -> Option<Time> {
    let (date, time) = text.split_at_checked(10)?;
    let mut date = date.splitn(3, '-');
    let year = date.next().filter(|year| year.len() == 4).and_then(digits)?;
    let month = date.next().filter(|month| month.len() == 2).and_then(digits)?;
    let day = date.next().filter(|day| day.len() == 2).and_then(digits)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * DAY;
    if time.is_empty() {
        return Some(Time {
            seconds: midnight,
            millis: 0,
            zoned: false,
        });
    }
    let time = time.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = time.split_at_checked(8)?;
    let [hour, minute, second] = [clock.get(0..2)?, clock.get(3..5)?, clock.get(6..8)?].map(digits);
    let (hour, minute, second) = (hour?, minute?, second?);
    if clock.get(2..3) != Some(":") || clock.get(5..6) != Some(":") {
        return None;
    }
    let (millis, zone) = match zone.strip_prefix('.') {
        Some(fraction) => {
            let end = fraction
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(fraction.len());
            let (fraction, zone) = fraction.split_at_checked(end)?;
            let thousandths = format!("{fraction:0<3}");
            (digits(thousandths.get(..3).filter(|_| end > 0)?)?, zone)
        }
        None => (0, zone),
    };
    // 23:59:60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = i64::try_from(hour * 3600 + minute * 60 + second).ok()?;
    let offset = if zone.is_empty() { 0 } else { offset_minutes(zone)? };
    Some(Time {
        seconds: midnight + of_day - offset * 60,
        millis: u16::try_from(millis).ok()?,
        zoned: !zone.is_empty(),
    })
}

/// The number that a text of nothing but digits is.
pub fn digits(text: &str) -> Option<u64> {
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
pub fn days_since_1970(year: u64, month: u64, day: u64) -> i64 {
    let days_before_year = |year: u64| {
        let past = year.saturating_sub(1);
        year * 365 + past / 4 - past / 100 + past / 400 + u64::from(year > 0)
    };
    let days_before_month: u64 = (1..month).map(|month| days_in_month(year, month)).sum();
    let days = days_before_year(year) + days_before_month + day - 1;
    days.cast_signed() - days_before_year(1970).cast_signed()
}

/// Days from the March before year 0 to 1970.
const EPOCH: i64 = 719_468;

/// Year, month and day, from year 0 on.
pub fn date(days: i64) -> (u64, u64, u64) {
    let days = days.saturating_add(EPOCH).max(0).cast_unsigned();
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Spells seconds since 1970, without a zone.
pub fn spell(seconds: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}
