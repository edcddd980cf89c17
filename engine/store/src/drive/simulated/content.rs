//! The bytes of one simulated file: as reads see them, and as a crash would leave them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{Generator, SECTOR};

const PAGE: usize = 4096;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// Bytes, kept by pages; a page of zeros takes no room.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
    pub length: u64,
}

/// Splits a range into (page, first byte in it, how many).
fn pieces(offset: u64, length: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let page = PAGE as u64;
    let end = offset + length;
    (offset / page..end.div_ceil(page)).map(move |number| {
        let from = (number * page).max(offset);
        let to = ((number + 1) * page).min(end);
        (number, usize::try_from(from - number * page).unwrap_or(0), usize::try_from(to - from).unwrap_or(0))
    })
}

impl Pages {
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset + buffer.len() as u64 > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = buffer;
        for (number, from, count) in pieces(offset, rest.len() as u64) {
            let (piece, behind) = rest.split_at_mut(count);
            let held = self.pages.get(&number).map_or(&ZEROS, |page| page);
            piece.copy_from_slice(held.get(from..from + count).unwrap_or_default());
            rest = behind;
        }
        Ok(())
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let mut rest = data;
        for (number, from, count) in pieces(offset, data.len() as u64) {
            let (piece, behind) = rest.split_at(count);
            rest = behind;
            if piece == ZEROS.get(..count).unwrap_or_default() && (count == PAGE || !self.pages.contains_key(&number)) {
                self.pages.remove(&number);
            } else {
                let page = Arc::make_mut(self.pages.entry(number).or_insert_with(|| Arc::new(ZEROS)));
                if let Some(slot) = page.get_mut(from..from + count) {
                    slot.copy_from_slice(piece);
                }
            }
        }
        self.length = self.length.max(offset + data.len() as u64);
    }

    /// Takes over the pages of another that a range touches.
    fn take(&mut self, other: &Self, offset: u64, length: u64) {
        for (number, ..) in pieces(offset, length) {
            match other.pages.get(&number) {
                Some(page) => self.pages.insert(number, page.clone()),
                None => self.pages.remove(&number),
            };
        }
    }

    pub fn truncate(&mut self, length: u64) {
        let kept = length.div_ceil(PAGE as u64);
        self.pages.retain(|number, _| *number < kept);
        let tail = usize::try_from(length % PAGE as u64).unwrap_or(0);
        if let Some(page) = self.pages.get_mut(&(length / PAGE as u64)) {
            Arc::make_mut(page).iter_mut().skip(tail).for_each(|byte| *byte = 0);
        }
        self.length = length;
    }
}

#[derive(Debug, Default)]
pub struct Content {
    pub now: Pages,
    pub durable: Pages,
    /// Ranges written since the last sync.
    dirty: Vec<(u64, u64)>,
    /// Whether it was emptied since the last sync.
    emptied: bool,
}

impl Content {
    pub fn of(pages: Pages) -> Self {
        Self { now: pages.clone(), durable: pages, dirty: Vec::new(), emptied: false }
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) {
        self.now.write(offset, data);
        self.dirty.push((offset, data.len() as u64));
    }

    pub fn empty(&mut self) {
        self.now = Pages::default();
        self.dirty.clear();
        self.emptied = true;
    }

    pub fn sync(&mut self) {
        if std::mem::take(&mut self.emptied) {
            self.durable = Pages::default();
        }
        for (offset, length) in self.dirty.drain(..) {
            self.durable.take(&self.now, offset, length);
        }
        self.durable.length = self.now.length;
    }

    /// A sync that fails: what is not persisted by it never will be, though reads still show it.
    pub fn fail_sync(&mut self, generator: &mut Generator) {
        self.durable = self.after_crash(generator);
        self.dirty.clear();
        self.emptied = false;
    }

    pub fn crash(&mut self, generator: &mut Generator) {
        *self = Self::of(self.after_crash(generator));
    }

    fn after_crash(&self, generator: &mut Generator) -> Pages {
        let mut left = self.durable.clone();
        if self.emptied && generator.happens(5000) {
            left = Pages::default();
        }
        for (offset, length) in &self.dirty {
            match generator.below(3) {
                0 => {}
                1 => self.keep(&mut left, *offset, *length),
                _ => self.tear(&mut left, *offset, *length, generator),
            }
        }
        left
    }

    fn keep(&self, left: &mut Pages, offset: u64, length: u64) {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        if self.now.read(offset, &mut bytes).is_ok() {
            left.write(offset, &bytes);
        }
    }

    /// Each sector by itself: old, new, or neither.
    fn tear(&self, left: &mut Pages, offset: u64, length: u64, generator: &mut Generator) {
        let mut at = offset;
        while at < offset + length {
            let next = ((at / SECTOR as u64 + 1) * SECTOR as u64).min(offset + length);
            match generator.below(8) {
                0..4 => self.keep(left, at, next - at),
                4 => {
                    let garbage: Vec<u8> =
                        (at..next).map(|_| u8::try_from(generator.number() & 0xff).unwrap_or(0)).collect();
                    left.write(at, &garbage);
                }
                _ => {}
            }
            at = next;
        }
    }
}
