//! The seeded generator, and how often a drive fails.

/// SplitMix64: small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Generator(u64);

impl Generator {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number under `end`; 0 where that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or(0)
    }

    /// `true` in so many of 10,000 cases.
    pub fn happens(&mut self, of_ten_thousand: u32) -> bool {
        of_ten_thousand > 0 && self.below(10_000) < u64::from(of_ten_thousand)
    }
}

/// How a drive fails; chances are of 10,000 calls each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub read: u32,
    pub write: u32,
    /// The sync answers with an error, and may have persisted some of what it should; what it has not is lost though
    /// later syncs succeed.
    pub sync: u32,
    /// The drive answers nothing in time any more.
    pub hang: u32,
    /// There is no space for files to grow.
    pub full: bool,
    /// Nothing answers.
    pub gone: bool,
}
