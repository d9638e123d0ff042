//! What the table says of a section and a key.

use super::{Kind, Settings, Value};
use std::collections::BTreeMap;

/// Settings that belong together.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub text: &'static str,
    /// What is in it.
    pub holds: Holds,
}

/// What is in a section.
#[derive(Debug)]
pub enum Holds {
    /// These keys.
    Keys(&'static [Key]),
    /// Names that the operator chooses, each with a value.
    Names(Names),
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its name within its section.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it may change while a server runs.
    pub changes: bool,
    /// What it does.
    pub text: &'static str,
    pub(super) show: fn(&Settings) -> Option<Value>,
    /// Whether the value was of its kind.
    pub(super) put: fn(&mut Settings, Value) -> bool,
}

/// What names of the operator's choice stand for. They may change while a server runs.
#[derive(Debug)]
pub struct Names {
    /// What each may be.
    pub kind: Kind,
    /// A line as an example.
    pub example: &'static str,
    pub(super) show: fn(&Settings) -> BTreeMap<String, Value>,
    /// Whether the value was of the kind.
    pub(super) put: fn(&mut Settings, &str, Value) -> bool,
    /// Whether they are passwords, of which hashes are kept and shown.
    pub(super) hashed: bool,
}

/// A key: its name, its kind, whether it changes while a server runs, where its value is, and what it does.
macro_rules! key {
    ($name:literal, $kind:expr, $when:ident, $($place:ident).+, $text:expr) => {
        $crate::settings::Key {
            name: $name,
            kind: $kind,
            changes: $crate::settings::key::$when,
            text: $text,
            show: |settings| $crate::settings::field::Field::show(&settings.$($place).+),
            put: |settings, value| match $crate::settings::field::Field::of(value) {
                Some(value) => {
                    settings.$($place).+ = value;
                    true
                }
                None => false,
            },
        }
    };
}
pub(super) use key;

/// It changes while a server runs.
pub(super) const LIVE: bool = true;
/// It is read when a server starts.
pub(super) const START: bool = false;

impl Section {
    /// The key of that name.
    pub(super) fn find(&'static self, name: &str) -> Option<Found> {
        match &self.holds {
            Holds::Keys(keys) => keys.iter().find(|key| key.name == name).map(Found::Key),
            Holds::Names(names) if !name.is_empty() => Some(Found::Name(names)),
            Holds::Names(_) => None,
        }
    }

    /// All that is set in it.
    pub(super) fn list(&self, settings: &Settings) -> BTreeMap<String, Value> {
        match &self.holds {
            Holds::Keys(keys) => {
                let set = keys.iter().map(|key| (key.name.to_owned(), (key.show)(settings)));
                set.filter_map(|(name, value)| Some((name, value?))).collect()
            }
            Holds::Names(names) => (names.show)(settings),
        }
    }
}

/// A key, whoever chose its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    Key(&'static Key),
    Name(&'static Names),
}

impl Found {
    pub(super) fn kind(self) -> Kind {
        match self {
            Found::Key(key) => key.kind,
            Found::Name(names) => names.kind,
        }
    }

    pub(super) fn changes(self) -> bool {
        match self {
            Found::Key(key) => key.changes,
            Found::Name(_) => LIVE,
        }
    }

    /// Puts a value into settings.
    pub(super) fn put(self, settings: &mut Settings, name: &str, value: Value) -> Result<(), String> {
        let value = self.kind().check(value)?;
        let put = match self {
            Found::Key(key) => (key.put)(settings, value),
            Found::Name(names) => (names.put)(settings, name, value),
        };
        if put {
            Ok(())
        } else {
            Err(format!("must be {}", self.kind().words()))
        }
    }
}
