//! Where settings come from. One table (`keys`) says of each what it is called, what it may be, what it does and where its
//! typed value is; the file, the environment, flags and `_config` all read by it.
//!
//! Layers go over each other: the defaults (or what a program begins with), the operator's file, what was set while a server
//! ran, the environment, flags. A change is made in one layer, all are put over each other anew, and the result takes the
//! place of what was in force as a whole, or not at all.

mod checks;
mod environment;
mod example;
mod field;
mod file;
mod hashed;
mod kept;
mod key;
mod keys;
mod layer;
mod live;
mod named_files;
mod nearest;
mod problem;
mod process;
mod shown;
mod sources;
mod state;
mod value;

pub use example::example;
pub use key::{Holds, Key, Names, Section};
pub use keys::SECTIONS;
pub use live::Live;
pub use problem::Problem;
pub use process::Process;
pub use shown::{Shown, Unchanged};
pub use sources::{Origin, Sources};
pub use value::{HIDDEN, Kind, Value};

use crate::config::Config;

/// Every setting of a server.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What requests and answers go by.
    pub config: Config,
    /// What is read once, when a server starts.
    pub process: Process,
}

impl Settings {
    /// What is right, and may not be what was meant.
    fn warnings(&self) -> Vec<String> {
        let authentication = &self.config.authentication;
        let jwt = &authentication.jwt;
        let is_waiver = |claim: &String| claim.trim() == "-exp";
        let mut warnings = Vec::new();
        if !jwt.keys.is_empty() && jwt.required_claims.iter().any(is_waiver) {
            warnings.push("`required_claims` in [jwt] has -exp: tokens that never end are taken".to_owned());
        }
        if authentication.require_valid_user && self.config.admins.is_empty() {
            warnings.push(
                "`require_valid_user` in [authentication] locks everyone out who is not in _users, as there is no \
                 administrator; `trunkline init` makes one"
                    .to_owned(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
