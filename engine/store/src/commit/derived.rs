//! What somebody made of a bucket's documents, kept where the documents are: it is found without a look-up of its own
//! and ends with them.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// One value of whatever type, made by the first who asks. A clone is empty, since it is for other documents.
#[derive(Default)]
pub struct Derived(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Derived {
    /// The value, made if there is none. Who asks for a second type gets a value that isn't kept.
    pub fn of<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(held) = self.0.get()
            && let Ok(held) = Arc::clone(held).downcast()
        {
            return held;
        }
        let made = Arc::new(make());
        // Two who come at once make equal values, of which one is kept.
        let _ = self.0.set(made.clone());
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
