//! `_attachments` as it comes in: entries whose bytes are elsewhere, inline or in parts that follow.

/// One entry of `_attachments`.
#[derive(Clone, Debug)]
pub struct IncomingAttachment {
    /// Its key, checked: not empty, not starting with `_`.
    pub name: String,
    /// `content_type`.
    pub content_type: Option<String>,
    /// `revpos`.
    pub revpos: Option<u64>,
    /// `digest`, when it is an `md5-` one.
    pub md5: Option<[u8; 16]>,
    /// Where its bytes are.
    pub data: IncomingData,
}

/// Where the bytes of an incoming attachment are.
#[derive(Clone, Debug)]
pub enum IncomingData {
    /// `"stub":true`.
    Stub,
    /// `"data"`: base64, decoded.
    Inline(Vec<u8>),
    /// `"follows":true`: the next part; bytes to expect (`encoded_length` when `encoding` is gzip, else `length`).
    Follows {
        /// Bytes of the part.
        part_bytes: Option<u64>,
        /// Whether the part is gzip (`"encoding":"gzip"`).
        gzip: bool,
    },
}
