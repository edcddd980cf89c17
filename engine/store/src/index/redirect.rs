//! Renames of whole directories that are in effect before their keys have moved.
//!
//! A *redirect* is a document of its bucket: from the entry that brings it on, every current version below one path is that
//! of the same place below another. The rows move afterwards, a slice at a time, and the document ends when none is left.
//!
//! * A row is *unmoved* if it stands below `from` and its record is older than the redirect. No other row below `from` is
//!   the directory's that was renamed: whoever writes there after the redirect begins a directory of the same name.
//! * A row below `to` counts as it stands. Where there is none, the unmoved row of the same place below `from` is what is there.
//! * A key has no row below `to` while it has an unmoved one: before anything changes either key, the row moves
//!   (`commit/decide/redirect.rs`).
//! * No two redirects that are in effect have a path that is, or is above, one of the other's, so one look is enough.
//! * A bucket that has redirects never kept versions, and begins to keep none.
//!
//! [`Namespace`](super::Namespace) is the index as it looks by these; whoever carries rows about has the index as it is.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::{Error, Result};

/// The kind of a document that is a redirect; its name is the LSN of the entry that brought it, in hexadecimal.
pub const REDIRECT: &str = "redirect";
/// The most redirects of one bucket at once: each key that is looked up is held against all.
pub const MOST_REDIRECTS: usize = 16;
const VERSION: u8 = 1;

pub struct Redirect {
    pub bucket: u32,
    /// Records with a lower id were there before.
    pub lsn: u64,
    /// When it took effect, Unix nanoseconds.
    pub since: i64,
    /// Both end with a slash.
    pub from: Box<str>,
    pub to: Box<str>,
    /// Whether something may stand below `from` that came since.
    is_resettled: AtomicBool,
}

impl Redirect {
    /// The name and value of the document.
    #[must_use]
    pub fn encode(lsn: u64, since: i64, from: &str, to: &str) -> (String, Vec<u8>) {
        let mut out = Writer::default();
        out.u8(VERSION);
        out.i64(since);
        out.short(from.as_bytes());
        out.short(to.as_bytes());
        (format!("{lsn:016x}"), out.0)
    }

    /// # Errors
    /// [`Error::InvalidDocument`].
    pub fn decode(bucket: u32, name: &str, value: &[u8]) -> Result<Self> {
        let read = || -> Result<(i64, String, String), DecodeError> {
            let mut from = Reader(value);
            match from.u8()? {
                VERSION => Ok((from.i64()?, from.short_str()?, from.short_str()?)),
                other => Err(DecodeError::Unknown("redirect", other)),
            }
        };
        let damaged = |_| Error::InvalidDocument("a redirect that can't be read");
        let (since, from, to) = read().map_err(damaged)?;
        let lsn = u64::from_str_radix(name, 16).map_err(|_| Error::InvalidDocument("a redirect that has no number"))?;
        Ok(Self { bucket, lsn, since, from: from.into(), to: to.into(), is_resettled: AtomicBool::new(true) })
    }

    /// Whether a row below `from` is still to be moved.
    #[must_use]
    pub fn is_unmoved(&self, record: u64) -> bool {
        record < self.lsn
    }

    /// Where the row of a key below `to` may stand still.
    #[must_use]
    pub fn source_of(&self, key: &str) -> Option<String> {
        Some([&self.from, key.strip_prefix(&*self.to)?].concat())
    }

    /// Where the row of a key below `from` goes.
    #[must_use]
    pub fn destination_of(&self, key: &str) -> Option<String> {
        Some([&self.to, key.strip_prefix(&*self.from)?].concat())
    }

    /// Whether one of its paths is a path, above it or below it.
    #[must_use]
    pub fn touches(&self, path: &str) -> bool {
        [&self.from, &self.to].iter().any(|own| own.starts_with(path) || path.starts_with(&***own))
    }

    /// Whether something may stand below `from` that came since.
    #[must_use]
    pub fn is_resettled(&self) -> bool {
        self.is_resettled.load(Ordering::Acquire)
    }
}

impl PartialEq for Redirect {
    fn eq(&self, other: &Self) -> bool {
        (self.bucket, self.lsn) == (other.bucket, other.lsn)
    }
}

impl Eq for Redirect {}

impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}: {:?} to {:?} in bucket {}", self.lsn, self.from, self.to, self.bucket)
    }
}

/// Redirects that are in effect, of one bucket or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects(Vec<Arc<Redirect>>);

impl Redirects {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Redirect>> {
        self.0.iter()
    }

    /// Those of a bucket.
    pub fn of(&self, bucket: u32) -> impl Iterator<Item = &Arc<Redirect>> {
        self.0.iter().filter(move |redirect| redirect.bucket == bucket)
    }

    /// Under which key a row is seen.
    #[must_use]
    pub fn shown<'k>(&self, bucket: u32, key: &'k str, record: u64) -> Cow<'k, str> {
        let mut moving = self.of(bucket).filter(|redirect| redirect.is_unmoved(record));
        moving.find_map(|redirect| redirect.destination_of(key)).map_or(Cow::Borrowed(key), Cow::Owned)
    }

    /// The same with the document of that name in place of the one that stands, or without that.
    ///
    /// # Errors
    /// As [`Redirect::decode`].
    pub fn with(&self, bucket: u32, name: &str, value: Option<&[u8]>) -> Result<Self> {
        let lsn = u64::from_str_radix(name, 16).unwrap_or_default();
        let mut next: Vec<_> = self.0.iter().filter(|held| held.lsn != lsn).cloned().collect();
        if let Some(value) = value {
            next.push(Arc::new(Redirect::decode(bucket, name, value)?));
        }
        Ok(Self(next))
    }

    /// The same with others for all of a bucket's.
    #[must_use]
    pub fn with_those_of(&self, bucket: u32, own: &Self) -> Self {
        let others = self.0.iter().filter(|redirect| redirect.bucket != bucket);
        Self(others.chain(&own.0).cloned().collect())
    }

    /// A redirect has just begun: nothing came since.
    pub fn note_begun(&self, bucket: u32, name: &str) {
        let lsn = u64::from_str_radix(name, 16).unwrap_or_default();
        for redirect in self.of(bucket).filter(|redirect| redirect.lsn == lsn) {
            redirect.is_resettled.store(false, Ordering::Release);
        }
    }

    /// A key has a row from now on.
    pub fn note_put(&self, bucket: u32, key: &str) {
        for redirect in self.of(bucket).filter(|redirect| key.starts_with(&*redirect.from)) {
            redirect.is_resettled.store(true, Ordering::Release);
        }
    }
}
