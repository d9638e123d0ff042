//! What others keep of a store, and must not keep twice: all who have the store find the same.

use crate::Store;
use parking_lot::Mutex;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

/// By type; whoever uses one keeps it alive, since it may hold the store.
#[derive(Default)]
pub(crate) struct Companions(Mutex<HashMap<TypeId, Weak<dyn Any + Send + Sync>>>);

impl fmt::Debug for Companions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} companions", self.0.lock().len())
    }
}

impl Store {
    /// The one `T` of this store, for as long as somebody holds it; a new one where nobody does.
    pub fn companion<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut companions = self.shared.companions.0.lock();
        let kept = companions.get(&TypeId::of::<T>()).and_then(Weak::upgrade);
        if let Some(kept) = kept.and_then(|kept| kept.downcast::<T>().ok()) {
            return kept;
        }
        let new = Arc::new(T::default());
        let any: Arc<dyn Any + Send + Sync> = new.clone();
        companions.insert(TypeId::of::<T>(), Arc::downgrade(&any));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_as_long_as_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let first = store.companion::<Mutex<u8>>();
        *first.lock() = 7;
        assert!(Arc::ptr_eq(&first, &store.clone().companion()));
        assert_eq!(*store.companion::<u8>(), 0);
        drop(first);
        assert_eq!(*store.companion::<Mutex<u8>>().lock(), 0);
    }
}
