//! Error bodies: `{"error":..,"reason":..}`.

/// What a peer said was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The error word; empty when the peer gave none.
    pub error: String,
    /// The reason; the start of the body's text when the body is no such JSON (a proxy's HTML).
    pub reason: String,
}

/// Appends an error body, with a line feed behind it as CouchDB's.
pub fn write(_out: &mut Vec<u8>, _error: &str, _reason: &str) {
    todo!()
}

/// Reads an error body, or whatever came in its place.
pub fn parse(_text: &[u8]) -> Fault {
    todo!()
}
