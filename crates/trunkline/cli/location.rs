//! Where a database is: behind a URL, or in a directory of this machine.

use super::remote::without_credentials;
use super::{Failure, login, trust};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trunkline::core::db_name::DbName;
use trunkline::engine::{Database, Error, Store};
use trunkline::replicate::{HttpPeer, LocalPeer, Peer};

/// A database, there or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// `http://host:port/database`.
    Remote(String),
    /// `DIR/database`.
    Local {
        /// The store's directory.
        dir: PathBuf,
        /// The database's name, which may contain `/`.
        name: DbName,
    },
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A store's directory itself.
    Store(PathBuf),
    /// A database.
    Database(Location),
}

impl Location {
    /// Reads a URL or `DIR/database`. DIR is the nearest ancestor that holds a store; where none does, everything
    /// before the last `/`.
    pub(crate) fn parse(text: &str) -> Result<Location, Failure> {
        match Place::parse(text)? {
            Place::Database(location) => Ok(location),
            Place::Store(dir) => Err(Failure::new(format!(
                "{} is a store; name a database in it: {}/DATABASE",
                dir.display(),
                dir.display()
            ))),
        }
    }

    /// Opens a local database. With `create`, makes it when it is not there.
    pub(crate) fn open(dir: &Path, name: &DbName, create: bool) -> Result<Database, Failure> {
        let store = open_store(dir, create)?;
        match store.database(name) {
            Err(Error::DatabaseMissing(_)) if create => Ok(store.create(name)?),
            Err(Error::DatabaseMissing(_)) => Err(Failure::new(format!(
                "no database {:?} in {}",
                name.as_str(),
                dir.display()
            ))),
            opened => Ok(opened?),
        }
    }
}

impl Place {
    /// As [`Place::parse`], for what must be there.
    pub(crate) fn existing(text: &str) -> Result<Place, Failure> {
        let path = Path::new(text);
        if !is_url(text) && !holds_store(path) && store_above(path).is_none() {
            return Err(Failure::new(format!("{text} holds no store, and is in none")));
        }
        Place::parse(text)
    }

    /// Reads a URL, `DIR` or `DIR/database`.
    pub(crate) fn parse(text: &str) -> Result<Place, Failure> {
        if is_url(text) {
            return Ok(Place::Database(Location::Remote(login::complete(text)?)));
        }
        if text.contains("://") {
            return Err(Failure::new(format!(
                "{}: a URL must start with http:// or https://",
                without_credentials(text)
            )));
        }
        let path = Path::new(text);
        if holds_store(path) {
            return Ok(Place::Store(path.to_owned()));
        }
        let above = store_above(path);
        let hint = match above {
            Some(_) => "",
            None => {
                "; no directory above it holds a store yet, so that the name is taken to start behind the last /"
            }
        };
        let (dir, name) = match (above, text.trim_end_matches('/').rsplit_once('/')) {
            (Some(dir), _) => {
                let below = path.strip_prefix(dir).unwrap_or(path);
                (dir.to_owned(), below.to_string_lossy().into_owned())
            }
            (None, Some(("", name))) => (PathBuf::from("/"), name.to_owned()),
            (None, Some((dir, name))) => (PathBuf::from(dir), name.to_owned()),
            (None, None) => {
                return Err(Failure::new(format!(
                    "{text:?} names no database: give a URL (http://127.0.0.1:5984/{text}) or a store's directory with it (./data/{text})"
                )));
            }
        };
        let name = DbName::parse(&name).map_err(|_| {
            Failure::new(format!(
                "{name:?} is no database name: lower-case letters, digits and _$()+-/ are allowed, a letter comes first{hint}"
            ))
        })?;
        Ok(Place::Database(Location::Local { dir, name }))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Remote(url) => f.write_str(&without_credentials(url)),
            Location::Local { dir, name } => write!(f, "{}/{}", dir.display(), name.as_str()),
        }
    }
}

