//! One function of a design document, called on whichever thread asks: compiled there the first time, and kept for the
//! next.

use std::cell::RefCell;
use std::fmt;
use trunkline_core::limits::SANDBOXES_PER_THREAD_MAX;
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
    pub(crate) design: DesignDoc,
    /// JSON text.
    body: String,
}

thread_local! {
    /// Compiled functions, the last one used at the end.
    static SANDBOXES: RefCell<Vec<([u8; 32], Sandbox)>> = const { RefCell::new(Vec::new()) };
}

impl Found {
    /// The design document `_design/{name}`, whose functions are JavaScript.
    pub(crate) fn named(db: &Database, name: &str) -> Result<Found, FunctionError> {
        let leaf = db
            .get(&format!("_design/{name}"), None)?
            .ok_or(FunctionError::NoDesign)?;
        if leaf.deleted {
            return Err(FunctionError::DesignDeleted);
        }
        Found::read(leaf.body.as_str())
    }

    /// A design document by its body.
    pub(crate) fn read(body: &str) -> Result<Found, FunctionError> {
        let design = design_doc::parse(body).map_err(|invalid| FunctionError::BadDesign(invalid.reason))?;
        match &design.language {
            Language::JavaScript => Ok(Found {
                design,
                body: body.to_owned(),
            }),
            Language::Query => Err(FunctionError::Language("query".to_owned())),
            Language::Other(name) => Err(FunctionError::Language(name.clone())),
        }
    }

    /// A function that has the design document for `this`, and finds modules all over it.
    pub(crate) fn function(&self, source: &str) -> Function {
        Function::new(Sources {
            functions: vec![source.to_owned()],
            modules: Some(self.body.clone()),
            ..Sources::default()
        })
    }

    /// A map function, which finds modules in `views.lib`.
    pub(crate) fn map(&self, source: &str) -> Function {
        let lib = self.design.lib.as_ref();
        Function::new(Sources {
            maps: vec![source.to_owned()],
            modules: lib.map(|lib| format!("{{\"views\":{{\"lib\":{lib}}}}}")),
            ..Sources::default()
        })
    }
}

impl Function {
    fn new(sources: Sources) -> Function {
        let mut hasher = blake3::Hasher::new();
        for text in sources.maps.iter().chain(&sources.functions) {
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
        let mut sandbox = match self.kept() {
            Some(sandbox) => sandbox,
            None => Sandbox::new(self.sources.clone(), Limits::default())?,
        };
        let result = call(&mut sandbox);
        for line in sandbox.take_log() {
            tracing::info!("a function of a design document: {line}");
        }
        SANDBOXES.with_borrow_mut(|kept| {
            if kept.len() >= SANDBOXES_PER_THREAD_MAX {
                kept.remove(0);
            }
            kept.push((self.key, sandbox));
        });
        result
    }

    fn kept(&self) -> Option<Sandbox> {
        SANDBOXES.with_borrow_mut(|kept| {
            let at = kept.iter().position(|(key, _)| *key == self.key)?;
            Some(kept.remove(at).1)
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
