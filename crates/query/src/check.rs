//! Whether what a design document defines can be run: asked before it is written.

use std::fmt;
use trunkline_core::reduce::Reducer;
use trunkline_js::{Limits, Role, Sandbox, Sources};
use trunkline_wire::design_doc::{DesignDoc, Language};

/// Why a view cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A function does not compile.
    Compilation {
        /// `map` or `reduce`
        role: &'static str,
        /// Of which view.
        view: String,
        /// In the engine's words.
        message: String,
    },
    /// There is no built-in reduction of that name.
    Reduction(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Compilation { role, view, message } => {
                write!(
                    f,
                    "Compilation of the {role} function in the '{view}' view failed: {message}"
                )
            }
            Unfit::Reduction(name) => write!(f, "`{name}` is not a supported reduce function."),
        }
    }
}

impl std::error::Error for Unfit {}

/// Compiles the views of a design document, if they are written in JavaScript.
pub fn check(document: &DesignDoc) -> Result<(), Unfit> {
    if document.language != Language::JavaScript || document.views.is_empty() {
        return Ok(());
    }
    let mut reductions = Vec::new();
    for (name, view) in &document.views {
        match &view.reduce {
            Some(reduce) if Reducer::parse(reduce).is_some() => {}
            Some(reduce) if reduce.starts_with('_') => return Err(Unfit::Reduction(reduce.clone())),
            Some(reduce) => reductions.push((name, reduce)),
            None => {}
        }
    }
    let modules = document.lib.as_ref();
    let sources = Sources {
        maps: document.views.values().map(|view| view.map.clone()).collect(),
        reduces: reductions.iter().map(|(_, source)| (*source).clone()).collect(),
        modules: modules.map(|lib| format!("{{\"views\":{{\"lib\":{lib}}}}}")),
        ..Sources::default()
    };
    let Err(trunkline_js::Error::Compile { role, message }) = Sandbox::new(sources, Limits::default()) else {
        // An engine that does not start says nothing of the document.
        return Ok(());
    };
    let (role, view) = match role {
        Role::Map(place) => ("map", document.views.keys().nth(place)),
        Role::Reduce(place) => ("reduce", reductions.get(place).map(|(name, _)| *name)),
        Role::Function(_) => ("", None),
    };
    Err(Unfit::Compilation {
        role,
        view: view.cloned().unwrap_or_default(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_wire::design_doc;

    fn checked(body: &str) -> Result<(), String> {
        check(&design_doc::parse(body).unwrap()).map_err(|unfit| unfit.to_string())
    }

    #[test]
    fn views_that_cannot_be_run() {
        for (fit, body) in [
            (
                true,
                r#"{"views":{"a":{"map":"function (doc) { emit(doc.n); }","reduce":"_top_3"}}}"#,
            ),
            (
                true,
                r#"{"views":{"a":{"map":"(doc) => { require('views/lib/b').c(doc); }"},"lib":{"b":"exports.c = 1"}}}"#,
            ),
            (
                true,
                r#"{"language":"erlang","views":{"a":{"map":"fun(Doc) -> ok end."}}}"#,
            ),
            (
                false,
                r#"{"views":{"a":{"map":"function (doc) {}"},"b":{"map":"function (doc) { emit(; }"}}}"#,
            ),
            (false, r#"{"views":{"b":{"map":"7"}}}"#),
        ] {
            let checked = checked(body);
            assert_eq!(checked.is_ok(), fit, "{body}: {checked:?}");
            if let Err(reason) = checked {
                let begins = "Compilation of the map function in the 'b' view failed: ";
                assert!(reason.starts_with(begins), "{reason}");
            }
        }
        let reduce = checked(r#"{"views":{"a":{"map":"function () {}","reduce":"function ("}}}"#);
        let begins = "Compilation of the reduce function in the 'a' view failed: ";
        assert!(reduce.unwrap_err().starts_with(begins));
        assert_eq!(
            checked(r#"{"views":{"a":{"map":"function () {}","reduce":"_mean"}}}"#).unwrap_err(),
            "`_mean` is not a supported reduce function."
        );
    }
}
