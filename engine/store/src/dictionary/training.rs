//! Whether a dictionary would help, and which: decided on samples that it was not trained from. No I/O, no state.

use std::sync::Arc;

use super::{Dictionary, Family};
use crate::compression::shrink;

/// Of so many samples one is held back to measure by.
const HELD_BACK: usize = 4;
/// Lengths that are tried. Long ones hold more to match, but say where in more bits: which is better the samples say.
const LENGTHS: [usize; 3] = [2 << 10, 8 << 10, 32 << 10];
/// What a new dictionary leaves of the bytes that are stored without it, in percent at most.
const MARGIN: usize = 85;
/// A dictionary has drifted when it leaves so much more than it promised, in percent.
const DRIFT: usize = 110;
/// Fewer samples than this to measure by say nothing.
const LEAST_HELD_BACK: usize = 8;

/// What is to become of a family.
#[derive(Debug)]
pub enum Verdict {
    /// What it has does what it promised.
    Serves,
    /// Nothing that could be trained is so much better than what it has, if anything.
    Futile,
    Train(Dictionary),
}

/// Judges samples of a family, whose bodies are compressed with `held` where there is one; a new dictionary gets `id`.
#[must_use]
pub fn judge(samples: &[Arc<[u8]>], family: &Family, held: Option<&Dictionary>, id: u32) -> Verdict {
    let (back, rest): (Vec<_>, Vec<_>) =
        samples.iter().enumerate().partition(|(place, _)| place.is_multiple_of(HELD_BACK));
    let back: Vec<&[u8]> = back.into_iter().map(|(_, sample)| &**sample).collect();
    let rest: Vec<&[u8]> = rest.into_iter().map(|(_, sample)| &**sample).collect();
    if back.len() < LEAST_HELD_BACK {
        return Verdict::Futile;
    }
    let plain: usize = back.iter().map(|sample| sample.len()).sum();
    let as_it_is = stored(&back, held);
    if let Some(held) = held
        && held.family == *family
        && as_it_is * 1000 * 100 <= plain * held.promised as usize * DRIFT
    {
        return Verdict::Serves;
    }
    let candidates = LENGTHS.iter().filter_map(|length| {
        let content = zstd::dict::from_samples(&rest, *length).ok()?;
        let trained = Dictionary::new(id, family.clone(), 0, content).ok()?;
        Some((stored(&back, Some(&trained)), trained))
    });
    match candidates.min_by_key(|(left, _)| *left) {
        Some((left, trained)) if left * 100 <= as_it_is * MARGIN => {
            let promised = u32::try_from(left * 1000 / plain.max(1)).unwrap_or(u32::MAX);
            Verdict::Train(Dictionary { promised, ..trained })
        }
        _ => Verdict::Futile,
    }
}

/// Bytes that bodies take as they would be stored.
fn stored(bodies: &[&[u8]], dictionary: Option<&Dictionary>) -> usize {
    let one = |body: &[u8]| {
        let packed = match dictionary {
            Some(dictionary) => dictionary.shrink(body),
            None => shrink(body),
        };
        packed.map_or(body.len(), |packed| packed.len())
    };
    bodies.iter().map(|body| one(body)).sum()
}