/// Opens a store's directory; with `create`, makes it when it is not there.
pub(crate) fn open_store(dir: &Path, create: bool) -> Result<Store, Failure> {
    if !create && !holds_store(dir) {
        return Err(Failure::new(format!("{} holds no store", dir.display())));
    }
    Store::open(dir).map_err(|error| explain(error, dir))
}

/// Says what to do about a directory that is in use.
pub(crate) fn explain(error: Error, dir: &Path) -> Failure {
    match error {
        Error::Locked(_) => Failure::new(format!(
            "{} is in use by another process: stop it, or, if it is a server, use its URL (http://127.0.0.1:5984/DATABASE) instead of the directory",
            dir.display()
        )),
        error => Failure::new(format!("{}: {}", dir.display(), Failure::from(error))),
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The nearest directory above a path that holds a store.
fn store_above(path: &Path) -> Option<&Path> {
    let mut above = path.ancestors().skip(1).map(|dir| {
        if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        }
    });
    above.find(|dir| holds_store(dir))
}

fn holds_store(dir: &Path) -> bool {
    dir.join("store").is_file()
}

/// Stores that are open; both ends may be in one.
#[derive(Default)]
pub(crate) struct Stores {
    open: Vec<(PathBuf, Store)>,
}

impl Stores {
    pub(crate) fn peer(&mut self, location: &Location, create: bool) -> Result<Arc<dyn Peer>, Failure> {
        match location {
            Location::Remote(url) => Ok(Arc::new(HttpPeer::new(url, trust::http_options())?)),
            Location::Local { dir, name } => {
                Ok(Arc::new(LocalPeer::new(self.store(dir, create)?, name.clone())))
            }
        }
    }

    fn store(&mut self, dir: &PathBuf, create: bool) -> Result<Store, Failure> {
        let same = |open: &PathBuf| match (open.canonicalize(), dir.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => open == dir,
        };
        if let Some((_, store)) = self.open.iter().find(|(open, _)| same(open)) {
            return Ok(store.clone());
        }
        let store = open_store(dir, create)?;
        self.open.push((dir.clone(), store.clone()));
        Ok(store)
    }

    pub(crate) fn close(&self) -> Result<(), Failure> {
        for (_, store) in &self.open {
            store.close()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, dir: &str, name: &str) {
        let expected = Location::Local {
            dir: PathBuf::from(dir),
            name: DbName::parse(name).unwrap(),
        };
        assert_eq!(Location::parse(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn url_is_remote() {
        let url = "http://127.0.0.1:5984/account%2Fab";
        assert_eq!(Location::parse(url).unwrap(), Location::Remote(url.to_owned()));
    }

    #[test]
    fn nearest_store_above_gives_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let data = temp.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("store"), "").unwrap();
        let data = data.to_str().unwrap();
        check(&format!("{data}/cdrs"), data, "cdrs");
        check(
            &format!("{data}/account/ab/cd-202611"),
            data,
            "account/ab/cd-202611",
        );
        assert_eq!(Place::parse(data).unwrap(), Place::Store(PathBuf::from(data)));
        assert!(
            Location::parse(data)
                .unwrap_err()
                .to_string()
                .contains("name a database")
        );
    }

    #[test]
    fn without_a_store_the_last_slash_divides() {
        let temp = tempfile::tempdir().unwrap();
        let new = temp.path().join("new");
        let new = new.to_str().unwrap();
        check(&format!("{new}/cdrs"), new, "cdrs");
        let error = Location::parse(&format!("{new}/account/2026-11")).unwrap_err();
        assert!(error.to_string().contains("holds a store yet"), "{error}");
    }

    #[test]
    fn bare_and_bad_names_are_explained() {
        assert!(
            Location::parse("cdrs")
                .unwrap_err()
                .to_string()
                .contains("./data/cdrs")
        );
        assert!(
            Location::parse("nowhere/CDRs")
                .unwrap_err()
                .to_string()
                .contains("lower-case")
        );
    }
}
