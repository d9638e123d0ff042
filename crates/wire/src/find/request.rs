//! The body of `_find`, `_explain` and `_count`.

use super::Refusal;
use trunkline_core::json::{self, Reader};
use trunkline_core::limits::REQUEST_ITEMS_MAX;
use trunkline_core::partition::Partition;

/// What is to be found, and how it is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindRequest {
    /// JSON text of an object.
    pub selector: String,
    /// How many documents at most.
    pub limit: u64,
    /// How many matches are left out first.
    pub skip: u64,
    /// In which order; empty for any.
    pub sort: Sort,
    /// Which fields are shown; all when there are none.
    pub fields: Vec<String>,
    /// Design document, and perhaps the name, of the index to be used.
    pub use_index: Vec<String>,
    /// Another index will do.
    pub allow_fallback: bool,
    /// From an answer before: go on behind it.
    pub bookmark: Option<String>,
    /// Tell what it took.
    pub execution_stats: bool,
    /// Show `_conflicts`.
    pub conflicts: bool,
    /// Bring the index up to date first.
    pub update: bool,
    /// Only documents of this partition.
    pub partition: Option<Partition>,
    /// Accepted, and without effect: there is one copy of everything.
    pub stable: bool,
    /// As `stable`.
    pub r: u64,
}

/// Fields to sort by, all in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// Their names.
    pub fields: Vec<String>,
    /// From the greatest down.
    pub descending: bool,
}

/// CouchDB's `limit` where none is given.
const LIMIT: u64 = 25;

impl FindRequest {
    /// With CouchDB's defaults.
    pub fn new(selector: String) -> FindRequest {
        FindRequest {
            selector,
            limit: LIMIT,
            skip: 0,
            sort: Sort::default(),
            fields: Vec::new(),
            use_index: Vec::new(),
            allow_fallback: true,
            bookmark: None,
            execution_stats: false,
            conflicts: false,
            update: true,
            partition: None,
            stable: false,
            r: 1,
        }
    }

    /// Whether the selector is nothing but an empty list of conditions, for which CouchDB finds no document.
    pub fn lists_nothing(&self) -> bool {
        let (mut members, mut empty) = (0, false);
        let read = json::members(&self.selector, |name, value| {
            members += 1;
            let inside = value.trim_start_matches('[').trim_end_matches(']').trim_ascii();
            empty = matches!(&*name, "$and" | "$or" | "$nor") && inside.is_empty();
            Ok::<_, json::JsonError>(())
        });
        read.is_ok() && members == 1 && empty
    }
}

/// Reads the body of `_find` and `_explain`.
pub fn parse(text: &[u8]) -> Result<FindRequest, Refusal> {
    parse_into(FindRequest::new(String::new()), text)
}

/// Reads the body of a `_find` that is exported: where no limit is given there is none.
pub fn parse_export(text: &[u8]) -> Result<FindRequest, Refusal> {
    let mut request = FindRequest::new(String::new());
    request.limit = u64::MAX;
    parse_into(request, text)
}

fn parse_into(mut request: FindRequest, text: &[u8]) -> Result<FindRequest, Refusal> {
    members(text, |name, value| {
        match name {
            "selector" => request.selector = selector(value)?,
            "limit" => request.limit = number(value, 0)?,
            "skip" => request.skip = number(value, 0)?,
            "sort" => request.sort = sort(value)?,
            "fields" => request.fields = fields(value)?,
            "use_index" => request.use_index = use_index(value)?,
            "allow_fallback" => request.allow_fallback = boolean(value)?,
            "bookmark" => request.bookmark = bookmark(value)?,
            "execution_stats" => request.execution_stats = boolean(value)?,
            "conflicts" => request.conflicts = boolean(value)?,
            "update" => request.update = boolean(value)?,
            "stable" => request.stable = boolean(value)?,
            "stale" if value == "\"ok\"" => request.update = false,
            "stale" => {}
            "partition" => request.partition = partition(value)?,
            "r" => request.r = number(value, 1)?,
            _ => return Err(invalid_key(name)),
        }
        Ok(())
    })?;
    required("selector", !request.selector.is_empty())?;
    Ok(request)
}

/// Reads the body of `_count`: the selector, JSON text.
pub fn parse_count(text: &[u8]) -> Result<String, Refusal> {
    let mut found = String::new();
    members(text, |name, value| match name {
        "selector" => {
            found = selector(value)?;
            Ok(())
        }
        _ => Err(invalid_key(name)),
    })?;
    required("selector", !found.is_empty())?;
    Ok(found)
}

/// Shows the members of a body.
pub(super) fn members(
    text: &[u8],
    mut each: impl FnMut(&str, &str) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let text = json::validate(text)?;
    if !is_object(text) {
        return Err(Refusal::new("bad_request", "Request body must be a JSON object"));
    }
    json::members(text, |name, value| each(&name, value))
}

