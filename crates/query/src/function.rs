//! One function of a design document, called on whichever thread asks: compiled there the first time, and kept for the
//! next.

use std::cell::RefCell;
use std::fmt;
use trunkline_core::limits::{SANDBOX_CALLS_PER_LOOK, SANDBOXES_PER_THREAD_MAX};
use trunkline_js::{Failure, Limits, Sandbox, Sources};
use trunkline_store::Database;
use trunkline_wire::design_doc::{self, DesignDoc, Language};

/// Why a function of a design document gave no answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FunctionError {
    /// There is no such design document.
    NoDesign,
    /// There was one.
    DesignDeleted,
    /// It has no such member; its name.
    NoMember(String),
    /// It is none: what is wrong with it.
    BadDesign(String),
    /// Nothing here runs functions in that language.
    Language(String),
    /// It does not compile.
    Script(trunkline_js::Error),
    /// It threw: the value as JSON, unless it was an `Error`, and as text.
    Threw {
        /// JSON text.
        value: Option<String>,
        /// On one line.
        message: String,
    },
    /// It took too long, or too much memory; which.
    Bounds(String),
    /// What it gave is nothing that such functions give; why.
    BadAnswer(String),
    /// Reading the database failed.
    Store(trunkline_store::Error),
}

/// A function with the modules that it may require.
#[derive(Clone)]
pub(crate) struct Function {
    /// Names the compiled function among those that a thread keeps.
    key: [u8; 32],
    sources: Sources,
}

/// A design document as functions need it.
pub(crate) struct Found {
    /// Of the database: functions of two of them share nothing that they keep.
    scope: String,
    pub(crate) design: DesignDoc,
    /// JSON text.
    body: String,
}

/// A compiled function that waits for its next call.
struct Kept {
    key: [u8; 32],
    sandbox: Sandbox,
    calls: u32,
}

thread_local! {
    /// Compiled functions, the last one used at the end.
    static SANDBOXES: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

impl Found {
    /// The design document `_design/{name}`, whose functions are JavaScript.
    pub(crate) fn named(db: &Database, name: &str) -> Result<Found, FunctionError> {
        let leaf = db
            .whole()
            .get(&format!("_design/{name}"), None)?
            .ok_or(FunctionError::NoDesign)?;
        if leaf.deleted {
            return Err(FunctionError::DesignDeleted);
        }
        Found::read(db.info()?.uuid, leaf.body.as_str())
    }

    /// A design document by its body; `scope` names its database.
    pub(crate) fn read(scope: String, body: &str) -> Result<Found, FunctionError> {
        let design = design_doc::parse(body).map_err(|invalid| FunctionError::BadDesign(invalid.reason))?;
        match &design.language {
            Language::JavaScript => Ok(Found {
                scope,
                design,
                body: body.to_owned(),
            }),
            Language::Query => Err(FunctionError::Language("query".to_owned())),
            Language::Other(name) => Err(FunctionError::Language(name.clone())),
        }
    }

    /// A function that has the design document for `this`, and finds modules all over it.
    pub(crate) fn function(&self, source: &str) -> Function {
        Function::new(
            &self.scope,
            Sources {
                functions: vec![source.to_owned()],
                modules: Some(self.body.clone()),
                ..Sources::default()
            },
        )
    }

    /// A map function, which finds modules in `views.lib`.
    pub(crate) fn map(&self, source: &str) -> Function {
        let lib = self.design.lib.as_ref();
        Function::new(
            &self.scope,
            Sources {
                maps: vec![source.to_owned()],
                modules: lib.map(|lib| format!("{{\"views\":{{\"lib\":{lib}}}}}")),
                ..Sources::default()
            },
        )
    }
}

impl Function {
    fn new(scope: &str, sources: Sources) -> Function {
        let mut hasher = blake3::Hasher::new();
        let sources_of = sources.maps.iter().chain(&sources.functions);
        for text in std::iter::once(scope).chain(sources_of.map(String::as_str)) {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.update(&[u8::from(sources.maps.is_empty())]);
        hasher.update(sources.modules.as_deref().unwrap_or_default().as_bytes());
        Function {
            key: *hasher.finalize().as_bytes(),
            sources,
        }
    }

    /// Calls it. Blocks for as long as it runs.
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(&mut Sandbox) -> Result<T, FunctionError>,
    ) -> Result<T, FunctionError> {
        let mut kept = match self.kept() {
            Some(kept) => kept,
            None => Kept {
                key: self.key,
                sandbox: Sandbox::new(self.sources.clone(), Limits::default())?,
                calls: 0,
            },
        };
        let result = call(&mut kept.sandbox);
        for line in kept.sandbox.take_log() {
            tracing::info!("a function of a design document: {line}");
        }
        kept.calls = (kept.calls + 1) % SANDBOX_CALLS_PER_LOOK;
        if kept.calls == 0 && kept.sandbox.hoards() {
            return result;
        }
        SANDBOXES.with_borrow_mut(|all| {
            if all.len() >= SANDBOXES_PER_THREAD_MAX {
                all.remove(0);
            }
            all.push(kept);
        });
        result
    }

    fn kept(&self) -> Option<Kept> {
        SANDBOXES.with_borrow_mut(|all| {
            let at = all.iter().position(|kept| kept.key == self.key)?;
            Some(all.remove(at))
        })
    }
}

impl FunctionError {
    /// A call that may be worth another try with less to do.
    pub(crate) fn is_of_bounds(&self) -> bool {
        matches!(self, FunctionError::Bounds(_))
    }
}

impl From<Failure> for FunctionError {
    fn from(failure: Failure) -> FunctionError {
        match failure {
            Failure::Threw { value, message } => FunctionError::Threw { value, message },
            Failure::TimedOut | Failure::OutOfMemory | Failure::Unavailable(_) => {
                FunctionError::Bounds(failure.to_string())
            }
        }
    }
}

impl From<trunkline_js::Error> for FunctionError {
    fn from(error: trunkline_js::Error) -> FunctionError {
        FunctionError::Script(error)
    }
}

impl From<trunkline_store::Error> for FunctionError {
    fn from(error: trunkline_store::Error) -> FunctionError {
        FunctionError::Store(error)
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FunctionError::NoDesign => f.write_str("missing"),
            FunctionError::DesignDeleted => f.write_str("deleted"),
            FunctionError::NoMember(name) => write!(f, "missing json key: {name}"),
            FunctionError::Language(name) => write!(f, "there is no query server for the language {name}"),
            FunctionError::Script(error) => error.fmt(f),
            FunctionError::Store(error) => error.fmt(f),
            FunctionError::BadDesign(text)
            | FunctionError::Bounds(text)
            | FunctionError::BadAnswer(text)
            | FunctionError::Threw { message: text, .. } => f.write_str(text),
        }
    }
}

impl std::error::Error for FunctionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FunctionError::Script(error) => Some(error),
            FunctionError::Store(error) => Some(error),
            _ => None,
        }
    }
}
