//! What functions say by `log`.

use crate::limits::LOG_BYTES;

/// Lines that functions logged, bounded in bytes.
#[derive(Default)]
pub(crate) struct Log {
    lines: Vec<String>,
    bytes: usize,
}

impl Log {
    pub(crate) fn push(&mut self, line: String) {
        // A line has a cost of its own: empty ones are bounded too.
        let bytes = self.bytes + line.len() + size_of::<String>();
        if bytes <= LOG_BYTES {
            self.bytes = bytes;
            self.lines.push(line);
        }
    }

    pub(crate) fn move_into(&mut self, lines: &mut Vec<String>) {
        lines.append(&mut self.lines);
        self.bytes = 0;
    }
}
