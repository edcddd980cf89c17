//! Server access logging: lines of the requests to a bucket, delivered as objects to another.
//!
//! [`destination`] is what a bucket says of it, [`delivery`] collects lines and puts them. A request only hands its line
//! over, and never waits. What delivers doesn't come by the front, so that it makes no lines of its own: a bucket that is
//! logged to itself doesn't grow by that.

mod delivery;
mod destination;

use std::sync::Arc;

use packstone_store::object::BucketState;

pub(crate) use delivery::{Delivery, leave};
pub(crate) use destination::Destination;

use crate::bucket::{cors, logging};
use crate::face::Face;
use crate::front::cors::{Rules, Sharing};
use crate::front::{Buckets, Line, Recorder, Standing};

/// What the front is told of buckets.
pub(crate) struct Known {
    pub face: Face,
    pub delivery: Delivery,
}

/// What a bucket's documents say, read once for as long as they stand.
struct Compiled {
    sharing: Option<Arc<Rules>>,
    destination: Option<Arc<Destination>>,
}

impl Compiled {
    fn new(state: &BucketState) -> Self {
        Self { sharing: cors::rules(state), destination: logging::destination(state).map(Arc::new) }
    }
}

/// Takes the line of one request.
struct Logged {
    delivery: Delivery,
    destination: Arc<Destination>,
}

impl Recorder for Logged {
    fn record(&self, line: Arc<Line>) {
        self.delivery.take(self.destination.clone(), line);
    }
}

impl Buckets for Known {
    fn standing(&self, bucket: &str) -> Standing {
        let state = match self.face.store.bucket_state(bucket) {
            None => return Standing { sharing: Sharing::NoBucket, recorder: None },
            Some(state) if state.count_documents() == 0 => return Standing { sharing: Sharing::Off, recorder: None },
            Some(state) => state,
        };
        let compiled = state.derived(|| Compiled::new(&state));
        let logged = |destination: &Arc<Destination>| {
            Box::new(Logged { delivery: self.delivery.clone(), destination: destination.clone() }) as Box<dyn Recorder>
        };
        Standing {
            sharing: compiled.sharing.clone().map_or(Sharing::Off, Sharing::By),
            recorder: compiled.destination.as_ref().map(logged),
        }
    }
}

#[cfg(test)]
mod tests;
