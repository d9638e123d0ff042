//! CouchDB's order of JSON values: null, false, true, numbers, strings, arrays, objects.

use std::cmp::Ordering;

/// Compares two values for a Mango selector: by type, numbers by value, strings by their bytes (Mango compares
/// with Erlang's term order adapted to JSON), arrays element by element, objects member by member.
pub fn compare(_a: &serde_json::Value, _b: &serde_json::Value) -> Ordering {
    todo!()
}
