//! What faces made of a bucket's documents, kept where the documents are: it is found without a look-up of its own and
//! ends with them.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// How many types of values are kept; there are as many readers of a bucket's documents above the engine, or fewer.
const TYPES: usize = 4;

/// One value a type, made by the first who asks. A clone is empty, since it is for other documents.
#[derive(Default)]
pub struct Derived([OnceLock<Arc<dyn Any + Send + Sync>>; TYPES]);

impl Derived {
    /// The value of that type, made if there is none. One for which no place is left is made each time.
    pub fn of<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let held = |place: &OnceLock<Arc<dyn Any + Send + Sync>>| Arc::clone(place.get()?).downcast().ok();
        if let Some(held) = self.0.iter().find_map(held) {
            return held;
        }
        let made = Arc::new(make());
        // Two who come at once make equal values, which may both be kept: the first is found from then on.
        let _ = self.0.iter().try_for_each(|place| match place.set(made.clone()) {
            Ok(()) => Err(()),
            Err(_) => Ok(()),
        });
        made
    }
}

impl Clone for Derived {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Derived {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Derived {}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Derived")
    }
}

#[cfg(test)]
mod tests;