pub(super) fn is_object(value: &str) -> bool {
    Reader::new(value).peek() == Some(b'{')
}

pub(super) fn invalid_key(name: &str) -> Refusal {
    Refusal::new("invalid_key", format!("Invalid key {name} for this request."))
}

pub(super) fn required(name: &str, is_there: bool) -> Result<(), Refusal> {
    if is_there {
        return Ok(());
    }
    Err(Refusal::new(
        "missing_required_key",
        format!("Missing required key: {name}"),
    ))
}

pub(super) fn selector(value: &str) -> Result<String, Refusal> {
    if !is_object(value) {
        let reason = format!("Selector must be a JSON object, not: {value}");
        return Err(Refusal::new("invalid_selector_json", reason));
    }
    Ok(value.to_owned())
}

pub(super) fn number(value: &str, least: u64) -> Result<u64, Refusal> {
    let number = value.parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| match least {
        0 => Refusal::new(
            "invalid_non_neg_integer",
            format!("{value} is not an integer greater than or equal to zero"),
        ),
        _ => Refusal::new(
            "invalid_pos_integer",
            format!("{value} is not an integer greater than zero"),
        ),
    })
}

pub(super) fn boolean(value: &str) -> Result<bool, Refusal> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::new(
            "invalid_boolean",
            format!("Invalid boolean value: {value}"),
        )),
    }
}

pub(super) fn string(value: &str) -> Result<String, Refusal> {
    match json::string(value) {
        Some(text) => Ok(text.into_owned()),
        None => Err(Refusal::new("invalid_string", format!("Invalid string: {value}"))),
    }
}

/// The texts of an array's elements; `None` when it is no array.
pub(super) fn elements(value: &str) -> Result<Option<Vec<&str>>, Refusal> {
    if Reader::new(value).peek() != Some(b'[') {
        return Ok(None);
    }
    let mut found = Vec::new();
    json::elements(value, |element| {
        if found.len() == REQUEST_ITEMS_MAX {
            return Err(Refusal::new("too_large", "Too many items in an array."));
        }
        found.push(element);
        Ok(())
    })?;
    Ok(Some(found))
}

/// Reads an array of fields, each a string, or an object of one field and `asc` or `desc`.
pub(super) fn sort(value: &str) -> Result<Sort, Refusal> {
    let Some(specs) = elements(value)? else {
        let reason = format!("Sort must be an array of sort specs, not: {value}");
        return Err(Refusal::new("invalid_sort_json", reason));
    };
    let mut fields = Vec::new();
    let mut directions = Vec::new();
    for spec in specs {
        let wrong = || Refusal::new("invalid_sort_field", format!("Invalid sort field: {spec}"));
        if let Some(field) = json::string(spec) {
            fields.push(field.into_owned());
            directions.push(false);
            continue;
        }
        if !is_object(spec) {
            return Err(wrong());
        }
        let mut members = 0;
        json::members(spec, |field, direction| {
            members += 1;
            fields.push(field.into_owned());
            directions.push(match json::string(direction).as_deref() {
                Some("asc") => false,
                Some("desc") => true,
                _ => {
                    let reason = format!("Invalid sort direction: {direction}");
                    return Err(Refusal::new("invalid_sort_dir", reason));
                }
            });
            Ok(())
        })?;
        if members != 1 {
            return Err(wrong());
        }
    }
    let descending = directions.first().copied().unwrap_or_default();
    if directions.iter().any(|direction| *direction != descending) {
        return Err(Refusal::new(
            "unsupported_mixed_sort",
            "Sorts currently only support a single direction for all fields.",
        ));
    }
    Ok(Sort { fields, descending })
}

fn fields(value: &str) -> Result<Vec<String>, Refusal> {
    if value == "\"all_fields\"" {
        return Ok(Vec::new());
    }
    let Some(names) = elements(value)? else {
        let reason = format!("Fields must be an array of strings, not: {value}");
        return Err(Refusal::new("invalid_fields", reason));
    };
    let name = |value: &str| match json::string(value) {
        Some(name) => Ok(name.into_owned()),
        None => {
            let reason = format!("Invalid JSON for field spec: {value}");
            Err(Refusal::new("invalid_field", reason))
        }
    };
    names.into_iter().map(name).collect()
}

/// An empty name is none.
fn partition(value: &str) -> Result<Option<Partition>, Refusal> {
    let name = json::string(value).ok_or_else(|| {
        let reason = "Partition must be a string";
        Refusal::new("illegal_partition", reason)
    })?;
    if name.is_empty() {
        return Ok(None);
    }
    let parsed = Partition::parse(&name);
    parsed
        .map(Some)
        .map_err(|invalid| Refusal::new("illegal_partition", invalid.to_string()))
}

