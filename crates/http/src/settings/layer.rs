//! Settings from one place, which go over those of the places before it.

use super::key::Holds;
use super::{Origin, Problem, Settings, Value, keys, nearest};
use std::collections::BTreeMap;

/// What one place sets: checked values by section and key; and what it would, if it were right.
#[derive(Clone, Default)]
pub(super) struct Layer {
    values: BTreeMap<(String, String), Value>,
    mistakes: Vec<String>,
}

impl From<Problem> for Layer {
    fn from(problem: Problem) -> Layer {
        Layer {
            mistakes: problem.lines().to_vec(),
            ..Layer::default()
        }
    }
}

impl Layer {
    /// Remembers that something cannot be taken. The place counts for nothing then, but all of its mistakes are told.
    pub(super) fn mistake(&mut self, what: String) {
        self.mistakes.push(what);
    }

    pub(super) fn mistakes(&self) -> &[String] {
        &self.mistakes
    }

    /// All of it, if it is right.
    pub(super) fn sound(self) -> Result<Layer, Problem> {
        Problem::unless_none(self.mistakes.clone()).map(|()| self)
    }

    /// Adds a value; the error says what is wrong with it, but not where it is.
    pub(super) fn add(&mut self, section: &str, key: &str, value: Value) -> Result<(), String> {
        let found = known(section, key)?;
        let value = found
            .put(&mut Settings::default(), key, value.clone())
            .map(|()| value)
            .map_err(|wrong| format!("`{key}` in [{section}] {wrong}"))?;
        self.values.insert((section.to_owned(), key.to_owned()), value);
        Ok(())
    }

    /// Adds what a text says.
    pub(super) fn read(&mut self, section: &str, key: &str, text: &str) -> Result<(), String> {
        let found = known(section, key)?;
        let value = found.kind().read(text);
        let value = value.map_err(|wrong| format!("`{key}` in [{section}] {wrong}"))?;
        self.add(section, key, value)
    }

    /// Adds a value that came as a text, or as one of its kind.
    pub(super) fn take(&mut self, section: &str, key: &str, value: Value) -> Result<(), String> {
        match value {
            Value::Text(text) => self.read(section, key, &text),
            value => self.add(section, key, value),
        }
    }

    pub(super) fn remove(&mut self, section: &str, key: &str) -> Option<Value> {
        self.values.remove(&(section.to_owned(), key.to_owned()))
    }

    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.values.contains_key(&(section.to_owned(), key.to_owned()))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let values = self.values.iter();
        values.map(|((section, key), value)| (section.as_str(), key.as_str(), value))
    }

    /// To put values in place of others of their kind, which must be as right.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &str, &mut Value)> {
        let values = self.values.iter_mut();
        values.map(|((section, key), value)| (section.as_str(), key.as_str(), value))
    }

    /// Puts all of it over the settings.
    pub(super) fn put(
        &self,
        settings: &mut Settings,
        origins: &mut BTreeMap<(String, String), Origin>,
        origin: Origin,
    ) -> Result<(), String> {
        for (section, key, value) in self.iter() {
            known(section, key).and_then(|found| found.put(settings, key, value.clone()))?;
            origins.insert((section.to_owned(), key.to_owned()), origin);
        }
        Ok(())
    }
}

/// The key; or that there is none, and which is near.
pub(super) fn known(section: &str, key: &str) -> Result<super::key::Found, String> {
    let Some(found) = keys::section(section) else {
        return Err(unknown_section(section));
    };
    found.find(key).ok_or_else(|| {
        let hint = match &found.holds {
            Holds::Keys(keys) => nearest::hint(key, keys.iter().map(|key| key.name)),
            Holds::Names(_) => String::new(),
        };
        format!("unknown key `{key}` in [{section}]{hint}")
    })
}

/// That there is no such section.
pub(super) fn unknown_section(section: &str) -> String {
    let names = keys::SECTIONS.iter().map(|section| section.name);
    format!("unknown section [{section}]{}", nearest::hint(section, names))
}
