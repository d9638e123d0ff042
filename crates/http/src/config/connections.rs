//! What one client, and all together, may take of a server.

/// Caps and time-outs.
#[derive(Clone, Debug)]
pub struct Connections {
    /// Connections at once; others are told to come back.
    pub connections_max: usize,
    /// Of these, connections from one address, or from one network of 64 bits of IPv6. This machine's own do not count.
    pub connections_per_address_max: usize,
    /// Requests at once that are not live feeds; others are told to come back.
    pub requests_max: usize,
    /// Live feeds at once.
    pub feeds_max: usize,
    /// Milliseconds that the head of a request may take, and that a quiet connection is kept.
    pub head_ms: u64,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Milliseconds without a byte after which a request's body, or an answer that is not read, is given up.
    pub silence_ms: u64,
}

impl Default for Connections {
    fn default() -> Connections {
        use trunkline_core::limits;
        Connections {
            connections_max: limits::CONNECTIONS_MAX,
            connections_per_address_max: limits::CONNECTIONS_PER_ADDRESS_MAX,
            requests_max: limits::REQUESTS_MAX,
            feeds_max: limits::LIVE_FEEDS_MAX,
            head_ms: limits::REQUEST_HEAD_MS,
            head_bytes_max: limits::REQUEST_HEAD_BYTES_MAX,
            silence_ms: limits::REQUEST_SILENCE_MS,
        }
    }
}
