//! The map function of a Mango index.

use trunkline_core::selector::{FieldPath, Selector};
use trunkline_wire::find::{Definition, Refusal, parse_map};

/// Makes a document's row: the array of the values of some fields. A document that lacks one has none.
#[derive(Clone, Debug)]
pub(crate) struct FieldsMap {
    fields: Vec<FieldPath>,
    partial: Option<Selector>,
}

impl FieldsMap {
    /// Of a view's map.
    pub(crate) fn parse(source: &str) -> Result<FieldsMap, Refusal> {
        FieldsMap::new(&parse_map(source)?)
    }

    /// Of a definition.
    pub(crate) fn new(definition: &Definition) -> Result<FieldsMap, Refusal> {
        let fields = definition.fields.fields.iter();
        let partial = definition.partial.as_deref();
        Ok(FieldsMap {
            fields: fields
                .map(|field| FieldPath::parse(field))
                .collect::<Result<_, _>>()?,
            partial: partial.map(Selector::parse).transpose()?,
        })
    }

    /// Appends a document's key; whether it has one.
    pub(crate) fn key(&self, doc: &str, key: &mut String) -> bool {
        key.push('[');
        for (place, field) in self.fields.iter().enumerate() {
            let Some(value) = field.find(doc) else {
                return false;
            };
            if place > 0 {
                key.push(',');
            }
            key.push_str(value);
        }
        key.push(']');
        self.partial
            .as_ref()
            .is_none_or(|partial| partial.matches_text(doc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_lack_a_field_have_no_row() {
        let map = FieldsMap::parse(
            r#"{"fields":{"a":"asc","b.c":"asc"},"partial_filter_selector":{"d":{"$gt":1}}}"#,
        )
        .unwrap();
        for (doc, expected) in [
            (r#"{"_id":"x","a":[1],"b":{"c":null},"d":2}"#, Some("[[1],null]")),
            (r#"{"_id":"x","a":1,"b":{"c":null},"d":1}"#, None),
            (r#"{"_id":"x","a":1,"b":{},"d":2}"#, None),
            (r#"{"_id":"x","b":{"c":1},"d":2}"#, None),
        ] {
            let mut key = String::new();
            let found = map.key(doc, &mut key).then_some(key.as_str());
            assert_eq!(found, expected, "{doc}");
        }
        assert!(FieldsMap::parse(r#"{"fields":{"a..b":"asc"}}"#).is_err());
    }
}
