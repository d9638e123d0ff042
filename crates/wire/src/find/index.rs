//! Mango indexes: how they are asked for, and how design documents hold them.

use super::request::{boolean, invalid_key, is_object, members, number, required, selector, sort, string};
use super::{Refusal, Sort};
use crate::design_doc;
use std::io::Write;
use trunkline_core::json;
use trunkline_core::selector::{FieldPath, Selector};

/// What `POST /{db}/_index` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIndex {
    /// Design document, without `_design/`; one is named by the definition where none is given.
    pub ddoc: Option<String>,
    /// The index in it, likewise.
    pub name: Option<String>,
    /// What is indexed.
    pub definition: Definition,
    /// Its rows are by partition; as the database is, where nothing is said.
    pub partitioned: Option<bool>,
    /// `index`, as it was given, JSON text.
    pub given: String,
}

/// What an index holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// The fields its rows are sorted by.
    pub fields: Sort,
    /// Only documents that match are in it; JSON text. `None` for all.
    pub partial: Option<String>,
}

/// What `_bulk_delete` asks for: design documents, without `_design/`.
pub type BulkDelete = Vec<String>;

/// Reads the body of `POST /{db}/_index`.
pub fn parse_index(text: &[u8]) -> Result<NewIndex, Refusal> {
    let (mut ddoc, mut name, mut given) = (None, None, None);
    let mut kind = "json".to_owned();
    let mut partitioned = None;
    members(text, |member, value| {
        match member {
            "index" => given = Some(value.to_owned()),
            "type" => kind = string(value)?,
            "name" => name = Some(string(value)?),
            "ddoc" => {
                let id = string(value)?;
                ddoc = Some(id.strip_prefix("_design/").unwrap_or(&id).to_owned());
            }
            "w" => drop(number(value, 1)?),
            "partitioned" => partitioned = Some(boolean(value)?),
            _ => return Err(invalid_key(member)),
        }
        Ok(())
    })?;
    required("index", given.is_some())?;
    match kind.as_str() {
        "json" => {}
        "text" | "nouveau" => {
            let reason = format!("Indexes of type {kind} are not supported; use type json.");
            return Err(Refusal::new("invalid_index", reason));
        }
        _ => {
            let reason = format!("Invalid type for index: {kind}");
            return Err(Refusal::new("invalid_index", reason));
        }
    }
    let given = given.unwrap_or_default();
    Ok(NewIndex {
        ddoc,
        name,
        definition: definition(&given)?,
        partitioned,
        given,
    })
}

fn definition(given: &str) -> Result<Definition, Refusal> {
    if !is_object(given) {
        let reason = format!("JSON indexes must be an object, not: {given}");
        return Err(Refusal::new("invalid_index", reason));
    }
    let mut definition = Definition::default();
    let mut has_fields = false;
    json::members(given, |member, value| {
        match &*member {
            "fields" => {
                definition.fields = sort(value)?;
                has_fields = true;
            }
            "partial_filter_selector" => definition.partial = partial(value)?,
            _ => return Err(invalid_key(&member)),
        }
        Ok(())
    })?;
    required("fields", has_fields)?;
    for field in &definition.fields.fields {
        FieldPath::parse(field)?;
    }
    if let Some(partial) = &definition.partial {
        Selector::parse(partial)?;
    }
    Ok(definition)
}

fn partial(value: &str) -> Result<Option<String>, Refusal> {
    let value = selector(value)?;
    let mut compact = String::new();
    json::compact(&value, &mut compact);
    Ok(Some(compact).filter(|text| text != "{}"))
}

/// Reads the map of a design document in the language `query`.
pub fn parse_map(source: &str) -> Result<Definition, Refusal> {
    let mut definition = Definition::default();
    json::members(source, |member, value| {
        match &*member {
            "fields" if is_object(value) => json::members(value, |field, direction| {
                definition.fields.descending |= direction == "\"desc\"";
                definition.fields.fields.push(field.into_owned());
                Ok::<_, Refusal>(())
            })?,
            "fields" => definition.fields = sort(value)?,
            "partial_filter_selector" | "selector" => definition.partial = partial(value)?,
            _ => {}
        }
        Ok::<_, Refusal>(())
    })?;
    Ok(definition)
}

impl Definition {
    /// As the map of a view.
    pub fn map(&self) -> String {
        let mut out = b"{\"fields\":{".to_vec();
        self.write_fields(&mut out, [b"", b""]);
        out.extend_from_slice(b"},\"partial_filter_selector\":");
        out.extend_from_slice(self.partial.as_deref().unwrap_or("{}").as_bytes());
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }

