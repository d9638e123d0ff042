//! One moment of a database together with indexes as they were then, so that several questions get answers that agree.

use crate::Error;
use crate::build;
use crate::design::{Design, Signature};
use crate::indexes::Indexes;
use crate::view_index::ViewIndex;
use std::collections::HashMap;
use std::sync::Arc;
use trunkline_store::Database;

/// The moment is over, whoever has not let go of it yet.
fn has_ended(of_moment: &HashMap<Signature, Arc<ViewIndex>>) -> bool {
    let mut indexes = of_moment.values();
    indexes.any(|index| index.database().check_pinned().is_err())
}

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
        let whole = pinned.whole();
        let goal = build::state_of(&pinned)?;
        let mut of_moment = HashMap::new();
        for (signature, index) in &indexes {
            index.bring_up(&whole, &goal)?;
            of_moment.insert(*signature, Arc::new(index.pinned(whole.clone())?));
        }
        drop(held);
        if let Some(number) = pinned.pin_number() {
            let mut pinned = self.0.pinned.lock();
            let ended: Vec<_> = pinned.extract_if(|_, of| has_ended(of)).collect();
            pinned.insert(number, of_moment);
            // What they hold is closed without holding up anybody.
            drop(pinned);
            drop(ended);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::NativeView;
    use trunkline_core::db_name::DbName;
    use trunkline_store::Store;

    #[test]
    fn the_indexes_of_a_moment_end_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let indexes = Indexes::of(&store);
        let views = || {
            vec![NativeView {
                name: "all".to_owned(),
                map: Arc::new(|_, _| Ok(())),
                reduce: None,
            }]
        };
        let design = Design::native("v", 1, views());
        let pin = |name: &str| {
            let db = store.create(&DbName::parse(name).unwrap()).unwrap();
            indexes.pin(&db, vec![design.clone()]).unwrap()
        };
        let first = pin("first");
        let index = indexes.index(&first, design.clone()).unwrap();
        assert!(index.snapshot().unwrap().is_some() && index.state().unwrap().is_some());
        store.delete(first.name()).unwrap();
        assert!(index.snapshot().is_err() && index.state().is_err());
        let second = pin("second");
        let kept: Vec<_> = indexes.0.pinned.lock().keys().copied().collect();
        assert_eq!(kept, [second.pin_number().unwrap()]);
    }
}
