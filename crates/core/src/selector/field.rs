//! Paths to fields, and what stands there in a value's text.

use super::InvalidSelector;
use crate::json::{self, JsonError, Reader};

/// Where in a value to look. Empty for the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath {
    /// As the selector has it: parts joined by dots, a dot inside a part behind a backslash.
    pub(super) name: Box<str>,
    /// Its parts.
    pub(super) path: Vec<Box<str>>,
    /// Its place among those of a selector that are looked up together.
    pub(super) number: usize,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// This value.
    Value(&'a str),
    /// Nothing: an object on the way lacks the next part.
    Nothing,
    /// No path: a value on the way is neither an object nor an array long enough.
    NoPath,
}

impl FieldPath {
    /// Reads parts joined by dots; a dot inside a part stands behind a backslash.
    pub fn parse(name: &str) -> Result<FieldPath, InvalidSelector> {
        if name.is_empty() {
            return Ok(FieldPath::default());
        }
        let mut path = vec![String::new()];
        let mut escaped = false;
        for character in name.chars() {
            match (character, path.last_mut()) {
                ('.', _) if !escaped => path.push(String::new()),
                ('\\', _) => {}
                (character, Some(part)) => part.push(character),
                (_, None) => {}
            }
            escaped = character == '\\';
        }
        if path.iter().any(String::is_empty) {
            return Err(InvalidSelector::InvalidFieldName(name.into()));
        }
        Ok(FieldPath {
            name: name.into(),
            path: path.into_iter().map(String::into_boxed_str).collect(),
            number: 0,
        })
    }

    /// As it was read.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(|part| &**part)
    }

    /// What stands there in a value, a valid JSON text.
    pub fn find<'a>(&self, value: &'a str) -> Option<&'a str> {
        match find(value, &self.path) {
            Found::Value(value) => Some(value),
            Found::Nothing | Found::NoPath => None,
        }
    }
}

/// The way out of a walk over members.
enum Stop<'a> {
    Found(&'a str),
    Broken,
}

impl From<JsonError> for Stop<'_> {
    fn from(_: JsonError) -> Self {
        Stop::Broken
    }
}

/// Looks a path up in a value. What comes after the field in its objects is not read.
pub(super) fn find<'a>(value: &'a str, path: &[Box<str>]) -> Found<'a> {
    let mut value = value;
    for part in path {
        let mut reader = Reader::new(value);
        let walk = match reader.peek() {
            Some(b'{') => reader.raw_members(|key, reader| {
                if key == &**part || (key.contains('\\') && json::unescape(key) == **part) {
                    return Err(Stop::Found(reader.raw()?));
                }
                Ok(())
            }),
            Some(b'[') => {
                let Ok(index) = part.parse::<usize>() else {
                    return Found::NoPath;
                };
                let mut at = 0;
                let walk = reader.elements(|reader| {
                    if at == index {
                        return Err(Stop::Found(reader.raw()?));
                    }
                    at += 1;
                    Ok(())
                });
                if walk.is_ok() {
                    return Found::NoPath;
                }
                walk
            }
            _ => return Found::NoPath,
        };
        match walk {
            Err(Stop::Found(found)) => value = found,
            Ok(()) => return Found::Nothing,
            Err(Stop::Broken) => return Found::NoPath,
        }
    }
    Found::Value(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_path(name: &str, path: &[&str]) {
        let parsed = FieldPath::parse(name).unwrap();
        assert_eq!(
            parsed.path.iter().map(|part| &**part).collect::<Vec<_>>(),
            path,
            "{name}"
        );
    }

    #[test]
    fn paths_are_split_at_dots_that_are_not_escaped() {
        check_path("ab", &["ab"]);
        check_path("a.b.c", &["a", "b", "c"]);
        check_path("a\\.b", &["a.b"]);
        check_path("a.b\\.c", &["a", "b.c"]);
        check_path("a\\b", &["ab"]);
        check_path("é.ü", &["é", "ü"]);
        for name in [".", "a.", ".a", "a..b", "\\"] {
            assert_eq!(
                FieldPath::parse(name).unwrap_err(),
                InvalidSelector::InvalidFieldName(name.into())
            );
        }
    }

    #[test]
    fn fields_are_found_in_objects_and_arrays() {
        let value = r#"{"a":{"b":[10,{"c":null}]},"x.y":1,"\u006b":2,"n":3}"#;
        for (name, found) in [
            ("a.b.0", Found::Value("10")),
            ("a.b.1.c", Found::Value("null")),
            ("a.b.1", Found::Value("{\"c\":null}")),
            ("a.b.2", Found::NoPath),
            ("a.b.-1", Found::NoPath),
            ("a.b.c", Found::NoPath),
            ("a.b.1.d", Found::Nothing),
            ("x\\.y", Found::Value("1")),
            ("x.y", Found::Nothing),
            ("k", Found::Value("2")),
            ("n.z", Found::NoPath),
            ("", Found::Value(value)),
        ] {
            assert_eq!(
                find(value, &FieldPath::parse(name).unwrap().path),
                found,
                "{name}"
            );
        }
        assert_eq!(
            find("{\"a\":", &FieldPath::parse("a").unwrap().path),
            Found::NoPath
        );
    }
}
