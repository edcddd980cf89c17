//! The key space: a number names a key.

use std::{fmt::Write, str::FromStr};

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Number,
    Prefix,
}

/// A pattern such as `p{p}/k{n}`: `{n}` is the key's number in ten digits, `{p}` the number modulo the count of
/// prefixes in four.
#[derive(Clone, Debug)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (name, tail) = after.split_once('}').ok_or("a { is not closed")?;
            pieces.push(match name {
                "n" => Piece::Number,
                "p" => Piece::Prefix,
                other => return Err(format!("{{{other}}} is neither {{n}} nor {{p}}")),
            });
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if !pieces.iter().any(|piece| matches!(piece, Piece::Number)) {
            return Err("without {n} all keys are one key".to_owned());
        }
        Ok(Self { pieces })
    }
}

/// The keys of one run.
#[derive(Clone, Debug)]
pub struct KeySpace {
    pub pattern: Pattern,
    /// How many prefixes `{p}` runs through, at least 1.
    pub prefixes: u64,
}

impl KeySpace {
    /// Replaces `key` by key number `number`.
    pub fn write(&self, number: u64, key: &mut String) {
        key.clear();
        for piece in &self.pattern.pieces {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Text(text) => key.write_str(text),
                Piece::Number => write!(key, "{number:010}"),
                Piece::Prefix => write!(key, "{:04}", number % self.prefixes.max(1)),
            };
        }
    }
}

/// A stream of pseudo-random numbers (SplitMix64), one a worker, so that a seed repeats a run.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let product = u128::from(mix(self.state)) * u128::from(bound);
        (product >> 64) as u64
    }
}

/// The odd number nearest to 2^64 divided by the golden ratio: SplitMix64's step.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's finaliser: a bijection of u64 whose every output bit depends on every input bit.
#[must_use]
pub fn mix(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
