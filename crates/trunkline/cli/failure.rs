//! Why a command failed: one line, and the exit code.

use super::output::one_line;
use std::error::Error;
use std::fmt;
use std::io;

/// A failure, told in one line.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What went wrong.
    Message(String),
    /// Several things did, a line each.
    Lines(Vec<String>),
    /// Whoever reads our output has gone away (`trunkline export … | head`); nothing to tell.
    OutputClosed,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure::Message(message.into())
    }

    /// Unless there are none of them.
    pub(crate) fn unless_none(lines: Vec<String>) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        Err(Failure::Lines(lines))
    }

    /// What to tell, line by line. Whatever a server or a file put into a message, it stays one line.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Failure::Lines(lines) => lines.iter().map(|line| one_line(line)).collect(),
            failure => vec![failure.to_string()],
        }
    }

    /// A failure of writing output.
    pub(crate) fn output(cause: io::Error) -> Failure {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::new(format!("writing the output: {cause}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Message(message) => f.write_str(&one_line(message)),
            Failure::Lines(lines) => f.write_str(&one_line(&lines.join("; "))),
            Failure::OutputClosed => f.write_str("nobody reads the output"),
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(below) = cause {
            let text = below.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = below.source();
        }
        Failure::Message(message)
    }
}
