//! What the node's answers say.

use std::io;

use packstone_store::codec::{DecodeError, Reader};

use crate::protocol::{Attributes, Entry, Space};

/// What is said, read.
///
/// # Errors
/// [`io::ErrorKind::Other`] for what is no such answer.
pub fn decoded<T>(said: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>) -> io::Result<T> {
    read(&mut Reader(said)).map_err(|error| io::Error::other(error.to_string()))
}

/// An answer's attributes.
///
/// # Errors
/// [`DecodeError::Short`], as for all of these.
pub fn attributes(from: &mut Reader<'_>) -> Result<Attributes, DecodeError> {
    Attributes::decode(from)
}

/// Attributes, and the handle of what was opened.
///
/// # Errors
/// As [`attributes`].
pub fn opened(from: &mut Reader<'_>) -> Result<(Attributes, u64), DecodeError> {
    Ok((Attributes::decode(from)?, from.u64()?))
}

/// Nothing but that it was done.
///
/// # Errors
/// None.
pub fn done(_: &mut Reader<'_>) -> Result<(), DecodeError> {
    Ok(())
}

/// Bytes to the end.
///
/// # Errors
/// None.
pub fn bytes(from: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(from.0.to_vec())
}

/// # Errors
/// As [`attributes`].
pub fn entries(from: &mut Reader<'_>) -> Result<Vec<Entry>, DecodeError> {
    let mut entries = Vec::new();
    while !from.is_empty() {
        entries.push(Entry::decode(from)?);
    }
    Ok(entries)
}

/// # Errors
/// As [`attributes`].
pub fn names(from: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let mut names = Vec::new();
    while !from.is_empty() {
        names.push(from.short_str()?);
    }
    Ok(names)
}

/// # Errors
/// As [`attributes`].
pub fn space(from: &mut Reader<'_>) -> Result<Space, DecodeError> {
    Space::decode(from)
}
