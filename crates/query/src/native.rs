//! Views whose map functions are of the program that this runs in.

use crate::design::{Design, Map, Signature, View};
use crate::index::ViewNumber;
use crate::indexes::Indexes;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use trunkline_core::collate::SORT_KEY_VERSION;
use trunkline_wire::design_doc::Language;

/// Shows the rows of a document, each a key and a value; JSON texts all. What it answers when a document has none for a
/// reason that is worth the log.
pub type NativeMap = Arc<dyn Fn(&str, &mut dyn FnMut(&str, &str)) -> Result<(), String> + Send + Sync>;

/// The map functions of a design, by view.
#[derive(Clone)]
pub struct Native(Arc<[NativeMap]>);

/// One view.
#[derive(Clone)]
pub struct NativeView {
    /// Its name.
    pub name: String,
    /// Called for every document that is not deleted, on several threads at once.
    pub map: NativeMap,
    /// The name of a built-in reduction.
    pub reduce: Option<String>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} functions", self.0.len())
    }
}

impl PartialEq for Native {
    fn eq(&self, other: &Native) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Native {}

impl Native {
    /// The rows of a document in one view; a panic is a reason to have none.
    pub(crate) fn rows(
        &self,
        view: ViewNumber,
        doc: &str,
        each: &mut dyn FnMut(&str, &str),
    ) -> Result<(), String> {
        let Some(map) = self.0.get(usize::from(view)) else {
            return Ok(());
        };
        let mapped = catch_unwind(AssertUnwindSafe(|| map(doc, each)));
        mapped.unwrap_or_else(|_| Err("it panicked".to_owned()))
    }
}

impl Design {
    /// Of native views. Nobody can tell from functions whether they have changed: `version` does.
    pub fn native(name: &str, version: u64, views: Vec<NativeView>) -> Design {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        text(&SORT_KEY_VERSION.to_string());
        text(RUST);
        text(name);
        text(&version.to_string());
        for view in &views {
            text(&view.name);
            text(view.reduce.as_deref().unwrap_or_default());
        }
        let maps = views.iter().map(|view| Map {
            source: view.name.clone(),
            raw: false,
            reduces: view.reduce.iter().cloned().collect(),
        });
        let places = (0..).zip(&views).map(|(number, view)| {
            let reduce = view.reduce.as_ref().map(|_| 0);
            (view.name.clone(), View { number, reduce })
        });
        Design {
            signature: Signature::of(&hasher),
            language: Language::Other(RUST.to_owned()),
            lib: None,
            include_design: false,
            local_seq: false,
            partitioned: false,
            autoupdate: false,
            maps: maps.collect(),
            views: places.collect::<BTreeMap<_, _>>(),
            native: Some(Native(views.into_iter().map(|view| view.map).collect())),
        }
    }
}

/// What they are written in.
const RUST: &str = "rust";

impl Indexes {
    /// Has a native design answer for all databases of the store, in place of their design documents of that name, and
    /// of one that was here before.
    pub fn define(&self, name: &str, design: Design) {
        let id = format!("_design/{name}");
        self.0.native.write().insert(id, design);
    }

    /// The native designs, by the ids of the design documents whose place they take.
    pub fn natives(&self) -> BTreeMap<String, Design> {
        self.0.native.read().clone()
    }
}
