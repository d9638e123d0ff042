//! Design documents: the members that define views, filters and the like.

use crate::invalid::{Invalid, one_more};
use std::collections::BTreeMap;
use trunkline_core::json::{self, Reader};

/// What a design document defines. Sources are as written; nothing is compiled here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesignDoc {
    /// `language`; `javascript` where there is none.
    pub language: Language,
    /// `views`, by name.
    pub views: BTreeMap<String, View>,
    /// `views.lib`: the object of modules that map functions may require, JSON text.
    pub lib: Option<String>,
    /// `options.include_design`: map functions see design documents.
    pub include_design: bool,
    /// `options.local_seq`: map functions see `_local_seq`.
    pub local_seq: bool,
    /// `options.partitioned`; unset where the database decides.
    pub partitioned: Option<bool>,
    /// `autoupdate`: indexes are brought up to date after writes.
    pub autoupdate: bool,
    /// `filters`, sources by name.
    pub filters: BTreeMap<String, String>,
    /// `updates`, sources by name.
    pub updates: BTreeMap<String, String>,
    /// `validate_doc_update`: a source, or JSON text of an object where it is declared as one.
    pub validate_doc_update: Option<String>,
}

/// In which language views are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// `javascript`
    #[default]
    JavaScript,
    /// `query`: Mango indexes
    Query,
    /// Any other: nothing here can be run.
    Other(String),
}

/// One view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// `map`: a source, or JSON text of an object in the language `query`.
    pub map: String,
    /// `reduce`: a source, or the name of a built-in one.
    pub reduce: Option<String>,
    /// `options.collation` is `raw`.
    pub raw: bool,
    /// `options.def`, JSON text: what a Mango index was defined by.
    pub definition: Option<String>,
}

impl DesignDoc {
    /// Whether its views are by partition: in a database that has partitions, unless it says otherwise.
    pub fn by_partition(&self, has_partitions: bool) -> bool {
        has_partitions && self.partitioned != Some(false)
    }
}

