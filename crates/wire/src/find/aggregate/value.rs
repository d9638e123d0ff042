//! What is told of a group.

use super::array;
use crate::find::Refusal;
use crate::find::request::{invalid_key, is_object, string};
use trunkline_core::aggregate::{Measure, Value};
use trunkline_core::json;
use trunkline_core::selector::FieldPath;

/// Documents of `top` and `bottom` where nothing else is asked for.
const RANKED: usize = 10;

/// Reads an object of them.
pub(super) fn named_values(value: &str) -> Result<Vec<Value>, Refusal> {
    if !is_object(value) {
        let reason = format!("values must be an object of named values, not: {value}");
        return Err(Refusal::new("invalid_values", reason));
    }
    let mut values = Vec::new();
    json::members(value, |name, inside| {
        values.push(named_value(&name, inside)?);
        Ok::<_, Refusal>(())
    })?;
    Ok(values)
}

fn named_value(name: &str, value: &str) -> Result<Value, Refusal> {
    let wrong = |what: &str| Refusal::new("invalid_value", format!("Invalid value {name}, {what}: {value}"));
    if !is_object(value) {
        return Err(wrong("not an object"));
    }
    let (mut asked, mut p, mut n, mut shown) = (None, None, None, None);
    json::members(value, |key, inside| {
        match &*key {
            "p" => p = Some(inside.parse::<f64>().map_err(|_| wrong("p is no number"))?),
            "n" => n = Some(inside.parse::<usize>().map_err(|_| wrong("n is no number"))?),
            "fields" => {
                shown = Some(
                    array(inside, "fields")?
                        .into_iter()
                        .map(string)
                        .collect::<Result<Vec<_>, _>>()?,
                )
            }
            "count" | "sum" | "avg" | "min" | "max" | "percentile" | "count_distinct" | "top" | "bottom" => {
                if asked.replace((key.into_owned(), inside)).is_some() {
                    return Err(wrong("more than one is asked for"));
                }
            }
            _ => return Err(invalid_key(&key)),
        }
        Ok(())
    })?;
    let Some((asked, field)) = asked else {
        return Err(wrong("nothing is asked for"));
    };
    let field = match json::string(field) {
        Some(field) => Some(field.into_owned()),
        None if asked == "count" && field == "true" => None,
        None => return Err(wrong("the field is no text")),
    };
    let (has_p, has_n, has_shown) = (p.is_some(), n.is_some(), shown.is_some());
    let measure = match asked.as_str() {
        "count" => Measure::Count,
        "sum" => Measure::Sum,
        "avg" => Measure::Mean,
        "min" => Measure::Min,
        "max" => Measure::Max,
        "count_distinct" => Measure::CountDistinct,
        "percentile" => Measure::Percentile(p.ok_or_else(|| wrong("it needs p, from 0 to 100"))?),
        _ => {
            let fields = shown.unwrap_or_else(|| {
                [Some("_id".to_owned()), field.clone()]
                    .into_iter()
                    .flatten()
                    .collect()
            });
            let with_path = |name: String| Ok((name.clone(), FieldPath::parse(&name)?));
            Measure::Ranked {
                most: n.unwrap_or(RANKED),
                greatest: asked == "top",
                shown: fields
                    .into_iter()
                    .map(with_path)
                    .collect::<Result<_, Refusal>>()?,
            }
        }
    };
    let is_ranked = matches!(measure, Measure::Ranked { .. });
    if has_p != matches!(measure, Measure::Percentile(_)) || (has_n || has_shown) && !is_ranked {
        return Err(wrong("p is of percentile, n and fields are of top and bottom"));
    }
    Ok(Value {
        name: name.to_owned(),
        measure,
        field: field.map(|field| FieldPath::parse(&field)).transpose()?,
    })
}