fn bookmark(value: &str) -> Result<Option<String>, Refusal> {
    match json::string(value) {
        _ if value == "null" => Ok(None),
        Some(text) if text.is_empty() || text == "nil" => Ok(None),
        Some(text) => Ok(Some(text.into_owned())),
        None => {
            let reason = format!("Invalid bookmark value: {value}");
            Err(Refusal::new("invalid_bookmark", reason))
        }
    }
}

/// Design document and name, in one text or as an array.
pub(super) fn use_index(value: &str) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::new("invalid_index_name", format!("Invalid index name: {value}"));
    if value == "null" {
        return Ok(Vec::new());
    }
    if let Some(text) = json::string(value) {
        let text = text.strip_prefix("_design/").unwrap_or(&text);
        return Ok(text.splitn(2, '/').map(str::to_owned).collect());
    }
    let parts = elements(value)?.ok_or_else(wrong)?;
    if parts.len() > 2 {
        return Err(wrong());
    }
    let text = |part: &&str| json::string(part).map(std::borrow::Cow::into_owned);
    let parts: Option<Vec<String>> = parts.iter().map(text).collect();
    let mut parts = parts.ok_or_else(wrong)?;
    if let Some(design) = parts.first_mut()
        && let Some(name) = design.strip_prefix("_design/")
    {
        *design = name.to_owned();
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_can_be_asked() {
        let request = parse(
            br#"{"selector":{"a":1},"limit":3,"skip":2,"sort":["a",{"b.c":"asc"}],"fields":["a","_id"],
            "use_index":"_design/x/y","allow_fallback":false,"bookmark":"nil","execution_stats":true,"conflicts":true,
            "update":false,"stable":true,"r":2}"#,
        )
        .unwrap();
        assert_eq!(request.selector, r#"{"a":1}"#);
        assert_eq!((request.limit, request.skip, request.r), (3, 2, 2));
        assert_eq!(request.sort.fields, ["a", "b.c"]);
        assert_eq!(request.fields, ["a", "_id"]);
        assert_eq!(request.use_index, ["x", "y"]);
        assert_eq!(request.bookmark, None);
        assert!(!request.allow_fallback && !request.update && !request.sort.descending);
        assert!(request.execution_stats && request.conflicts && request.stable);
        let plain = parse(br#"{"selector":{},"use_index":["_design/x"],"sort":[{"a":"desc"}]}"#).unwrap();
        assert_eq!((plain.limit, plain.update), (25, true));
        assert_eq!(plain.use_index, ["x"]);
        assert_eq!(plain.partition, None);
        let inside = parse(br#"{"selector":{},"partition":"p"}"#).unwrap();
        assert_eq!(inside.partition, Some(Partition::parse("p").unwrap()));
        assert!(plain.sort.descending);
        assert_eq!(parse_count(br#"{"selector":{}}"#).unwrap(), "{}");
    }

    #[test]
    fn what_is_refused_and_in_which_words() {
        for (text, word, reason) in [
            ("{}", "missing_required_key", "Missing required key: selector"),
            (
                r#"{"selector":1}"#,
                "invalid_selector_json",
                "Selector must be a JSON object, not: 1",
            ),
            (
                r#"{"selector":{},"x":1}"#,
                "invalid_key",
                "Invalid key x for this request.",
            ),
            (
                r#"{"selector":{},"limit":-1}"#,
                "invalid_non_neg_integer",
                "-1 is not an integer greater than or equal to zero",
            ),
            (
                r#"{"selector":{},"r":0}"#,
                "invalid_pos_integer",
                "0 is not an integer greater than zero",
            ),
            (
                r#"{"selector":{},"update":1}"#,
                "invalid_boolean",
                "Invalid boolean value: 1",
            ),
            (
                r#"{"selector":{},"sort":{}}"#,
                "invalid_sort_json",
                "Sort must be an array of sort specs, not: {}",
            ),
            (
                r#"{"selector":{},"sort":[1]}"#,
                "invalid_sort_field",
                "Invalid sort field: 1",
            ),
            (
                r#"{"selector":{},"sort":["a",{"b":"desc"}]}"#,
                "unsupported_mixed_sort",
                "Sorts currently only support a single direction for all fields.",
            ),
            (
                r#"{"selector":{},"fields":"a"}"#,
                "invalid_fields",
                "Fields must be an array of strings, not: \"a\"",
            ),
            (
                r#"{"selector":{},"use_index":1}"#,
                "invalid_index_name",
                "Invalid index name: 1",
            ),
            (
                r#"{"selector":{},"bookmark":1}"#,
                "invalid_bookmark",
                "Invalid bookmark value: 1",
            ),
            (
                r#"{"selector":{},"partition":"_p"}"#,
                "illegal_partition",
                "Partition must not start with an underscore",
            ),
            ("[]", "bad_request", "Request body must be a JSON object"),
            ("{", "bad_request", "invalid UTF-8 JSON"),
        ] {
            assert_eq!(
                parse(text.as_bytes()).unwrap_err(),
                Refusal::new(word, reason),
                "{text}"
            );
        }
    }
}
