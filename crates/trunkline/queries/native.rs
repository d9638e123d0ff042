//! Views whose map functions are Rust closures.

use crate::{Error, Result, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use trunkline_core::reduce::Reducer;
use trunkline_query::design::Design;
use trunkline_query::{NativeMap, NativeView};

/// Views of this program, under a name and a version: what a design document is, in Rust. [`Store::define`] makes them
/// views of all databases of the store.
#[derive(Clone)]
#[must_use = "they are defined by `Store::define`"]
pub struct Views {
    name: String,
    version: u64,
    views: Vec<NativeView>,
}

/// A document as a map function sees it.
#[derive(Clone, Copy, Debug)]
pub struct Mapped<'a> {
    /// All of it as JSON text: `_id`, `_rev`, `_conflicts`, stubs of attachments, and the body.
    pub json: &'a str,
}

/// Takes what a map function emits.
pub struct Emit<'a> {
    rows: &'a mut dyn FnMut(&str, &str),
    failed: Option<String>,
}

impl Mapped<'_> {
    /// The document as a value. Types that do not have them leave the members that start with `_` out. A map function
    /// answers nothing of documents that are not what it is for: `let Ok(call) = doc.value::<Call>() else { return };`
    pub fn value<T: DeserializeOwned>(&self) -> std::result::Result<T, serde_json::Error> {
        serde_json::from_str(self.json)
    }
}

impl Emit<'_> {
    /// Makes a row.
    pub fn row<K: Serialize + ?Sized, V: Serialize + ?Sized>(&mut self, key: &K, value: &V) {
        match (serde_json::to_string(key), serde_json::to_string(value)) {
            (Ok(key), Ok(value)) => (self.rows)(&key, &value),
            (Err(error), _) | (_, Err(error)) => self.failed = Some(error.to_string()),
        }
    }
}

impl std::fmt::Debug for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let views = self.views.iter().map(|view| &view.name);
        f.debug_struct("Views")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("views", &views.collect::<Vec<_>>())
            .finish()
    }
}

impl Views {
    /// No views yet. Rows are kept for as long as `version` is the same, so that it must change with the map functions.
    pub fn new(name: &str, version: u64) -> Views {
        Views {
            name: name.to_owned(),
            version,
            views: Vec::new(),
        }
    }

    /// Adds a view. The function is called for every document but design documents and deleted ones, on several threads
    /// at once, and must make the same of the same document each time. One that panics skips the document.
    pub fn view(
        mut self,
        name: &str,
        map: impl Fn(Mapped<'_>, &mut Emit<'_>) + Send + Sync + 'static,
    ) -> Views {
        let map: NativeMap = Arc::new(move |json, rows| {
            let mut emit = Emit { rows, failed: None };
            map(Mapped { json }, &mut emit);
            emit.failed.map_or(Ok(()), Err)
        });
        self.views.retain(|view| view.name != name);
        self.views.push(NativeView {
            name: name.to_owned(),
            map,
            reduce: None,
        });
        self
    }

    /// Has the view that was added last reduce its rows by a built-in function: `_sum`, `_count`, `_stats`,
    /// `_approx_count_distinct`, `_top_N`, `_bottom_N`, `_first` or `_last`.
    pub fn reduce(mut self, function: &str) -> Views {
        if let Some(view) = self.views.last_mut() {
            view.reduce = Some(function.to_owned());
        }
        self
    }
}

impl Store {
    /// Makes views of this program views of every database, in place of design documents of that name and of views that
    /// were defined before. They are asked as any others, by [`Database::view`](crate::Database::view) and over HTTP.
    pub fn define(&self, views: Views) -> Result<()> {
        for reduce in views.views.iter().filter_map(|view| view.reduce.as_ref()) {
            if Reducer::parse(reduce).is_none() {
                let what = format!("{reduce:?} is no built-in reduce function");
                return Err(Error::Invalid(what));
            }
        }
        let design = Design::native(&views.name, views.version, views.views);
        self.index_files().define(&views.name, design);
        Ok(())
    }
}
