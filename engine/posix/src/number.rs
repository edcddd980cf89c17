//! Inode numbers.
//!
//! | number | what has it |
//! |---|---|
//! | 1 | the directory of all buckets |
//! | below 2^59 | a record: that of the file's first content, which every later one keeps |
//! | 2^59 + 59 random bits | a file that a mount made, and whose record says so: it was told before it had one |
//! | 2^60 + id | a bucket |
//! | 2^61 + 60 bits of a hash over (bucket's id, path) | a directory that nothing but the keys below it tells of |
//! | 2^62 + 62 bits of a hash | what stands in a view, see [`crate::view`] |
//!
//! A record's number leads to its key by the store's index, and a bucket's by its id. The last kind is looked up among
//! those that were told; what is not known any more (after a restart, or when there are too many) is found by walking
//! the directories. Two paths with one hash: the second that is met takes the next number.

use packstone_store::object::BucketState;
use quick_cache::sync::Cache;

pub const ROOT: u64 = 1;
const DRAWN: u64 = 1 << 59;
const BUCKET: u64 = 1 << 60;
const IMPLICIT: u64 = 1 << 61;
pub const VIEW: u64 = 1 << 62;
const HASH: u64 = BUCKET - 1;
/// How many numbers a path may come to.
const PROBES: u64 = 16;
/// Paths that are remembered.
const REMEMBERED: usize = 100_000;

/// What kind of thing has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Root,
    Record,
    Bucket(u32),
    Implicit,
    View,
}

pub fn kind(inode: u64) -> Kind {
    match inode {
        ROOT => Kind::Root,
        _ if inode >= VIEW => Kind::View,
        _ if inode >= IMPLICIT => Kind::Implicit,
        _ if inode >= BUCKET => u32::try_from(inode - BUCKET).map_or(Kind::Record, Kind::Bucket),
        _ => Kind::Record,
    }
}

/// The number of a file that is told of before it is made, by random bits.
pub fn drawn(bits: u64) -> u64 {
    DRAWN + (bits & (DRAWN - 1))
}

pub fn of_bucket(bucket: &BucketState) -> u64 {
    BUCKET + u64::from(bucket.bucket.id)
}

/// Directories that have no record, by their numbers.
pub struct Implicit(Cache<u64, (u32, Box<str>)>);

impl Default for Implicit {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

/// The numbers that a path may have, in order.
fn candidates(bucket: u32, path: &str) -> impl Iterator<Item = u64> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bucket.to_le_bytes());
    hasher.update(path.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    (0..PROBES).map(move |probe| IMPLICIT + (first.wrapping_add(probe) & HASH))
}

impl Implicit {
    /// The number of a path, which ends with a slash: the first that no other path has, and no record by `is_free`. `None` where
    /// all that it may have are taken.
    ///
    /// # Errors
    /// Those of `is_free`.
    pub fn number<E>(
        &self,
        bucket: u32,
        path: &str,
        is_free: impl Fn(u64) -> Result<bool, E>,
    ) -> Result<Option<u64>, E> {
        for number in candidates(bucket, path) {
            let held = self.0.get(&number);
            let is_others = held.as_ref().is_some_and(|(other, place)| *other != bucket || **place != *path);
            if is_others || !is_free(number)? {
                continue;
            }
            if held.is_none() {
                self.0.insert(number, (bucket, path.into()));
            }
            return Ok(Some(number));
        }
        Ok(None)
    }

    /// The bucket and path of a number that was told.
    pub fn path(&self, inode: u64) -> Option<(u32, Box<str>)> {
        self.0.get(&inode)
    }

    /// The paths below one of a bucket whose numbers were told, that one too.
    pub fn below(&self, bucket: u32, path: &str) -> Vec<Box<str>> {
        let told = self.0.iter().map(|(_, told)| told);
        told.filter(|(of, held)| *of == bucket && held.starts_with(path)).map(|(_, held)| held).collect()
    }

    /// Whether a path may have that number.
    pub fn may_have(bucket: u32, path: &str, inode: u64) -> bool {
        candidates(bucket, path).any(|number| number == inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_what_has_them() {
        for (inode, held) in [
            (1, Kind::Root),
            (2, Kind::Record),
            (BUCKET - 1, Kind::Record),
            (BUCKET + 7, Kind::Bucket(7)),
            (IMPLICIT, Kind::Implicit),
            (IMPLICIT + HASH, Kind::Implicit),
            (VIEW, Kind::View),
        ] {
            assert_eq!(kind(inode), held, "{inode}");
        }
    }

    #[test]
    fn a_path_keeps_its_number_and_two_have_two() {
        let told = Implicit::default();
        let of = |told: &Implicit, bucket| told.number::<()>(bucket, "a/", |_| Ok(true)).unwrap().unwrap();
        let number = of(&told, 1);
        assert_eq!((of(&told, 1), of(&Implicit::default(), 1)), (number, number));
        assert_ne!(of(&told, 2), number);
        assert_eq!(told.path(number), Some((1, "a/".into())));
        assert!(Implicit::may_have(1, "a/", number) && !Implicit::may_have(1, "b/", number));
        // Somebody else has the number already.
        let taken = Implicit::default();
        taken.0.insert(number, (9, "other/".into()));
        let next = of(&taken, 1);
        assert!(next != number && Implicit::may_have(1, "a/", next));
        // A record has it.
        let beside = Implicit::default().number::<()>(1, "a/", |free| Ok(free != number)).unwrap().unwrap();
        assert_eq!(beside, next);
        assert_eq!(told.number::<()>(1, "b/", |_| Ok(false)), Ok(None));
    }
}
