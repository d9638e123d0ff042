//! A document's body, its path of revisions, and the edits that can be made to it.

mod body;
mod edit;
mod path;

pub use body::{Body, InvalidBody};
pub use edit::{Edit, InteractiveEdit, ReplicatedEdit};
pub use path::RevPath;
