//! Settings in a TOML file.

use super::layer::{Layer, unknown_section};
use super::{Problem, Value, keys};
use std::io;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of a settings file: some thousand administrators.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What the file sets, and its mistakes; nothing, if there is none.
pub(super) fn read(path: &Path) -> Layer {
    text(path).map_or_else(Layer::from, |text| parse(&text, path))
}

fn text(path: &Path) -> Result<String, Problem> {
    let wrong = |cause: io::Error| Problem::new(format!("{}: {cause}", path.display()));
    match std::fs::metadata(path) {
        Ok(data) if data.len() > FILE_BYTES_MAX => {
            return Err(Problem::new(format!(
                "{}: longer than {FILE_BYTES_MAX} bytes",
                path.display()
            )));
        }
        Ok(_) => {}
        Err(cause) if is_absent(&cause) => return Ok(String::new()),
        Err(cause) => return Err(wrong(cause)),
    }
    std::fs::read_to_string(path).map_err(wrong)
}

/// Whether there is no such file. What else is wrong with its place is told once, by who opens the store.
fn is_absent(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What the text of a file sets, and its mistakes. Of text that is not TOML the first.
pub(super) fn parse(text: &str, path: &Path) -> Layer {
    let wrong = |at: usize, what: &str| {
        let lines = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        format!("{}, line {}: {what}", path.display(), lines + 1)
    };
    let mut layer = Layer::default();
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            layer.mistake(wrong(at, error.message()));
            return layer;
        }
    };
    for (name, held) in table.get_ref() {
        let section = name.get_ref().as_ref();
        let at = name.span().start;
        if keys::section(section).is_none() {
            layer.mistake(wrong(at, &unknown_section(section)));
            continue;
        }
        let Some(held) = held.get_ref().as_table() else {
            layer.mistake(wrong(at, &format!("[{section}] must be a section")));
            continue;
        };
        for (key, value) in held {
            let put = read_value(value)
                .ok_or_else(|| misfit(section, key.get_ref()))
                .and_then(|value| layer.add(section, key.get_ref(), value));
            if let Err(what) = put {
                layer.mistake(wrong(key.span().start, &what));
            }
        }
    }
    layer
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
