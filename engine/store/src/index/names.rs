//! The names of a file: the keys whose current versions have its inode number.

use super::{IndexError, IndexResult, keys};
use crate::codec::{Reader, Writer};

/// A value of several names begins like this, and none of one name does: no bucket has the id 0.
const SEVERAL: [u8; 4] = [0; 4];

/// Keys of [`super::Space::Current`], in the order in which they came to be names of the file. What opens the file by its
/// number reads the first, so it stays the first as long as it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Vec<u8>>);

impl Names {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether it wasn't there.
    pub fn insert(&mut self, place: &[u8]) -> bool {
        let is_new = !self.0.iter().any(|held| held == place);
        if is_new {
            self.0.push(place.to_vec());
        }
        is_new
    }

    /// Whether it was there.
    pub fn remove(&mut self, place: &[u8]) -> bool {
        let before = self.0.len();
        self.0.retain(|held| held != place);
        self.0.len() < before
    }

    /// Bucket and object key of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.0.iter().filter_map(|place| keys::parse_current(place))
    }

    /// The value; `None` where there are none.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        match self.0.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => {
                let mut out = Writer::default();
                out.bytes(&SEVERAL);
                several.iter().for_each(|place| out.short(place));
                Some(out.0)
            }
        }
    }

    /// # Errors
    /// A value that is none of these.
    pub fn decode(value: &[u8]) -> IndexResult<Self> {
        let Some(behind) = value.strip_prefix(&SEVERAL) else { return Ok(Self(vec![value.to_vec()])) };
        let mut from = Reader(behind);
        let mut places = Vec::new();
        while !from.is_empty() {
            let place = from.short().map_err(|_| IndexError("names of a file that can't be read".into()))?;
            places.push(place.to_vec());
        }
        Ok(Self(places))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut names = Names::default();
        assert_eq!(names.encode(), None);
        let places = [keys::current(1, "a"), keys::current(1, &"\0long".repeat(800)), keys::current(7, "")];
        for (held, place) in places.iter().enumerate() {
            assert!(names.insert(place) && !names.insert(place));
            let read = Names::decode(&names.encode().unwrap()).unwrap();
            assert_eq!((&read, read.count()), (&names, held + 1));
        }
        assert_eq!(names.iter().map(|(bucket, _)| bucket).collect::<Vec<_>>(), [1, 1, 7]);
        // As every index of one name a file has it.
        assert_eq!(Names::decode(&keys::current(3, "b")).unwrap().iter().collect::<Vec<_>>(), [(3, "b")]);
        assert!(names.remove(&keys::current(1, "a")) && !names.remove(&keys::current(1, "a")));
        assert!(Names::decode(&[0, 0, 0, 0, 9, 0, 1]).is_err());
    }
}