    /// As `GET /{db}/_index` shows it.
    pub fn json(&self) -> String {
        let mut out = b"{\"fields\":[".to_vec();
        self.write_fields(&mut out, [b"{", b"}"]);
        out.push(b']');
        if let Some(partial) = &self.partial {
            let _ = write!(out, ",\"partial_filter_selector\":{partial}");
        }
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }

    fn write_fields(&self, out: &mut Vec<u8>, [open, close]: [&[u8]; 2]) {
        let direction: &[u8] = if self.fields.descending {
            b":\"desc\""
        } else {
            b":\"asc\""
        };
        for (place, field) in self.fields.fields.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(open);
            json::quote(field, out);
            out.extend_from_slice(direction);
            out.extend_from_slice(close);
        }
    }
}

/// Reads `{"docids":[..]}`.
pub fn parse_bulk_delete(text: &[u8]) -> Result<BulkDelete, Refusal> {
    let mut ids = None;
    members(text, |member, value| {
        match member {
            "docids" => {
                let wrong = || {
                    let reason = format!("Bulk Delete requires an array of non-null docids. Docids: {value}");
                    Refusal::new("invalid_bulk_docs", reason)
                };
                let mut read = Vec::new();
                json::elements(value, |id| {
                    let id = json::string(id).ok_or_else(wrong)?;
                    read.push(id.strip_prefix("_design/").unwrap_or(&id).to_owned());
                    Ok(())
                })
                .map_err(|_: Refusal| wrong())?;
                ids = Some(read);
            }
            "w" => drop(number(value, 1)?),
            _ => return Err(invalid_key(member)),
        }
        Ok(())
    })?;
    required("docids", ids.is_some())?;
    Ok(ids.unwrap_or_default())
}

/// The body of a design document with an index added to it; `None` when it has the same already. `Err` when the design
/// document, whose id is told, is in another language, or its views are by partition and the index is not to be.
pub fn add_index(
    (id, body): (&str, Option<&str>),
    name: &str,
    index: &NewIndex,
) -> Result<Option<String>, Refusal> {
    let mut view = b"{\"map\":".to_vec();
    let mut given = String::new();
    json::compact(&index.given, &mut given);
    let _ = write!(
        view,
        "{},\"reduce\":\"_count\",\"options\":{{\"def\":{given}}}}}",
        index.definition.map()
    );
    let view = String::from_utf8(view).unwrap_or_default();
    let (mut others, views) = parts(body.unwrap_or("{}"))?;
    match body {
        None => others.extend(
            index
                .partitioned
                .map(|partitioned| ("options".to_owned(), format!("{{\"partitioned\":{partitioned}}}"))),
        ),
        Some(body) if partitioned(body) != index.partitioned => {
            let reason =
                format!("Requested partitioned option does not match existing value on design document {id}");
            return Err(Refusal::new("invalid_partitioned_option", reason));
        }
        Some(_) => {}
    }
    if views.iter().any(|(other, text)| other == name && *text == view) {
        return Ok(None);
    }
    let mut views: Vec<(String, String)> = views.into_iter().filter(|(other, _)| other != name).collect();
    views.push((name.to_owned(), view));
    Ok(Some(body_of(&others, &views)))
}

fn partitioned(body: &str) -> Option<bool> {
    design_doc::parse(body).ok()?.partitioned
}

/// The body of a design document without an index: `None` when nothing is left of it.
pub fn remove_index(body: &str, name: &str) -> Result<Option<String>, Refusal> {
    let (others, views) = parts(body)?;
    let views: Vec<(String, String)> = views.into_iter().filter(|(other, _)| other != name).collect();
    if views.is_empty() && others.is_empty() {
        return Ok(None);
    }
    Ok(Some(body_of(&others, &views)))
}

type Members = Vec<(String, String)>;

/// Members of a design document beside its language and views, and its views.
fn parts(body: &str) -> Result<(Members, Members), Refusal> {
    let (mut others, mut views) = (Vec::new(), Vec::new());
    json::members(body, |member, value| {
        match &*member {
            "language" if value == "\"query\"" => {}
            "language" => {
                let reason = format!("Existing design doc has an invalid language: {value}");
                return Err(Refusal::new("invalid_ddoc_lang", reason));
            }
            "views" if is_object(value) => json::members(value, |name, view| {
                views.push((name.into_owned(), view.to_owned()));
                Ok::<_, Refusal>(())
            })?,
            _ => others.push((member.into_owned(), value.to_owned())),
        }
        Ok(())
    })?;
    Ok((others, views))
}

