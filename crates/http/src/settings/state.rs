//! What stands behind the settings in force: the layers, and how a changed one takes effect.

use super::hashed::{self, Hashed};
use super::key::{Found, Holds, Section};
use super::layer::Layer;
use super::sources::{Origins, Places};
use super::{HIDDEN, Origin, Problem, Settings, Shown, Unchanged, Value, file, kept, keys};
use std::collections::BTreeMap;

/// Settings by section and key.
pub(super) type All = BTreeMap<(&'static str, String), Value>;

pub(super) struct State {
    pub(super) places: Places,
    /// What was set while the server ran, when there is no file for it.
    kept: Layer,
    pub(super) settings: Settings,
    pub(super) origins: Origins,
    pub(super) hashed: Hashed,
}

impl State {
    /// Puts the places over each other.
    pub(super) fn open(places: Places) -> Result<State, Problem> {
        let mut state = State {
            places,
            kept: Layer::default(),
            settings: Settings::default(),
            origins: Origins::new(),
            hashed: Hashed::default(),
        };
        let (file, kept) = (state.places.file.clone(), state.kept_layer());
        (state.settings, state.origins) = state.together(&file, &kept)?;
        Ok(state)
    }

    /// Begins with a program's, as they are.
    pub(super) fn of_program(settings: Settings) -> State {
        State {
            places: Places::of_program(settings.clone()),
            kept: Layer::default(),
            settings,
            origins: Origins::new(),
            hashed: Hashed::default(),
        }
    }

    fn together(&mut self, file: &Layer, kept: &Layer) -> Result<(Settings, Origins), Problem> {
        let (mut settings, origins) = self.places.together(file, kept)?;
        self.hashed.admins(&mut settings.config);
        let had_admins = !self.settings.config.admins.is_empty();
        if had_admins && settings.config.admins.is_empty() {
            // Everyone on the network would be one.
            return Err(Problem::new(
                "the last administrator stays while the server runs; stop it first, or name another",
            ));
        }
        Ok((settings, origins))
    }

    /// What was set while a server ran. Read anew: `trunkline init` writes it, too.
    pub(super) fn read_kept(&self) -> Result<Layer, Problem> {
        self.kept_layer().sound()
    }

    /// The same, with its mistakes.
    fn kept_layer(&self) -> Layer {
        match self.places.kept_path() {
            Some(path) => file::read(path),
            None => self.kept.clone(),
        }
    }

    /// Holds off other processes that would change what was set while a server ran, until it is dropped. Blocks.
    pub(super) fn lock_kept(&self) -> Result<Option<std::fs::File>, Problem> {
        self.places.kept_path().map(kept::lock).transpose()
    }

    /// What was set while a server ran is this from now on; passwords that someone wrote there in clear are hashed.
    pub(super) fn keep(&mut self, mut kept: Layer) -> Result<(), Unchanged> {
        let refused = |problem: Problem| Unchanged::Refused(problem.to_string());
        let file = self.places.file.clone();
        let (mut settings, origins) = self.together(&file, &kept).map_err(refused)?;
        self.hashed
            .layer(&mut kept, &settings.config.authentication.passwords);
        match self.places.kept_path() {
            Some(path) => kept::write(&kept, path).map_err(Unchanged::not_kept)?,
            None => self.kept = kept,
        }
        self.hold_back(&mut settings);
        (self.settings, self.origins) = (settings, origins);
        Ok(())
    }

    /// Takes another file of the operator's. Answers which keys wait for a restart.
    pub(super) fn take_file(&mut self, file: Layer) -> Result<Vec<String>, Problem> {
        let kept = self.kept_layer();
        let (mut settings, origins) = self.together(&file, &kept)?;
        let waiting = self.hold_back(&mut settings);
        (self.places.file, self.settings, self.origins) = (file, settings, origins);
        Ok(waiting)
    }

    /// Every setting that is set.
    pub(super) fn all(&self) -> All {
        let of = |section: &'static Section| {
            let values = section.list(&self.settings).into_iter();
            let name = section.name;
            values.map(move |(key, value)| ((name, key), value))
        };
        keys::SECTIONS.iter().flat_map(of).collect()
    }

    /// Leaves what counts after a restart as it is. Answers which keys that is.
    fn hold_back(&self, next: &mut Settings) -> Vec<String> {
        let mut waiting = Vec::new();
        for section in keys::SECTIONS {
            let Holds::Keys(keys) = &section.holds else {
                continue;
            };
            for key in keys.iter().filter(|key| !key.changes) {
                let now = (key.show)(&self.settings);
                if now != (key.show)(next) {
                    waiting.push(format!("{}/{}", section.name, key.name));
                    now.map(|now| (key.put)(next, now));
                }
            }
        }
        next.process = self.settings.process.clone();
        waiting
    }

    /// Whether what is set while a server runs would count.
    pub(super) fn may_change(&self, found: Found, section: &str, key: &str) -> Result<(), Unchanged> {
        let why = if !found.changes() {
            format!(
                "it is read when the server starts: set it in {}",
                self.places.file_name()
            )
        } else if self.places.environment.has(section, key) {
            "the environment sets it, and goes before".to_owned()
        } else if self.places.flags.has(section, key) {
            "a flag sets it, and goes before".to_owned()
        } else {
            return Ok(());
        };
        Err(Unchanged::Refused(format!(
            "`{key}` in [{section}] cannot be changed now: {why}"
        )))
    }

    /// A value, without what nobody is shown.
    pub(super) fn show(&self, found: Found, section: &str, key: &str, value: &Value) -> Shown {
        let (text, is_hash) = match (found, value) {
            (Found::Name(names), Value::Text(text)) if names.hashed && hashed::is_hash(text) => {
                (text.clone(), true)
            }
            (Found::Name(names), _) if names.hashed => (HIDDEN.to_owned(), false),
            (found, value) => (found.kind().show(value), false),
        };
        let origin: Option<Origin> = self.origins.get(&(section.to_owned(), key.to_owned())).copied();
        Shown {
            text,
            is_hash,
            origin,
        }
    }
}
