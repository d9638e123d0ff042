//! Standard output, a line at a time.

use super::Failure;
use std::fmt::Display;
use std::io::Write;

/// Prints a line, at once. A reader that went away is a [`Failure`], not a panic.
pub(crate) fn say(line: impl Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(Failure::output)
}

/// Prints a line on standard error. When nobody reads there, the work goes on.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A text that a file or a server chose, kept on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A number of things: `1 document`, `2 documents`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}
