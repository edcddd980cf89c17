//! Numbers in requests: digits and nothing else. The standard library also takes a sign, which the readers of other
//! servers, and s3s behind us, don't.

/// A decimal number of digits alone.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A hexadecimal number of digits alone, in either case.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_hexdigit).then_some(text)?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
