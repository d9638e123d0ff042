//! Where a JSON object ends, found as its bytes arrive.

/// Looks at the bytes of one object, from its opening brace on, each byte once. It finds the end of every valid
/// object; text that is not JSON ends somewhere or nowhere, and is refused by whoever parses it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ObjectEnd {
    /// Bytes seen.
    seen: usize,
    depth: usize,
    in_string: bool,
}

impl ObjectEnd {
    /// `bytes` are the object's so far, seen ones included. Answers how many bytes the object has, once they are all
    /// there.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let rest = bytes.get(self.seen..)?;
            if self.in_string {
                let found = memchr::memchr2(b'"', b'\\', rest);
                let Some(at) = found else {
                    self.seen = bytes.len();
                    return None;
                };
                if rest.get(at) == Some(&b'"') {
                    self.in_string = false;
                    self.seen += at + 1;
                } else if rest.len() > at + 1 {
                    self.seen += at + 2;
                } else {
                    // The escaped byte decides; look again when it is there.
                    self.seen += at;
                    return None;
                }
                continue;
            }
            let special = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']');
            let Some(at) = rest.iter().position(special) else {
                self.seen = bytes.len();
                return None;
            };
            self.seen += at + 1;
            match rest.get(at) {
                Some(b'"') => self.in_string = true,
                Some(b'{' | b'[') => self.depth += 1,
                _ => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.seen);
                    }
                }
            }
        }
    }
}