fn body_of(others: &Members, views: &Members) -> String {
    let mut out = b"{\"language\":\"query\"".to_vec();
    for (member, value) in others {
        out.push(b',');
        json::quote(member, &mut out);
        let _ = write!(out, ":{value}");
    }
    if !views.is_empty() {
        out.extend_from_slice(b",\"views\":{");
        for (place, (name, view)) in views.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            json::quote(name, &mut out);
            let _ = write!(out, ":{view}");
        }
        out.push(b'}');
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_into_a_design_document_and_out_again() {
        let asked = br#"{"index":{"fields":["a",{"b.c":"asc"}], "partial_filter_selector":{"x" : 1}},"ddoc":"_design/d","name":"n"}"#;
        let index = parse_index(asked).unwrap();
        assert_eq!(index.ddoc.as_deref(), Some("d"));
        let body = add_index(("_design/d", None), "n", &index).unwrap().unwrap();
        assert_eq!(
            body,
            r#"{"language":"query","views":{"n":{"map":{"fields":{"a":"asc","b.c":"asc"},"partial_filter_selector":{"x":1}},"reduce":"_count","options":{"def":{"fields":["a",{"b.c":"asc"}],"partial_filter_selector":{"x":1}}}}}}"#
        );
        assert_eq!(add_index(("_design/d", Some(&body)), "n", &index).unwrap(), None);
        let design = crate::design_doc::parse(&body).unwrap();
        let definition = parse_map(&design.views.get("n").unwrap().map).unwrap();
        assert_eq!(definition, index.definition);
        assert_eq!(
            definition.json(),
            r#"{"fields":[{"a":"asc"},{"b.c":"asc"}],"partial_filter_selector":{"x":1}}"#
        );
        let both = add_index(("_design/d", Some(&body)), "m", &index)
            .unwrap()
            .unwrap();
        assert_eq!(remove_index(&both, "m").unwrap().as_deref(), Some(body.as_str()));
        assert_eq!(remove_index(&body, "n").unwrap(), None);
        let javascript =
            add_index(("_design/d", Some(r#"{"language":"javascript"}"#)), "n", &index).unwrap_err();
        assert_eq!(javascript.word, "invalid_ddoc_lang");
    }

    #[test]
    fn all_indexes_of_a_design_document_are_partitioned_or_none() {
        let index = |partitioned| {
            let asked = format!(r#"{{"index":{{"fields":["a"]}}{partitioned}}}"#);
            parse_index(asked.as_bytes()).unwrap()
        };
        let default = add_index(("_design/d", None), "n", &index("")).unwrap().unwrap();
        assert!(!default.contains("options\":{\"partitioned"), "{default}");
        let global = index(r#","partitioned":false"#);
        let body = add_index(("_design/d", None), "n", &global).unwrap().unwrap();
        assert!(body.contains(r#""options":{"partitioned":false}"#), "{body}");
        assert!(
            add_index(("_design/d", Some(&body)), "m", &global)
                .unwrap()
                .is_some()
        );
        for (before, index) in [(&body, index("")), (&default, global)] {
            let refusal = add_index(("_design/d", Some(before)), "m", &index).unwrap_err();
            assert_eq!(refusal.word, "invalid_partitioned_option");
            assert!(refusal.reason.ends_with("on design document _design/d"));
        }
    }

    #[test]
    fn what_is_no_index() {
        for (text, word) in [
            ("{}", "missing_required_key"),
            (r#"{"index":1}"#, "invalid_index"),
            (r#"{"index":{}}"#, "missing_required_key"),
            (r#"{"index":{"fields":["a"],"x":1}}"#, "invalid_key"),
            (r#"{"index":{"fields":["a"]},"type":"text"}"#, "invalid_index"),
            (r#"{"index":{"fields":["a"]},"type":"x"}"#, "invalid_index"),
            (
                r#"{"index":{"fields":["a"],"partial_filter_selector":1}}"#,
                "invalid_selector_json",
            ),
            (
                r#"{"index":{"fields":["a",{"b":"desc"}]}}"#,
                "unsupported_mixed_sort",
            ),
            (r#"{"index":{"fields":["a..b"]}}"#, "invalid_field_name"),
        ] {
            assert_eq!(parse_index(text.as_bytes()).unwrap_err().word, word, "{text}");
        }
        assert_eq!(
            parse_bulk_delete(br#"{"docids":["_design/a","b"]}"#).unwrap(),
            ["a", "b"]
        );
        assert!(parse_bulk_delete(br#"{"docids":1}"#).is_err());
    }
}
