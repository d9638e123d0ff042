//! Settings in a TOML file.

use super::layer::{Layer, unknown_section};
use super::{Problem, Value, keys};
use std::io;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of a settings file: some thousand administrators.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What the file sets; nothing, if there is none.
pub(super) fn read(path: &Path) -> Result<Layer, Problem> {
    let wrong = |cause: io::Error| Problem::new(format!("{}: {cause}", path.display()));
    match std::fs::metadata(path) {
        Ok(data) if data.len() > FILE_BYTES_MAX => {
            return Err(Problem::new(format!(
                "{}: longer than {FILE_BYTES_MAX} bytes",
                path.display()
            )));
        }
        Ok(_) => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Layer::default()),
        Err(cause) => return Err(wrong(cause)),
    }
    parse(&std::fs::read_to_string(path).map_err(wrong)?, path)
}

/// What the text of a file sets.
pub(super) fn parse(text: &str, path: &Path) -> Result<Layer, Problem> {
    let wrong = |at: usize, what: &str| {
        let lines = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        Problem::new(format!("{}, line {}: {what}", path.display(), lines + 1))
    };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(at, error.message())
    })?;
    let mut layer = Layer::default();
    for (name, held) in table.get_ref() {
        let section = name.get_ref().as_ref();
        let at = name.span().start;
        if keys::section(section).is_none() {
            return Err(wrong(at, &unknown_section(section)));
        }
        let Some(held) = held.get_ref().as_table() else {
            return Err(wrong(at, &format!("[{section}] must be a section")));
        };
        for (key, value) in held {
            let put = read_value(value)
                .ok_or_else(|| misfit(section, key.get_ref()))
                .and_then(|value| layer.add(section, key.get_ref(), value));
            put.map_err(|what| wrong(key.span().start, &what))?;
        }
    }
    Ok(layer)
}

/// What to say of a value that is of no kind at all: what the key takes, if there is one.
fn misfit(section: &str, key: &str) -> String {
    match super::layer::known(section, key) {
        Ok(found) => format!("`{key}` in [{section}] must be {}", found.kind().words()),
        Err(unknown) => unknown,
    }
}

fn read_value(value: &Spanned<DeValue<'_>>) -> Option<Value> {
    match value.get_ref() {
        DeValue::Boolean(switch) => Some(Value::Switch(*switch)),
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Number),
        DeValue::String(text) => Some(Value::Text(text.as_ref().to_owned())),
        DeValue::Array(values) => {
            let texts = values
                .iter()
                .map(|value| value.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>().map(Value::List)
        }
        _ => None,
    }
}
