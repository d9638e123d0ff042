//! Some fields of a document as a document of their own.

use trunkline_core::json;
use trunkline_core::selector::{FieldPath, InvalidSelector};

/// Which fields are shown, and where: each at its path, in the order asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape(Vec<(String, Node)>);

#[derive(Clone, Debug)]
enum Node {
    Value(FieldPath),
    Object(Shape),
}

impl Shape {
    /// Of fields by name.
    pub(super) fn new(fields: &[String]) -> Result<Shape, InvalidSelector> {
        let mut shape = Shape::default();
        for field in fields {
            let path = FieldPath::parse(field)?;
            let parts: Vec<String> = path.parts().map(str::to_owned).collect();
            shape.add(&parts, path);
        }
        Ok(shape)
    }

    fn add(&mut self, parts: &[String], path: FieldPath) {
        let Some((first, rest)) = parts.split_first() else {
            return;
        };
        let place = self.0.iter().position(|(name, _)| name == first);
        match (place.and_then(|place| self.0.get_mut(place)), rest) {
            (Some((_, node)), []) => *node = Node::Value(path),
            // All of it is shown already.
            (Some((_, Node::Value(_))), _) => {}
            (Some((_, Node::Object(inner))), rest) => inner.add(rest, path),
            (None, []) => self.0.push((first.clone(), Node::Value(path))),
            (None, rest) => {
                let mut inner = Shape::default();
                inner.add(rest, path);
                self.0.push((first.clone(), Node::Object(inner)));
            }
        }
    }

    /// Appends the object of the fields that there are.
    pub(super) fn write<'a>(&self, out: &mut Vec<u8>, find: &dyn Fn(&FieldPath) -> Option<&'a str>) {
        out.push(b'{');
        let start = out.len();
        for (name, node) in &self.0 {
            let before = out.len();
            if before > start {
                out.push(b',');
            }
            json::quote(name, out);
            out.push(b':');
            let written = match node {
                Node::Value(path) => find(path).map(|value| out.extend_from_slice(value.as_bytes())),
                Node::Object(inner) => {
                    let at = out.len();
                    inner.write(out, find);
                    (out.len() > at + 2).then_some(())
                }
            };
            if written.is_none() {
                out.truncate(before);
            }
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_at_their_paths() {
        let doc = r#"{"_id":"x","a":{"b":1,"c":[2,3]},"d.e":4}"#;
        for (fields, expected) in [
            (&["_id", "a.b"][..], r#"{"_id":"x","a":{"b":1}}"#),
            (&["a.c.1", "a.b"], r#"{"a":{"c":{"1":3},"b":1}}"#),
            (&["a.b", "a", "none", "none.x"], r#"{"a":{"b":1,"c":[2,3]}}"#),
            (&["a", "a.b"], r#"{"a":{"b":1,"c":[2,3]}}"#),
            (&["d\\.e"], r#"{"d.e":4}"#),
            (&["none"], "{}"),
        ] {
            let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
            let mut out = Vec::new();
            Shape::new(&fields)
                .unwrap()
                .write(&mut out, &|path| path.find(doc));
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{fields:?}");
        }
    }
}
