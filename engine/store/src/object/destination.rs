//! What a body that is taken will be.

use super::append::Appended;
use super::{Kept, Rewritten, UploadId};

/// Where a body will belong.
#[derive(Debug)]
pub(super) enum Destination {
    Object,
    Part {
        upload: UploadId,
        number: u16,
    },
    /// The end of an object.
    Append(Appended),
    /// The content of a file.
    File(Rewritten),
    /// The same, of which some stays.
    Changed(Rewritten, Kept),
    /// A stream, and whatever will name it there.
    Stream,
}

impl Destination {
    /// Whether a body streams however small it is, so that no entry but the one that names it has its bytes.
    pub fn is_streamed(&self) -> bool {
        match self {
            Self::Object | Self::File(_) => false,
            Self::Part { .. } | Self::Stream | Self::Changed(..) => true,
            Self::Append(appended) => appended.offset > 0,
        }
    }

    /// Says when the content of a file changed.
    pub fn change_at(&mut self, mtime: Option<i64>) {
        match self {
            Self::File(place) | Self::Changed(place, _) => place.mtime = mtime,
            Self::Append(Appended { base: Some(base), .. }) => base.mtime = mtime,
            Self::Object | Self::Part { .. } | Self::Append(_) | Self::Stream => {}
        }
    }
}
