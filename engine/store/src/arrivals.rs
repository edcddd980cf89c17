//! Keys that are there already for whoever was told so, and come to the store a moment later.
//!
//! Files answer `close` when the node holds the bytes, and commit them with many others ([`Arrivals`] says who). A face that
//! is asked about such a key waits for it first ([`crate::Store::await_arrivals`]), so that no face is behind another.

use std::pin::Pin;
use std::sync::{OnceLock, Weak};

/// Whoever holds what is on its way.
pub trait Arrivals: Send + Sync {
    /// Whether anything is; asked with every request.
    fn are_any(&self) -> bool;

    /// Ends once all that was on its way when this began is there, or will not come: to a key of a bucket, to all of a
    /// bucket's without a key, or to all there are.
    fn settle<'a>(
        &'a self,
        bucket: Option<&'a str>,
        key: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// Where the one that a store has is said.
#[derive(Default)]
pub struct Arriving(OnceLock<Weak<dyn Arrivals>>);

impl std::fmt::Debug for Arriving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arriving").finish_non_exhaustive()
    }
}

impl crate::Store {
    /// Says who holds what is on its way; the first one stays.
    pub fn set_arrivals(&self, arrivals: Weak<dyn Arrivals>) {
        // A second one is not asked.
        let _ = self.inner.arriving.0.set(arrivals);
    }

    /// Whether anything is on its way.
    #[must_use]
    pub fn are_arrivals(&self) -> bool {
        self.inner.arriving.0.get().and_then(Weak::upgrade).is_some_and(|arrivals| arrivals.are_any())
    }

    /// Waits for what is on its way, as [`Arrivals::settle`].
    pub async fn await_arrivals(&self, bucket: Option<&str>, key: Option<&str>) {
        let arrivals = self.inner.arriving.0.get().and_then(Weak::upgrade);
        if let Some(arrivals) = arrivals {
            arrivals.settle(bucket, key).await;
        }
    }
}
