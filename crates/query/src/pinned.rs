//! One moment of a database together with indexes as they were then, so that several questions get answers that agree.

use crate::Error;
use crate::build;
use crate::design::Design;
use crate::indexes::Indexes;
use std::collections::HashMap;
use std::sync::Arc;
use trunkline_store::Database;

impl Indexes {
    /// Pins a database and the indexes of these design documents. Each is brought up to that very moment, and that alone
    /// holds up other passes over them: bring them up to date before. The handle counts as long as [`Indexes::unpin`]
    /// is not called, and no longer than [`Database::pin`] allows.
    pub fn pin(&self, db: &Database, designs: Vec<Design>) -> Result<Database, Error> {
        let mut indexes = HashMap::new();
        for design in designs.into_iter().filter(|design| !design.maps.is_empty()) {
            indexes.insert(design.signature, self.index(db, design)?);
        }
        // In one order, so that two who pin do not wait for each other.
        let mut sorted: Vec<_> = indexes.iter().collect();
        sorted.sort_by_key(|(signature, _)| **signature);
        let held: Vec<_> = sorted.into_iter().map(|(_, index)| index.hold()).collect();
        let pinned = db.pin()?;
        let goal = build::state_of(&pinned)?;
        let mut of_moment = HashMap::new();
        for (signature, index) in &indexes {
            index.bring_up(&pinned, &goal)?;
            of_moment.insert(*signature, Arc::new(index.pinned(pinned.clone())?));
        }
        drop(held);
        if let Some(number) = pinned.pin_number() {
            self.0.pinned.lock().insert(number, of_moment);
        }
        Ok(pinned)
    }

    /// Lets go of the indexes of a moment.
    pub fn unpin(&self, pinned: &Database) {
        if let Some(number) = pinned.pin_number() {
            self.0.pinned.lock().remove(&number);
        }
    }
}
