//! The settings in force. What may change does so as a whole: whoever asks has all of before or all of after.

use super::hashed::Hashed;
use super::sources::Places;
use super::state::{All, State};
use super::{Problem, Process, Settings, Shown, Sources, Unchanged, Value, keys};
use crate::config::Config;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The settings of a server as they are now; cheap to clone, each clone tells the same.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

struct Shared {
    now: RwLock<Arc<Config>>,
    /// One change at a time. Nobody who asks waits for it.
    state: Mutex<State>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl From<Config> for Live {
    fn from(config: Config) -> Live {
        Live::new(config)
    }
}

impl Live {
    /// Begins with these, which are all there is: what is set while the server runs ends with it.
    pub fn new(config: Config) -> Live {
        Live::with(State::of_program(Settings {
            config,
            ..Settings::default()
        }))
    }

    /// Reads all the sources; with what to warn of. Takes a while if a password is to be hashed.
    pub fn open(sources: Sources) -> Result<(Live, Vec<String>), Problem> {
        let (places, mut warnings) = Places::open(sources);
        if Hashed::has_clear(&places.file) {
            warnings.push(format!(
                "{} has a password in clear; `trunkline init --hash` prints what to put in its place",
                places.file_name()
            ));
        }
        let state = State::open(places)?;
        if let Some(path) = state.places.kept_path()
            && Hashed::has_clear(&state.read_kept()?)
        {
            warnings.push(format!(
                "{} has a password in clear, until the next setting is set; `trunkline init` hashes it, too",
                path.display()
            ));
        }
        warnings.extend(state.settings.warnings());
        Ok((Live::with(state), warnings))
    }

    fn with(state: State) -> Live {
        Live(Arc::new(Shared {
            now: RwLock::new(Arc::new(state.settings.config.clone())),
            state: Mutex::new(state),
        }))
    }

    /// As they are at this moment. Ask once for what must fit together.
    pub fn now(&self) -> Arc<Config> {
        self.0.now.read().clone()
    }

    /// What the process was started with.
    pub fn process(&self) -> Process {
        self.0.state.lock().settings.process.clone()
    }

    /// Puts others in their place, for programs that embed a server.
    pub fn set(&self, config: Config) {
        let mut state = self.0.state.lock();
        state.places.set_base(config.clone());
        state.settings.config = config;
        self.publish(&state);
    }

    fn publish(&self, state: &State) {
        *self.0.now.write() = Arc::new(state.settings.config.clone());
    }

    /// Every setting that is set, by section and key.
    pub fn list(&self) -> BTreeMap<&'static str, BTreeMap<String, Shown>> {
        let state = self.0.state.lock();
        let sections = keys::SECTIONS.iter().map(|section| {
            let values = section.list(&state.settings).into_iter();
            let shown = values.filter_map(|(key, value)| {
                let found = section.find(&key)?;
                let shown = state.show(found, section.name, &key, &value);
                Some((key, shown))
            });
            (section.name, shown.collect())
        });
        sections.collect()
    }

    /// Sets a key, or, without a value, takes back what was set while a server ran. Answers what was shown before. `who`
    /// is the audit log's `user`; empty: nobody. Blocks.
    pub fn change(
        &self,
        section: &str,
        key: &str,
        value: Option<Value>,
        who: &str,
    ) -> Result<Option<String>, Unchanged> {
        let found = keys::find(section, key).ok_or(Unchanged::Unknown)?;
        let mut state = self.0.state.lock();
        let old = keys::section(section).and_then(|section| section.list(&state.settings).remove(key));
        let old = old.map(|old| state.show(found, section, key, &old).text);
        let action = if value.is_some() { "set" } else { "taken back" };
        state.may_change(found, section, key)?;
        let _lock = state.lock_kept().map_err(Unchanged::not_kept)?;
        let mut kept = state.read_kept().map_err(Unchanged::not_kept)?;
        match value {
            Some(value) => {
                let value = Hashed::value(section, value, &state.settings.config);
                kept.take(section, key, value).map_err(Unchanged::Refused)?;
            }
            None if kept.remove(section, key).is_some() => {}
            None if state.places.file.has(section, key) => {
                let name = state.places.file_name();
                return Err(Unchanged::Refused(format!(
                    "it stands in {name}: take it out there"
                )));
            }
            None => return Err(Unchanged::Unknown),
        }
        state.keep(kept)?;
        self.publish(&state);
        let user = Some(who).filter(|who| !who.is_empty());
        tracing::info!(target: crate::audit::TARGET, user, section, key, "a setting was {action}");
        Ok(old)
    }

    /// Reads the files again. Answers which keys changed that count only after a restart. When something is wrong, nothing
    /// changes. `who` is the audit log's `user`; empty: nobody. Blocks.
    pub fn reload(&self, who: &str) -> Result<Vec<String>, Problem> {
        let mut state = self.0.state.lock();
        let file = state.places.read_file();
        let before = state.all();
        let waiting = state.take_file(file)?;
        let changed = names_of(&before, &state.all());
        self.publish(&state);
        let user = Some(who).filter(|who| !who.is_empty());
        tracing::info!(target: crate::audit::TARGET, user, ?changed, restart = ?waiting, "settings were read again");
        Ok(waiting)
    }

    /// Makes what cookies are signed with, if nobody set it, and keeps it, so that sessions outlive the server.
    pub fn keep_session_secret(&self) -> Result<(), Problem> {
        let mut state = self.0.state.lock();
        if !state
            .settings
            .config
            .authentication
            .sessions
            .secret
            .reveal()
            .is_empty()
        {
            return Ok(());
        }
        let secret = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|half| half.simple().to_string());
        let _lock = state.lock_kept()?;
        let mut kept = state.read_kept()?;
        kept.add("sessions", "secret", Value::Text(secret.concat()))
            .map_err(Problem::new)?;
        state
            .keep(kept)
            .map_err(|unchanged| Problem::new(unchanged.to_string()))?;
        self.publish(&state);
        Ok(())
    }
}

/// What is another than before, as `section/key`: values may be secrets.
fn names_of(before: &All, after: &All) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(name) != after.get(name));
    changed.map(|(section, key)| format!("{section}/{key}")).collect()
}
