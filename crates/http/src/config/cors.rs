//! Which pages of other hosts may ask.

/// Cross-origin requests; off while there are no origins.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Origins (`https://app.example`), or `*` for all.
    pub origins: Vec<String>,
    /// Whether requests come with cookies; not with `*`.
    pub credentials: bool,
    /// Methods that pages may use; empty: all that the server has.
    pub methods: Vec<String>,
    /// Headers that pages may send beyond the usual ones.
    pub headers: Vec<String>,
    /// Seconds that browsers remember an answer to a preflight.
    pub max_age: u64,
}

impl Default for Cors {
    fn default() -> Cors {
        Cors {
            origins: Vec::new(),
            credentials: false,
            methods: Vec::new(),
            headers: Vec::new(),
            max_age: 600,
        }
    }
}
