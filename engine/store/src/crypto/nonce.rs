//! Nonces: 64 random bits of an incarnation, and a counter.
//!
//! One lock, held for an addition.

use parking_lot::Mutex;

use super::Unfit;

pub const NONCE: usize = 12;

/// The nonce of a piece's first chunk; those of the others follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    incarnation: u64,
    counter: u32,
}

impl First {
    /// The nonce of chunk `number`; `None` beyond what an incarnation has.
    #[must_use]
    pub fn nonce(self, number: u32) -> Option<[u8; NONCE]> {
        let counter = self.counter.checked_add(number)?;
        let mut nonce = [0; NONCE];
        let (incarnation, rest) = nonce.split_at_mut(8);
        incarnation.copy_from_slice(&self.incarnation.to_be_bytes());
        rest.copy_from_slice(&counter.to_be_bytes());
        Some(nonce)
    }

    /// The first nonce of the piece whose chunk `number` has this one.
    #[must_use]
    pub fn of(nonce: &[u8; NONCE], number: u32) -> Option<Self> {
        let (incarnation, counter) = nonce.split_first_chunk::<8>()?;
        let counter = u32::from_be_bytes(counter.try_into().ok()?).checked_sub(number)?;
        Some(Self { incarnation: u64::from_be_bytes(*incarnation), counter })
    }
}

/// Gives out nonces, none twice.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<Option<First>>);

impl Nonces {
    /// Nonces for a piece of at most `chunks`.
    ///
    /// # Errors
    /// The system has no random bits.
    pub fn reserve(&self, chunks: u32) -> Result<First, Unfit> {
        let mut next = self.0.lock();
        let fits = next.and_then(|first| Some((first, first.counter.checked_add(chunks)?)));
        let (first, after) = match fits {
            Some(fits) => fits,
            None => (First { incarnation: random()?, counter: 0 }, chunks),
        };
        *next = Some(First { counter: after, ..first });
        Ok(first)
    }
}

fn random() -> Result<u64, Unfit> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| Unfit)?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_nonce_is_given_out_twice() {
        let nonces = Nonces::default();
        let mut seen = HashSet::new();
        for chunks in [1, 3, u32::MAX - 10, 1, 40_000, u32::MAX, 2] {
            let first = nonces.reserve(chunks).unwrap();
            for number in [0, 1, 2, chunks - 1].into_iter().filter(|number| *number < chunks).collect::<HashSet<_>>() {
                assert!(seen.insert(first.nonce(number).unwrap()), "{chunks} {number}");
            }
        }
    }

    #[test]
    fn a_nonce_tells_its_piece() {
        let first = Nonces::default().reserve(10).unwrap();
        for number in 0..10 {
            assert_eq!(First::of(&first.nonce(number).unwrap(), number), Some(first));
        }
        assert_eq!(First::of(&first.nonce(3).unwrap(), 4), None, "it would have begun before the counter");
    }
}
