//! What can go wrong: a sandbox that cannot be made, and a call that gives no answer.

use std::error;
use std::fmt;

/// Where a function stands among the [`Sources`](crate::Sources).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `sources.maps[_]`
    Map(usize),
    /// `sources.reduces[_]`
    Reduce(usize),
    /// `sources.functions[_]`
    Function(usize),
}

/// Why a sandbox could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The source of a function is not a function, or not JavaScript.
    Compile {
        /// Which one.
        role: Role,
        /// What is wrong with it, in the engine's words.
        message: String,
    },
    /// `sources.modules` is not JSON.
    Modules(String),
    /// The engine itself did not start: memory, as a rule.
    Engine(String),
}

/// Why a call gave no answer. The sandbox is ready for the next one all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The function threw, or what it gave cannot be written as JSON.
    Threw {
        /// The thrown value as JSON, save for `Error` objects and what JSON cannot hold.
        value: Option<String>,
        /// The thrown value as text, on one line.
        message: String,
    },
    /// The call took longer than [`Limits::call_time`](crate::Limits::call_time).
    TimedOut,
    /// The call needed more than [`Limits::memory_bytes`](crate::Limits::memory_bytes).
    OutOfMemory,
    /// There is no such function, or the engine could not be started again.
    Unavailable(String),
}

impl Failure {
    pub(crate) fn threw(message: String) -> Failure {
        Failure::Threw { value: None, message }
    }

    /// Whether the call went over a bound and was ended.
    pub fn is_of_bounds(&self) -> bool {
        matches!(self, Failure::TimedOut | Failure::OutOfMemory)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Map(index) => write!(f, "map function {index}"),
            Role::Reduce(index) => write!(f, "reduce function {index}"),
            Role::Function(index) => write!(f, "function {index}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Compile { role, message } => write!(f, "{role} does not compile: {message}"),
            Error::Modules(message) => write!(f, "the modules are not JSON: {message}"),
            Error::Engine(message) => write!(f, "the JavaScript engine does not start: {message}"),
        }
    }
}

impl error::Error for Error {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Threw { message, .. } => f.write_str(message),
            Failure::TimedOut => f.write_str("the function took too long and was ended"),
            Failure::OutOfMemory => f.write_str("the function needed too much memory and was ended"),
            Failure::Unavailable(message) => f.write_str(message),
        }
    }
}

impl error::Error for Failure {}
