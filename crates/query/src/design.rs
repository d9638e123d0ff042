//! What of a design document makes an index: its distinct map functions with their reductions, and the signature that
//! names the index file. Design documents that say the same share it, whatever their ids, and whatever they call views.

use crate::Error;
use crate::index::ViewNumber;
use crate::native::Native;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use trunkline_core::collate::SORT_KEY_VERSION;
use trunkline_store::Database;
use trunkline_wire::design_doc::{DesignDoc, Language};

/// The views of a design document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// Names the index.
    pub signature: Signature,
    /// Of map functions and reductions.
    pub language: Language,
    /// Modules that map functions may require, JSON text.
    pub lib: Option<String>,
    /// Map functions see design documents.
    pub include_design: bool,
    /// Map functions see `_local_seq`.
    pub local_seq: bool,
    /// Rows are by partition first, and only those of one are asked for.
    pub partitioned: bool,
    /// The index is brought up to date after writes.
    pub autoupdate: bool,
    /// Distinct map functions; a view's number is its place here.
    pub maps: Vec<Map>,
    /// Views by name.
    pub views: BTreeMap<String, View>,
    /// The map functions, where they are native.
    pub native: Option<Native>,
}

/// One map function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Source, or JSON text in the language `query`.
    pub source: String,
    /// Keys are in raw order instead of collated.
    pub raw: bool,
    /// Sources or names of the reductions of its rows, each once.
    pub reduces: Vec<String>,
}

/// Where a view's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Of its map function.
    pub number: ViewNumber,
    /// Which of the reductions is its own.
    pub reduce: Option<usize>,
}

/// Names an index by what makes its rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 16]);

impl Design {
    /// What a design document makes an index of in a database: in a partitioned one its views are by partition, unless
    /// it says that they are not.
    pub fn of(db: &Database, document: &DesignDoc) -> Result<Design, Error> {
        let partitioned = document.by_partition(db.is_partitioned()?);
        Ok(Design::with(document, partitioned))
    }

    /// What a design document makes an index of in a database that has no partitions.
    pub fn new(document: &DesignDoc) -> Design {
        Design::with(document, false)
    }

    /// Its views are by partition, or not.
    pub(crate) fn with(document: &DesignDoc, partitioned: bool) -> Design {
        let mut distinct = BTreeMap::<(&str, bool), BTreeSet<&str>>::new();
        for view in document.views.values() {
            let reduces = distinct.entry((&view.map, view.raw)).or_default();
            reduces.extend(view.reduce.as_deref());
        }
        let maps: Vec<Map> = distinct
            .iter()
            .map(|(&(source, raw), reduces)| Map {
                source: source.to_owned(),
                raw,
                reduces: reduces.iter().map(|&reduce| reduce.to_owned()).collect(),
            })
            .collect();
        let place = |view: &trunkline_wire::design_doc::View| {
            let of_view = |map: &&Map| map.source == view.map && map.raw == view.raw;
            let (number, map) = maps.iter().enumerate().find(|(_, map)| of_view(map))?;
            let reduce = view.reduce.as_ref();
            Some(View {
                number: ViewNumber::try_from(number).ok()?,
                reduce: reduce.and_then(|reduce| map.reduces.iter().position(|other| other == reduce)),
            })
        };
        let views = document.views.iter();
        let views = views.filter_map(|(name, view)| Some((name.clone(), place(view)?)));
        Design {
            signature: signature(document, partitioned, &maps),
            language: document.language.clone(),
            lib: document.lib.clone(),
            include_design: document.include_design,
            local_seq: document.local_seq,
            partitioned,
            autoupdate: document.autoupdate,
            views: views.collect(),
            maps,
            native: None,
        }
    }
}

fn signature(document: &DesignDoc, partitioned: bool, maps: &[Map]) -> Signature {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    };
    text(&SORT_KEY_VERSION.to_string());
    text(match &document.language {
        Language::JavaScript => "javascript",
        Language::Query => "query",
        Language::Other(name) => name,
    });
    text(document.lib.as_deref().unwrap_or_default());
    for flag in [document.include_design, document.local_seq] {
        text(if flag { "1" } else { "0" });
    }
    for map in maps {
        text(&map.source);
        text(if map.raw { "raw" } else { "" });
        text(&map.reduces.len().to_string());
        map.reduces.iter().for_each(|reduce| text(reduce));
    }
    if partitioned {
        text("partitioned");
    }
    Signature::of(&hasher)
}

impl Signature {
    pub(crate) fn of(hasher: &blake3::Hasher) -> Signature {
        let mut signature = [0; 16];
        hasher.finalize_xof().fill(&mut signature);
        Signature(signature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_wire::design_doc;

    fn design(body: &str) -> Design {
        Design::new(&design_doc::parse(body).unwrap())
    }

    #[test]
    fn views_that_map_alike_share_their_rows() {
        let design = design(
            r#"{"views":{
            "a":{"map":"one","reduce":"_sum"},"b":{"map":"one","reduce":"_count"},"c":{"map":"one"},
            "d":{"map":"one","options":{"collation":"raw"}},"e":{"map":"zwei","reduce":"_sum"}}}"#,
        );
        assert_eq!(design.maps.len(), 3);
        let place = |name: &str| design.views.get(name).map(|view| (view.number, view.reduce));
        assert_eq!(place("a"), Some((0, Some(1))));
        assert_eq!(place("b"), Some((0, Some(0))));
        assert_eq!(place("c"), Some((0, None)));
        assert_eq!(place("d"), Some((1, None)));
        assert_eq!(place("e"), Some((2, Some(0))));
        assert_eq!(place("f"), None);
    }

    #[test]
    fn the_signature_is_of_what_makes_the_rows() {
        let base = r#"{"views":{"a":{"map":"one","reduce":"_sum"}}}"#;
        for same in [
            r#"{"_id":"_design/x","views":{"other":{"map":"one","reduce":"_sum"}},"language":"javascript"}"#,
            r#"{"autoupdate":false,"filters":{"f":"x"},"views":{"a":{"map":"one","reduce":"_sum"},"b":{"map":"one"}}}"#,
        ] {
            assert_eq!(design(same).signature, design(base).signature, "{same}");
        }
        for other in [
            r#"{"views":{"a":{"map":"two","reduce":"_sum"}}}"#,
            r#"{"views":{"a":{"map":"one","reduce":"_count"}}}"#,
            r#"{"views":{"a":{"map":"one"}}}"#,
            r#"{"views":{"a":{"map":"one","reduce":"_sum"},"lib":{"x":"y"}}}"#,
            r#"{"views":{"a":{"map":"one","reduce":"_sum","options":{"collation":"raw"}}}}"#,
            r#"{"views":{"a":{"map":"one","reduce":"_sum"}},"options":{"include_design":true}}"#,
            r#"{"views":{"a":{"map":"one","reduce":"_sum"}},"options":{"local_seq":true}}"#,
            r#"{"views":{"a":{"map":"one","reduce":"_sum"}},"language":"query"}"#,
        ] {
            assert_ne!(design(other).signature, design(base).signature, "{other}");
        }
    }
}
