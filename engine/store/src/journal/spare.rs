//! Journal files that wait to be used: whole, zero-filled or stale, under a name of their own.
//!
//! Overwriting blocks that are there syncs in half the time of appending them. A file is filled under `filling-N`, synced,
//! and renamed to `spare-N`; a sealed journal comes back under the same kind of name. Whatever a spare holds was
//! written under another file id, which every checksum knows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::DIRECTORY;
use super::file::path_of;
use crate::drive::{Drive, DriveFile};

/// Bytes written at a time while filling.
const STEP: usize = 1 << 20;
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Names sort in the order of numbers: the oldest spare is taken first.
fn spare_path(number: u64) -> String {
    format!("{DIRECTORY}/spare-{number:016}")
}

fn is_spare(name: &str) -> bool {
    name.starts_with("spare-")
}

/// Removes what a crash left half filled.
///
/// # Errors
/// The drive's.
pub fn clean(drive: &dyn Drive) -> io::Result<()> {
    for name in drive.list(DIRECTORY)? {
        if name.starts_with("filling-") {
            drive.remove(&format!("{DIRECTORY}/{name}"))?;
        }
        if let Some(number) = name.strip_prefix("spare-").and_then(|number| number.parse::<u64>().ok()) {
            NEXT.fetch_max(number + 1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// How many spares a drive has.
///
/// # Errors
/// The drive's.
pub fn count(drive: &dyn Drive) -> io::Result<usize> {
    Ok(drive.list(DIRECTORY)?.iter().filter(|name| is_spare(name)).count())
}

/// Makes one spare of `capacity` bytes.
///
/// # Errors
/// The drive's; there may be no space.
pub fn prepare(drive: &dyn Drive, capacity: u64) -> io::Result<()> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let filling = format!("{DIRECTORY}/filling-{number}");
    let file = drive.create(&filling)?;
    if let Err(error) = fill(&*file, capacity) {
        drive.remove(&filling)?;
        return Err(error);
    }
    drive.rename(&filling, &spare_path(number))?;
    drive.sync_directory(DIRECTORY)
}

fn fill(file: &dyn DriveFile, capacity: u64) -> io::Result<()> {
    let zeros = vec![0; STEP];
    let mut at = 0;
    while at < capacity {
        let piece = zeros.get(..usize::try_from(capacity - at).unwrap_or(STEP).min(STEP)).unwrap_or_default();
        file.write_at(at, piece)?;
        file.start_writeback(at, piece.len() as u64);
        at += piece.len() as u64;
    }
    file.sync()
}

/// Takes a spare for journal file `id`, or makes a file of `least` bytes where there is none; the name is not durable
/// yet. Answers with its size.
///
/// # Errors
/// The drive's; there may be no space.
pub fn take(drive: &dyn Drive, id: u64, least: u64) -> io::Result<(Arc<dyn DriveFile>, u64)> {
    let path = path_of(id);
    let long_enough = |name: &String| {
        let file = drive.open(&format!("{DIRECTORY}/{name}"));
        is_spare(name) && file.and_then(|file| file.length()).is_ok_and(|length| length >= least)
    };
    let spare = drive.list(DIRECTORY)?.into_iter().filter(long_enough).min();
    match spare {
        Some(name) => {
            drive.rename(&format!("{DIRECTORY}/{name}"), &path)?;
            let file = drive.open(&path)?;
            let length = file.length()?;
            Ok((file, length))
        }
        None => {
            let file = drive.create(&path)?;
            if let Err(error) = fill(&*file, least) {
                drive.remove(&path)?;
                return Err(error);
            }
            Ok((file, least))
        }
    }
}

/// Gives a sealed journal's file back, or removes it where there are `most` spares or it is shorter than `least` bytes.
///
/// # Errors
/// The drive's.
pub fn give_back(drive: &dyn Drive, id: u64, most: usize, least: u64) -> io::Result<()> {
    let path = path_of(id);
    let short = drive.open(&path).and_then(|file| file.length()).is_ok_and(|length| length < least);
    if short || count(drive)? >= most {
        drive.remove(&path)?;
    } else {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        match drive.rename(&path, &spare_path(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    drive.sync_directory(DIRECTORY)
}
