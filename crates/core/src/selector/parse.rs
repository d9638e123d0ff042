//! From a selector's JSON text to its conditions.

use super::field::Field;
use super::normal;
use super::{Comparison, Condition, InvalidSelector, Test, quoted};
use crate::json::{self, JsonError};
use crate::limits::SELECTOR_DEPTH_MAX;
use regex::Regex;
use std::borrow::Cow;

impl From<JsonError> for InvalidSelector {
    fn from(error: JsonError) -> InvalidSelector {
        match error {
            JsonError::TooDeep => InvalidSelector::TooDeep,
            JsonError::Syntax(_) | JsonError::Expected(_) => {
                InvalidSelector::NotAnObject(error.to_string().into())
            }
        }
    }
}

pub(super) fn selector(text: &str) -> Result<Condition, InvalidSelector> {
    let mut compact = String::with_capacity(text.len());
    json::validate(text.as_bytes())?;
    json::compact(text, &mut compact);
    if !compact.starts_with('{') {
        return Err(InvalidSelector::NotAnObject(compact.into()));
    }
    if compact == "{}" {
        return Ok(Condition::And(Vec::new()));
    }
    let condition = normal::push_negations(condition(&compact, "", 0)?);
    match &condition {
        Condition::Field(field, _) if field.path.is_empty() => Err(InvalidSelector::MissingFieldName),
        _ => Ok(condition),
    }
}

/// What `text` asks of the field named `field`.
fn condition(text: &str, field: &str, depth: usize) -> Result<Condition, InvalidSelector> {
    if depth > SELECTOR_DEPTH_MAX {
        return Err(InvalidSelector::TooDeep);
    }
    let mut conditions = Vec::new();
    if text.starts_with('{') {
        json::members(text, |key, value| {
            conditions.push(member(&key, value, field, depth + 1)?);
            Ok::<_, InvalidSelector>(())
        })?;
    }
    Ok(match conditions.len() {
        0 => Condition::Field(Field::parse(field)?, Test::Compare(Comparison::Eq, text.into())),
        1 => conditions.remove(0),
        _ => Condition::And(conditions),
    })
}

/// What one member of a selector asks.
fn member(key: &str, value: &str, field: &str, depth: usize) -> Result<Condition, InvalidSelector> {
    let list = || -> Result<Vec<Condition>, InvalidSelector> {
        let items = array(key, value)?;
        items.iter().map(|item| condition(item, field, depth)).collect()
    };
    Ok(match key {
        "$and" => Condition::And(list()?),
        "$or" => Condition::Or(list()?),
        "$nor" => Condition::And(
            list()?
                .into_iter()
                .map(|item| Condition::Not(item.into()))
                .collect(),
        ),
        "$not" => Condition::Not(condition(object(key, value)?, field, depth)?.into()),
        _ if key.starts_with('$') => Condition::Field(Field::parse(field)?, test(key, value, depth)?),
        _ if field.is_empty() => condition(value, key, depth)?,
        _ => condition(value, &format!("{field}.{key}"), depth)?,
    })
}

fn test(operator: &str, value: &str, depth: usize) -> Result<Test, InvalidSelector> {
    let compare = |comparison| Ok(Test::Compare(comparison, value.into()));
    let inner = || Ok::<_, InvalidSelector>(condition(object(operator, value)?, "", depth)?.into());
    match operator {
        "$lt" => compare(Comparison::Lt),
        "$lte" => compare(Comparison::Lte),
        "$eq" => compare(Comparison::Eq),
        "$ne" => compare(Comparison::Ne),
        "$gte" => compare(Comparison::Gte),
        "$gt" => compare(Comparison::Gt),
        "$in" => Ok(Test::In(array(operator, value)?)),
        "$nin" => Ok(Test::NotIn(array(operator, value)?)),
        "$all" => Ok(Test::All(array(operator, value)?)),
        "$elemMatch" => Ok(Test::ElemMatch(inner()?)),
        "$allMatch" => Ok(Test::AllMatch(inner()?)),
        "$keyMapMatch" => Ok(Test::KeyMapMatch(inner()?)),
        "$exists" => match value {
            "true" => Ok(Test::Exists(true)),
            "false" => Ok(Test::Exists(false)),
            _ => Err(bad_argument(operator, value)),
        },
        "$type" => Ok(Test::Type((*string(operator, value)?).into())),
        "$beginsWith" => Ok(Test::BeginsWith((*string(operator, value)?).into())),
        "$regex" => match Regex::new(&string(operator, value)?) {
            Ok(regex) => Ok(Test::Regex(regex.into())),
            Err(_) => Err(bad_argument(operator, value)),
        },
        "$size" => match value.parse() {
            Ok(size) => Ok(Test::Size(size)),
            Err(_) => Err(bad_argument(operator, value)),
        },
        "$mod" => modulo(operator, value),
        "$text" | "$where" | "$geoWithin" | "$geoIntersects" | "$near" | "$nearSphere" => {
            Err(InvalidSelector::NotSupported(operator.into()))
        }
        _ => Err(InvalidSelector::InvalidOperator(operator.into())),
    }
}

fn modulo(operator: &str, value: &str) -> Result<Test, InvalidSelector> {
    let numbers: Vec<Option<i64>> = array(operator, value)?
        .iter()
        .map(|item| item.parse().ok())
        .collect();
    match numbers[..] {
        [Some(divisor), Some(remainder)] if divisor != 0 => Ok(Test::Mod { divisor, remainder }),
        _ => Err(bad_argument(operator, value)),
    }
}

fn array(operator: &str, value: &str) -> Result<Vec<Box<str>>, InvalidSelector> {
    if !value.starts_with('[') {
        return Err(bad_argument(operator, value));
    }
    let mut items = Vec::new();
    json::elements(value, |item| {
        items.push(item.into());
        Ok::<_, JsonError>(())
    })?;
    Ok(items)
}

fn object<'a>(operator: &str, value: &'a str) -> Result<&'a str, InvalidSelector> {
    match value.starts_with('{') {
        true => Ok(value),
        false => Err(bad_argument(operator, value)),
    }
}

fn string<'a>(operator: &str, value: &'a str) -> Result<Cow<'a, str>, InvalidSelector> {
    json::string(value).ok_or_else(|| bad_argument(operator, value))
}

fn bad_argument(operator: &str, argument: &str) -> InvalidSelector {
    // Strings are spelled anew, so that no escape hides what was given.
    let argument = json::string(argument).map_or(argument.into(), |text| quoted(&text).into());
    InvalidSelector::BadArgument {
        operator: operator.into(),
        argument,
    }
}
