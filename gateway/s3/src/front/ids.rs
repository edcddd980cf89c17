//! Request ids.
//!
//! Concurrency: one relaxed atomic counter, shared by all connections; nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderValue;

/// Mints a request id for every request, never the same one twice while the process runs.
#[derive(Debug)]
pub struct RequestIds {
    next: AtomicU64,
    host: HeaderValue,
}

/// An odd factor permutes the 64-bit numbers: ids differ in all their digits, and still never repeat.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl RequestIds {
    /// Starts at a random place, so that two runs of a server don't hand out the same ids.
    #[must_use]
    pub fn new() -> Self {
        let mut seed = [0; 16];
        // Ids are no secret: should the kernel refuse, starting at zero is still unique within the run.
        let _ = getrandom::fill(&mut seed);
        let seed = u128::from_le_bytes(seed);
        let (start, host) = (seed as u64, (seed >> 64) as u64);
        let host = HeaderValue::from_str(&format!("{host:016x}")).unwrap_or(HeaderValue::from_static("0"));
        Self { next: AtomicU64::new(start), host }
    }

    /// The next id.
    pub fn mint(&self) -> RequestId {
        RequestId(self.next.fetch_add(1, Ordering::Relaxed).wrapping_mul(SPREAD))
    }

    /// The value of `x-amz-id-2`, the same for every answer of this process.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

/// Sixteen hexadecimal digits in upper case, as AWS writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// The value of `x-amz-request-id`.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = [b'0'; 16];
        for (place, byte) in text.iter_mut().enumerate() {
            let nibble = (self.0 >> (60 - 4 * place)) & 15;
            *byte = DIGITS.get(nibble as usize).copied().unwrap_or(b'0');
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0000000000000000"))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}
