//! What there is room for.

use packstone_access::Action;

use crate::protocol::Space;
use crate::{Errno, Files};

impl Files {
    pub(crate) fn space(&self) -> Result<Space, Errno> {
        let (space, files) = self.store.space(&self.may_of_node(Action::ListAllMyBuckets)?)?;
        Ok(Space { total: space.total, free: space.free, files })
    }
}
