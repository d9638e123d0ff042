//! The places that settings come from.

use super::layer::Layer;
use super::{Problem, Settings, environment, file};
use crate::config::Config;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use trunkline_replicate::{Secrets, Tls};

/// Where systemd puts what a service is to know.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The places that a server's settings come from. `Default` has none: what is set while it runs ends with it.
#[derive(Clone, Default)]
pub struct Sources {
    /// What the others go over.
    pub base: Config,
    /// The operator's file, which nobody else writes.
    pub file: Option<PathBuf>,
    /// Whether it is an error that the file is not there.
    pub file_is_named: bool,
    /// The file of what is set while a server runs.
    pub kept: Option<PathBuf>,
    /// Variables; those that are not ours are passed over.
    pub environment: Vec<(String, String)>,
    /// Section, key and text of each flag.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// Which place has the last word on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator's file.
    File,
    /// What was set while a server ran.
    Kept,
    /// The environment.
    Environment,
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::File => "file",
            Origin::Kept => "settings.toml",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
        })
    }
}

/// Places that were read. `kept` is not among them: it is read again whenever it is changed.
pub(super) struct Places {
    base: Settings,
    credentials: Option<PathBuf>,
    pub(super) file: Layer,
    pub(super) environment: Layer,
    pub(super) flags: Layer,
    file_path: Option<PathBuf>,
    file_is_named: bool,
    kept_path: Option<PathBuf>,
}

pub(super) type Origins = BTreeMap<(String, String), Origin>;

impl Places {
    /// Reads them; with what to warn of.
    pub(super) fn open(sources: Sources) -> (Places, Vec<String>) {
        let (environment, warnings) = environment::read(&sources.environment);
        let mut flags = Layer::default();
        for (section, key, text) in &sources.flags {
            if let Err(wrong) = flags.read(section, key, text) {
                flags.mistake(wrong);
            }
        }
        let credentials = sources.environment.iter().find(|(name, _)| name == CREDENTIALS);
        let mut places = Places {
            credentials: credentials.map(|(_, path)| PathBuf::from(path)),
            base: Settings {
                config: sources.base,
                ..Settings::default()
            },
            file: Layer::default(),
            environment,
            flags,
            file_path: sources.file,
            file_is_named: sources.file_is_named,
            kept_path: sources.kept,
        };
        places.file = places.read_file();
        (places, warnings)
    }

    /// None but what a program says.
    pub(super) fn of_program(base: Settings) -> Places {
        Places {
            base,
            credentials: None,
            file: Layer::default(),
            environment: Layer::default(),
            flags: Layer::default(),
            file_path: None,
            file_is_named: false,
            kept_path: None,
        }
    }

    /// The operator's file, as it is now.
    pub(super) fn read_file(&self) -> Layer {
        let Some(path) = &self.file_path else {
            return Layer::default();
        };
        if self.file_is_named && !path.exists() {
            return Problem::new(format!("{}: no such file", path.display())).into();
        }
        file::read(path)
    }

    /// The file of what was set while a server ran; `None`: there is no such file.
    pub(super) fn kept_path(&self) -> Option<&std::path::Path> {
        self.kept_path.as_deref()
    }

    /// How the operator's file is called.
    pub(super) fn file_name(&self) -> String {
        let path = self.file_path.as_ref();
        path.map_or("the program".to_owned(), |path| path.display().to_string())
    }

    /// What the program begins with.
    pub(super) fn set_base(&mut self, config: Config) {
        self.base.config = config;
    }

    /// All of them over each other, if each is right and they fit together; else every mistake.
    pub(super) fn together(&self, file: &Layer, kept: &Layer) -> Result<(Settings, Origins), Problem> {
        let (mut settings, mut origins) = (self.base.clone(), Origins::new());
        let mut mistakes = Vec::new();
        for (layer, origin) in [
            (file, Origin::File),
            (kept, Origin::Kept),
            (&self.environment, Origin::Environment),
            (&self.flags, Origin::Flag),
        ] {
            mistakes.extend_from_slice(layer.mistakes());
            mistakes.extend(layer.put(&mut settings, &mut origins, origin).err());
        }
        mistakes.extend(settings.wrong_values());
        if mistakes.is_empty() {
            // What is missing may be what a mistake meant.
            mistakes.extend(settings.wrong_together());
        }
        Problem::unless_none(mistakes)?;
        let dirs = settings.process.secrets.iter().chain(&self.credentials);
        let dirs: Vec<PathBuf> = dirs.cloned().collect();
        if !dirs.is_empty() {
            settings.config.secrets = Secrets::in_dirs(dirs);
        }
        let peers = &settings.process.peers;
        if *peers != Tls::default() {
            settings.config.secrets = settings.config.secrets.clone().with_tls(peers.clone());
        }
        Ok((settings, origins))
    }
}
