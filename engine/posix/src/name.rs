//! Names of files, and keys.
//!
//! A component of a key is shown if it could be a name: not empty, not `.` or `..`, and no longer than 255 bytes. What
//! stands below another component has no place among files.

use packstone_store::object::MAX_PATH;

use crate::Errno;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 255;

/// Whether a component of a key can be a name.
pub fn is_shown(component: &str) -> bool {
    !matches!(component, "" | "." | "..") && component.len() <= MAX_NAME && !component.contains('\0')
}

/// A name as a mount gives it.
///
/// # Errors
/// One that no file can have.
pub fn parse(name: &[u8]) -> Result<&str, Errno> {
    if name.len() > MAX_NAME {
        return Err(Errno::NAME_TOO_LONG);
    }
    let text = std::str::from_utf8(name).map_err(|_| Errno::NOT_TEXT)?;
    if is_shown(text) && !text.contains('/') { Ok(text) } else { Err(Errno::INVALID) }
}

/// The key of a name in a directory's `path`, which is empty or ends with a slash. There is room for the slash behind it
/// that a directory of that name would have.
///
/// # Errors
/// One that is too long.
pub fn key(path: &str, name: &str) -> Result<String, Errno> {
    if path.len() + name.len() < MAX_PATH { Ok([path, name].concat()) } else { Err(Errno::NAME_TOO_LONG) }
}

/// The path of the directory that a key stands in, and its name there; the key of a directory ends with a slash.
pub fn split(key: &str) -> (&str, &str) {
    let bare = key.strip_suffix('/').unwrap_or(key);
    bare.rfind('/').map_or(("", bare), |at| bare.split_at(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_posix_has() {
        for good in ["a", "a b", "ü", "...", &"x".repeat(255)] {
            assert_eq!(parse(good.as_bytes()), Ok(good));
        }
        for (bad, error) in
            [("", Errno::INVALID), (".", Errno::INVALID), ("..", Errno::INVALID), ("a/b", Errno::INVALID)]
        {
            assert_eq!(parse(bad.as_bytes()), Err(error));
        }
        assert_eq!(parse("x".repeat(256).as_bytes()), Err(Errno::NAME_TOO_LONG));
        assert_eq!(parse(&[0xff]), Err(Errno::NOT_TEXT));
    }

    #[test]
    fn keys_come_apart_where_they_were_put_together() {
        for (key, parts) in [("a", ("", "a")), ("a/", ("", "a")), ("a/b", ("a/", "b")), ("a/b/", ("a/", "b"))] {
            assert_eq!(split(key), parts);
        }
        assert_eq!(key("a/", "b"), Ok("a/b".into()));
        assert_eq!(key(&"x".repeat(4000), &"y".repeat(95)), Err(Errno::NAME_TOO_LONG));
    }
}
