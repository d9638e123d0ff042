//! What documents are grouped by.

use crate::find::Refusal;
use crate::find::request::{invalid_key, is_object, string};
use trunkline_core::aggregate::{Bucket, Group, Length, Unit};
use trunkline_core::json;
use trunkline_core::selector::FieldPath;

/// Minutes that clocks are away from UTC at most.
const OFFSET_MAX: i64 = 24 * 60;

/// Reads a field, or an object of a field and more.
pub(super) fn group(value: &str) -> Result<Group, Refusal> {
    if let Some(name) = json::string(value) {
        return Ok(Group {
            field: FieldPath::parse(&name)?,
            name: name.into_owned(),
            bucket: None,
        });
    }
    let wrong = |what: &str| Refusal::new("invalid_group", format!("Invalid group, {what}: {value}"));
    if !is_object(value) {
        return Err(wrong("neither a field nor an object"));
    }
    let (mut field, mut name, mut length) = (None, None, None);
    let (mut unit, mut offset_minutes) = (None, None);
    json::members(value, |key, inside| {
        match &*key {
            "field" => field = Some(string(inside)?),
            "as" => name = Some(string(inside)?),
            "bucket" => length = Some(bucket_length(inside).ok_or_else(|| wrong("no such bucket"))?),
            "unit" => {
                unit = Some(match json::string(inside).as_deref() {
                    Some("s") => Unit::Seconds,
                    Some("ms") => Unit::Milliseconds,
                    Some("gregorian") => Unit::Gregorian,
                    _ => return Err(wrong("the unit is not s, ms or gregorian")),
                });
            }
            "offset_minutes" => {
                let minutes = inside
                    .parse()
                    .ok()
                    .filter(|minutes: &i32| i64::from(*minutes).abs() <= OFFSET_MAX);
                offset_minutes = Some(minutes.ok_or_else(|| wrong("no clock is so far from UTC"))?);
            }
            _ => return Err(invalid_key(&key)),
        }
        Ok(())
    })?;
    let field = field.ok_or_else(|| wrong("it has no field"))?;
    if length.is_none() && (unit.is_some() || offset_minutes.is_some()) {
        return Err(wrong("unit and offset_minutes are of buckets"));
    }
    Ok(Group {
        bucket: length.map(|length| Bucket {
            length,
            unit: unit.unwrap_or_default(),
            offset_minutes: offset_minutes.unwrap_or_default(),
        }),
        field: FieldPath::parse(&field)?,
        name: name.unwrap_or(field),
    })
}

fn bucket_length(value: &str) -> Option<Length> {
    Some(match json::string(value).as_deref() {
        Some("minute") => Length::Seconds(60),
        Some("hour") => Length::Seconds(3600),
        Some("day") => Length::Seconds(86_400),
        Some("week") => Length::Week,
        Some("month") => Length::Month,
        Some("year") => Length::Year,
        Some(_) => return None,
        None => Length::Seconds(value.parse().ok().filter(|seconds| *seconds > 0)?),
    })
}