/// Reads the body of a design document.
pub fn parse(body: &str) -> Result<DesignDoc, Invalid> {
    let mut design = DesignDoc {
        autoupdate: true,
        ..DesignDoc::default()
    };
    let mut items = 0;
    json::members(body, |name, value| {
        match &*name {
            "language" => design.language = language(text(&name, value)?),
            "options" => options(value, &mut design)?,
            "autoupdate" => design.autoupdate = value != "false",
            "views" => views(value, &mut design, &mut items)?,
            "filters" => design.filters = sources("filters", value, &mut items)?,
            "updates" => design.updates = sources("updates", value, &mut items)?,
            "validate_doc_update" => design.validate_doc_update = source(value),
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    Ok(design)
}

fn language(name: String) -> Language {
    match name.as_str() {
        "javascript" => Language::JavaScript,
        "query" => Language::Query,
        _ => Language::Other(name),
    }
}

fn options(value: &str, design: &mut DesignDoc) -> Result<(), Invalid> {
    object("options", value, |name, value| {
        match name {
            "include_design" => design.include_design = value == "true",
            "local_seq" => design.local_seq = value == "true",
            "partitioned" => design.partitioned = Some(value == "true"),
            _ => {}
        }
        Ok(())
    })
}

fn views(value: &str, design: &mut DesignDoc, items: &mut usize) -> Result<(), Invalid> {
    object("views", value, |name, value| {
        one_more(*items)?;
        *items += 1;
        if name == "lib" {
            design.lib = Some(value.to_owned());
            return Ok(());
        }
        let mut view = View::default();
        let mut mapped = false;
        object(&format!("views.{name}"), value, |member, value| {
            match member {
                "map" => {
                    view.map =
                        source(value).ok_or_else(|| must_be(&format!("views.{name}.map"), "a string"))?;
                    mapped = true;
                }
                "reduce" => view.reduce = source(value),
                "options" => object(&format!("views.{name}.options"), value, |option, value| {
                    match option {
                        "collation" => view.raw = value == "\"raw\"",
                        "def" => view.definition = Some(value.to_owned()),
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        // Without one it is no view, but a place for something else.
        if mapped {
            design.views.insert(name.to_owned(), view);
        }
        Ok(())
    })
}

fn sources(member: &str, value: &str, items: &mut usize) -> Result<BTreeMap<String, String>, Invalid> {
    let mut sources = BTreeMap::new();
    object(member, value, |name, value| {
        one_more(*items)?;
        *items += 1;
        sources.extend(source(value).map(|source| (name.to_owned(), source)));
        Ok(())
    })?;
    Ok(sources)
}

/// The text of a string, the JSON of an object; nothing else is a source.
fn source(value: &str) -> Option<String> {
    match Reader::new(value).peek() {
        Some(b'{') => Some(value.to_owned()),
        _ => json::string(value).map(std::borrow::Cow::into_owned),
    }
}

fn text(name: &str, value: &str) -> Result<String, Invalid> {
    json::string(value)
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| must_be(name, "a string"))
}

fn object(
    name: &str,
    value: &str,
    mut each: impl FnMut(&str, &str) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    if Reader::new(value).peek() != Some(b'{') {
        return Err(must_be(name, "an object"));
    }
    json::members(value, |name, value| each(&name, value))
}

fn must_be(name: &str, what: &str) -> Invalid {
    Invalid::bad_request(format!("`{name}` of a design document must be {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_it_may_define() {
        let design = parse(
            r#"{"language":"javascript","autoupdate":false,
            "options":{"include_design":true,"local_seq":true,"partitioned":false},
            "views":{"lib":{"a":"exports.b = 1"},
                "by-type":{"map":"function(doc){emit(doc.type)}","reduce":"_count","options":{"collation":"raw"}},
                "no view":{"reduce":"_sum"}},
            "filters":{"mine":"function(){}","odd":7},"updates":{"touch":"function(){}"},
            "validate_doc_update":"function(){}","lists":{"x":"y"},"other":[1]}"#,
        )
        .unwrap();
        assert_eq!(design.language, Language::JavaScript);
        assert!(design.include_design && design.local_seq && !design.autoupdate);
        assert_eq!(design.partitioned, Some(false));
        assert_eq!(design.lib.as_deref(), Some(r#"{"a":"exports.b = 1"}"#));
        let view = View {
            map: "function(doc){emit(doc.type)}".to_owned(),
            reduce: Some("_count".to_owned()),
            raw: true,
            definition: None,
        };
        assert_eq!(design.views, BTreeMap::from([("by-type".to_owned(), view)]));
        assert_eq!(design.filters.keys().collect::<Vec<_>>(), ["mine"]);
        assert_eq!(design.updates.keys().collect::<Vec<_>>(), ["touch"]);
        assert_eq!(design.validate_doc_update.as_deref(), Some("function(){}"));
    }

    #[test]
    fn mango_indexes_and_other_languages() {
        let index = r#"{"language":"query","views":{"i":{"map":{"fields":{"a":"asc"}},"reduce":"_count",
            "options":{"def":{"fields":["a"]}}}}}"#;
        let design = parse(index).unwrap();
        assert_eq!(design.language, Language::Query);
        let view = design.views.get("i").unwrap();
        assert_eq!(view.map, r#"{"fields":{"a":"asc"}}"#);
        assert_eq!(view.definition.as_deref(), Some(r#"{"fields":["a"]}"#));
        let erlang = parse(r#"{"language":"erlang"}"#).unwrap();
        assert_eq!(erlang.language, Language::Other("erlang".to_owned()));
        assert!(parse("{}").unwrap().views.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, named) in [
            (r#"{"language":1}"#, "`language`"),
            (r#"{"views":[]}"#, "`views`"),
            (r#"{"views":{"a":1}}"#, "`views.a`"),
            (r#"{"views":{"a":{"map":1}}}"#, "`views.a.map`"),
            (r#"{"filters":"x"}"#, "`filters`"),
            (r#"{"options":null}"#, "`options`"),
        ] {
            let reason = parse(body).unwrap_err().reason;
            assert!(reason.contains(named), "{body}: {reason}");
        }
    }
}
