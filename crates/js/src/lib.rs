//! The JavaScript of design documents, in a sandbox: map, reduce and every other function, JSON texts in and JSON texts
//! out.
//!
//! A [`Sandbox`] belongs to one thread and one design document. It has no I/O and no timers, and is bounded in memory,
//! stack and time ([`Limits`]). A call that goes over a bound fails, alone: the engine beneath is made anew, and the next
//! call finds it as it was at first.
//!
//! The environment is CouchDB 3's: `emit`, `sum`, `log`, `toJSON`, `isArray`, `require`; sloppy mode, globals that can be
//! assigned and that each function has to itself; documents that are deeply frozen for maps; a map that throws loses
//! its rows of that document, and no other does.
//!
//! ```
//! use trunkline_js::{Limits, Sandbox, Sources};
//!
//! let sources = Sources {
//!     maps: vec!["function (doc) { emit(doc.account, doc.seconds) }".into()],
//!     reduces: vec!["function (keys, values) { return sum(values) }".into()],
//!     ..Sources::default()
//! };
//! let mut sandbox = Sandbox::new(sources, Limits::default())?;
//! let rows = sandbox.map(r#"{"account":"a","seconds":61}"#);
//! assert_eq!(rows, [Ok(r#"[["a",61]]"#.to_string())]);
//! assert_eq!(sandbox.rereduce(0, "[61,20]"), Ok("81".to_string()));
//! # Ok::<(), trunkline_js::Error>(())
//! ```

mod arguments;
mod clock;
mod engine;
mod failure;
mod harmless;
mod json;
pub mod limits;
mod log;
mod reads;
mod realms;
mod sandbox;

pub use arguments::reads_keys;
pub use failure::{Error, Failure, Role};
pub use limits::Limits;
pub use sandbox::{Sandbox, Sources};
