//! From a selector's JSON text to its conditions.

use super::field::FieldPath;
use super::normal;
use super::pattern::Pattern;
use super::{Comparison, Condition, InvalidSelector, Test, quoted};
use crate::collate;
use crate::json::{self, JsonError};
use crate::limits::{
    REQUEST_ITEMS_MAX, SELECTOR_DEPTH_MAX, SELECTOR_PATH_BYTES_MAX, SELECTOR_PATTERNS_BYTES_MAX,
    SELECTOR_PATTERNS_MAX,
};
use std::borrow::Cow;

impl From<JsonError> for InvalidSelector {
    fn from(error: JsonError) -> InvalidSelector {
        match error {
            JsonError::TooDeep => InvalidSelector::TooDeep,
            JsonError::Syntax(_) | JsonError::TooManyDigits | JsonError::Expected(_) => {
                InvalidSelector::NotAnObject(error.to_string().into())
            }
        }
    }
}

/// The condition, and the bytes that its patterns take.
pub(super) fn selector(text: &str) -> Result<(Condition, usize), InvalidSelector> {
    let mut compact = String::with_capacity(text.len());
    json::validate(text.as_bytes())?;
    json::compact(text, &mut compact);
    if !compact.starts_with('{') {
        return Err(InvalidSelector::NotAnObject(compact.into()));
    }
    if compact == "{}" {
        return Ok((Condition::And(Vec::new()), 0));
    }
    let mut parser = Parser {
        path_bytes: SELECTOR_PATH_BYTES_MAX,
        patterns: SELECTOR_PATTERNS_MAX,
        pattern_bytes: SELECTOR_PATTERNS_BYTES_MAX,
    };
    let condition = normal::push_negations(parser.condition(&compact, "", 0)?);
    match &condition {
        Condition::Field(field, _) if field.path.is_empty() => Err(InvalidSelector::MissingFieldName),
        _ => Ok((condition, SELECTOR_PATTERNS_BYTES_MAX - parser.pattern_bytes)),
    }
}

/// What a selector may still take.
struct Parser {
    path_bytes: usize,
    patterns: usize,
    pattern_bytes: usize,
}

/// Bytes that a test takes beside its path.
const TEST_BYTES: usize = 64;

impl Parser {
    /// What `text` asks of the field named `field`.
    fn condition(&mut self, text: &str, field: &str, depth: usize) -> Result<Condition, InvalidSelector> {
        if depth > SELECTOR_DEPTH_MAX {
            return Err(InvalidSelector::TooDeep);
        }
        let mut conditions = Vec::new();
        if text.starts_with('{') {
            json::members(text, |key, value| {
                conditions.push(self.member(&key, value, field, depth + 1)?);
                Ok::<_, InvalidSelector>(())
            })?;
        }
        Ok(match conditions.len() {
            0 => Condition::Field(self.field(field)?, Test::Compare(Comparison::Eq, text.into())),
            1 => conditions.remove(0),
            _ => Condition::And(conditions),
        })
    }

    /// What one member of a selector asks.
    fn member(
        &mut self,
        key: &str,
        value: &str,
        field: &str,
        depth: usize,
    ) -> Result<Condition, InvalidSelector> {
        Ok(match key {
            "$and" => Condition::And(self.list(key, value, field, depth)?),
            "$or" => Condition::Or(self.list(key, value, field, depth)?),
            "$nor" => Condition::And(
                self.list(key, value, field, depth)?
                    .into_iter()
                    .map(|item| Condition::Not(item.into()))
                    .collect(),
            ),
            "$not" => Condition::Not(self.condition(object(key, value)?, field, depth)?.into()),
            _ if key.starts_with('$') => Condition::Field(self.field(field)?, self.test(key, value, depth)?),
            _ if field.is_empty() => self.condition(value, key, depth)?,
            _ => self.condition(value, &format!("{field}.{key}"), depth)?,
        })
    }

    fn list(
        &mut self,
        operator: &str,
        value: &str,
        field: &str,
        depth: usize,
    ) -> Result<Vec<Condition>, InvalidSelector> {
        let items = array(operator, value)?;
        items
            .iter()
            .map(|item| self.condition(item, field, depth))
            .collect()
    }

    fn field(&mut self, name: &str) -> Result<FieldPath, InvalidSelector> {
        let left = self.path_bytes.checked_sub(name.len() + TEST_BYTES);
        self.path_bytes = left.ok_or(InvalidSelector::TooLarge)?;
        FieldPath::parse(name)
    }

    fn test(&mut self, operator: &str, value: &str, depth: usize) -> Result<Test, InvalidSelector> {
        let compare = |comparison| Ok(Test::Compare(comparison, value.into()));
        let mut inner =
            || Ok::<_, InvalidSelector>(self.condition(object(operator, value)?, "", depth)?.into());
        match operator {
            "$lt" => compare(Comparison::Lt),
            "$lte" => compare(Comparison::Lte),
            "$eq" => compare(Comparison::Eq),
            "$ne" => compare(Comparison::Ne),
            "$gte" => compare(Comparison::Gte),
            "$gt" => compare(Comparison::Gt),
            "$in" => Ok(Test::In(sorted(operator, value)?)),
            "$nin" => Ok(Test::NotIn(sorted(operator, value)?)),
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
            "$regex" => self.pattern(operator, value),
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

    fn pattern(&mut self, operator: &str, value: &str) -> Result<Test, InvalidSelector> {
        self.patterns = self.patterns.checked_sub(1).ok_or(InvalidSelector::TooLarge)?;
        let pattern = Pattern::new(&string(operator, value)?).ok_or_else(|| bad_argument(operator, value))?;
        let left = self.pattern_bytes.checked_sub(pattern.bytes);
        self.pattern_bytes = left.ok_or(InvalidSelector::PatternsTooLarge)?;
        Ok(Test::Regex(pattern.into()))
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
        if items.len() == REQUEST_ITEMS_MAX {
            return Err(InvalidSelector::TooLarge);
        }
        items.push(item.into());
        Ok(())
    })?;
    Ok(items)
}

/// An array's elements, in the order in which they are looked up.
fn sorted(operator: &str, value: &str) -> Result<Vec<Box<str>>, InvalidSelector> {
    let mut items = array(operator, value)?;
    items.sort_by(|a, b| collate::compare(a, b));
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
