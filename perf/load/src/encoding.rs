//! Bytes to text, the ways that S3 wants them.

const HEX: &[u8; 16] = b"0123456789abcdef";
const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn digit(alphabet: &[u8; 16], nibble: u8) -> char {
    alphabet.get(usize::from(nibble & 15)).copied().map_or('0', char::from)
}

/// Appends `bytes` in lower-case hexadecimal.
pub fn push_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push(digit(HEX, byte >> 4));
        out.push(digit(HEX, *byte));
    }
}

/// Appends `text` as SigV4 encodes it: everything but unreserved characters becomes `%XX`, and `/` too unless
/// `keep_slash` (paths keep it, query values don't).
pub fn push_percent(text: &str, keep_slash: bool, out: &mut String) {
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/');
        if plain {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(HEX_UPPER, byte >> 4));
            out.push(digit(HEX_UPPER, byte));
        }
    }
}

/// Appends `text` as XML character data.
pub fn push_xml(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
}

/// The text behind XML's five named entities and `&#34;`-like decimal ones; unknown entities stay as they are.
pub fn unescape_xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').and_then(|(name, tail)| Some((entity(name)?, tail)));
        if let Some((character, tail)) = entity {
            out.push(character);
            rest = tail;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
