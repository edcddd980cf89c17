//! In what pieces a file's content stands, and which of them a change writes anew.
//!
//! A piece is written as a whole, so small pieces make small changes cheap; the entry of each version names every piece, so
//! few of them make all changes cheap. Hence a *grid*: cells of 4 MiB in the first 4 GiB, twice as large each time that the
//! offset doubles from there, so that 1,024 of them and 512 for each doubling make up a file. What comes new is written in
//! cells. A cell that changes is written in parts of itself, of 256 KiB or a 64th of it, so that the next change there is one
//! of such a part. Where the pieces get many, small ones beside each other become cells again: in the background, a few at a
//! time ([`Grid::choose`], `merger`), or where that comes too late, as content is laid out, so that there are never too many.
//!
//! What is appended takes up the pieces before it that are no longer than itself (with what it has taken up), as long as
//! it is shorter than a cell: so the pieces of a log grow with it, and each byte is written a bounded number of times.

use std::ops::Range;

use packstone_store::object::MAX_NAMES_BYTES;

/// Bytes of the smallest cell, and of the smallest part of a cell.
const CELL: u64 = 4 << 20;
const PART: u64 = 256 << 10;
/// Cells of each doubling of the offset, once they are larger than the smallest.
const CELLS: u64 = 512;
/// Bytes of the largest cell of a file with few names: a piece may have 5 GiB.
const LARGEST_CELL: u64 = 4 << 30;
/// Parts of a large cell.
const PARTS: u64 = 64;
/// The most pieces of a file with one name: fewer than S3 may append to.
const MOST: usize = 8192;
/// The most cells of the largest file.
const MOST_CELLS: usize = 6400;
/// Bytes that a piece takes in the entry of each name.
const NAMED: usize = 50;
/// Bytes that are merged at once at most, unless one run has more, and those that a run has.
pub const SLICE: u64 = 32 << 20;
const LARGEST_RUN: u64 = 128 << 20;
/// A run that costs so many times as many bytes for each piece that it saves waits for all that cost less.
const POOR: u64 = 8;

/// What a piece of changed content comes to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Pieces of the version that is there, counted from 0.
    Keep(Range<u16>),
    /// Bytes of the content that comes.
    Write(Range<u64>),
}

/// How many pieces of a file are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Beyond which they are merged.
    pub begin: usize,
    /// Beyond which they are merged in a hurry.
    pub hurry: usize,
    /// Down to which they are merged.
    pub enough: usize,
}

/// Pieces that might be merged into one.
#[derive(Debug)]
struct Run {
    pieces: Range<u16>,
    /// The end of the cell that they lie in.
    end: u64,
    bytes: u64,
    /// Of the newest.
    age: u64,
}

impl Run {
    /// Bytes to be written for each piece that it saves.
    fn cost(&self) -> u64 {
        self.bytes / (self.pieces.len() as u64 - 1).max(1)
    }
}

/// Where cells begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// How many times twice as large they are as those of a file with few names.
    coarser: u32,
    /// The most pieces.
    most: usize,
}

impl Grid {
    /// That of a file with so many names: the entries of all of them must fit in one batch.
    pub fn of(names: usize) -> Self {
        let most = MOST.min(MAX_NAMES_BYTES / NAMED / names.max(1) * 7 / 8);
        let mut coarser = 0;
        while MOST_CELLS >> coarser > most {
            coarser += 1;
        }
        Self { coarser, most }
    }

    /// The cell that a byte lies in.
    pub fn cell(self, at: u64) -> Range<u64> {
        let doubling = 1 << at.max(1).ilog2();
        let length = (doubling / CELLS).clamp(CELL, LARGEST_CELL) << self.coarser;
        let start = at / length * length;
        start..start + length
    }

    /// How many pieces are many where a file has `size` bytes: of those that it may have beyond its cells, so many
    /// thousandths.
    pub fn marks(self, size: u64, thousandths: usize) -> Marks {
        let mut cells = 0;
        let mut at = 0;
        while at < size {
            (at, cells) = (self.cell(at).end, cells + 1);
        }
        let spare = self.most.saturating_sub(cells);
        let beyond = spare * thousandths.min(1000) / 1000;
        Marks { begin: cells + beyond, hurry: cells + beyond.midpoint(spare), enough: cells + beyond / 2 }
    }

    /// Which runs of pieces are to be one piece each, in order: those within one cell that were left alone for longest, by the
    /// age of their newest, of `most` bytes together unless one has more, or until there are only `enough` pieces. None where
    /// no pieces are short.
    pub fn choose(self, pieces: &[u64], ages: &[u64], (enough, most): (usize, u64)) -> Vec<Range<u16>> {
        let mut runs = self.runs(pieces, ages);
        let poor = runs.iter().map(Run::cost).min().unwrap_or(0).saturating_mul(POOR);
        runs.sort_by_key(|run| (run.cost() > poor, run.age));
        let (mut count, mut bytes) = (pieces.len(), 0);
        let mut chosen = Vec::new();
        for run in runs {
            if count <= enough || (bytes > 0 && bytes + run.bytes > most) {
                break;
            }
            count -= run.pieces.len() - 1;
            bytes += run.bytes;
            chosen.push(run.pieces);
        }
        chosen.sort_by_key(|run| run.start);
        chosen
    }

    /// Pieces beside each other that lie in one cell, two or more.
    fn runs(self, pieces: &[u64], ages: &[u64]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut at = 0;
        for (number, (length, age)) in (0..).zip(pieces.iter().zip(ages)) {
            let cell = self.cell(at);
            at += length;
            if at > cell.end {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.pieces.end == number && run.end == cell.end && run.bytes + length <= LARGEST_RUN => {
                    *run = Run {
                        pieces: run.pieces.start..number + 1,
                        end: run.end,
                        bytes: run.bytes + length,
                        age: run.age.max(*age),
                    };
                }
                _ => runs.push(Run { pieces: number..number + 1, end: cell.end, bytes: *length, age: *age }),
            }
        }
        runs.retain(|run| run.pieces.len() > 1);
        runs
    }

    /// What becomes of content in pieces of those sizes, once it has `size` bytes of which ranges changed; `None` where
    /// nothing of it is to be kept. Bytes behind the end of the pieces count as changed.
    pub fn lay_out(self, pieces: &[u64], size: u64, is_changed: impl Fn(Range<u64>) -> bool) -> Option<Vec<Item>> {
        let mut held = Held::of(pieces, size, &is_changed);
        held.take_up(self, size);
        let mut items = self.items(&held, size, &is_changed);
        if count(&items) > self.most {
            held.merge(self, count(&items) - self.most * 3 / 4);
            items = self.items(&held, size, |_| false);
        }
        (count(&items) <= self.most && held.keeps()).then_some(items)
    }

    fn items(self, held: &Held, size: u64, is_changed: impl Fn(Range<u64>) -> bool) -> Vec<Item> {
        let mut items = Vec::new();
        let mut at = 0;
        for (number, piece) in (0..).zip(&held.0).filter(|(_, piece)| piece.stays) {
            self.cut(at..piece.range.start, held.end(), &is_changed, &mut items);
            match items.last_mut() {
                Some(Item::Keep(run)) => run.end = number + 1,
                _ => items.push(Item::Keep(number..number + 1)),
            }
            at = piece.range.end;
        }
        self.cut(at..size, held.end(), &is_changed, &mut items);
        items
    }

    /// Cuts what is to be written at the ends of cells, and of their parts where bytes before `end` changed.
    fn cut(self, range: Range<u64>, end: u64, is_changed: impl Fn(Range<u64>) -> bool, items: &mut Vec<Item>) {
        let mut at = range.start;
        while at < range.end {
            let cell = self.cell(at);
            let stop = cell.end.min(range.end);
            let there = at..stop.min(end);
            let length = match !there.is_empty() && is_changed(there) {
                true => PART.max((cell.end - cell.start) / PARTS),
                false => cell.end - cell.start,
            };
            while at < stop {
                let next = stop.min((at / length + 1) * length);
                items.push(Item::Write(at..next));
                at = next;
            }
        }
    }
}

#[derive(Debug)]
struct Piece {
    range: Range<u64>,
    stays: bool,
}

/// The pieces that are there, as far as the content reaches that comes.
struct Held(Vec<Piece>);

impl Held {
    fn of(pieces: &[u64], size: u64, is_changed: impl Fn(Range<u64>) -> bool) -> Self {
        let mut at = 0;
        let mut held = Vec::with_capacity(pieces.len());
        for length in pieces {
            let range = at..at + length;
            at = range.end;
            if range.start < size {
                let stays = !range.is_empty() && range.end <= size && !is_changed(range.clone());
                held.push(Piece { range, stays });
            }
        }
        Self(held)
    }

    fn end(&self) -> u64 {
        self.0.last().map_or(0, |piece| piece.range.end)
    }

    fn keeps(&self) -> bool {
        self.0.iter().any(|piece| piece.stays)
    }

    /// Has what is appended take up the pieces before it that are no longer.
    fn take_up(&mut self, grid: Grid, size: u64) {
        if self.end() >= size {
            return;
        }
        let cell = grid.cell(size - 1);
        let mut start = self.end();
        for piece in self.0.iter_mut().rev() {
            let (length, taken) = (piece.range.end - piece.range.start, size - start);
            if piece.stays && (length > taken || taken >= cell.end - cell.start) {
                return;
            }
            (piece.stays, start) = (false, piece.range.start);
        }
    }

    /// Has pieces be written anew that are shorter than their cells, and stand beside another one that is, until so many
    /// fewer are kept.
    fn merge(&mut self, grid: Grid, fewer: usize) {
        let is_short = |piece: &Piece| {
            let cell = grid.cell(piece.range.start);
            !piece.stays || piece.range.end - piece.range.start < cell.end - cell.start
        };
        let short: Vec<bool> = self.0.iter().map(is_short).collect();
        let beside = |place: usize| {
            let before = place.checked_sub(1).and_then(|before| short.get(before));
            before.into_iter().chain(short.get(place + 1)).any(|short| *short)
        };
        let merges = |(place, piece): &(usize, &mut Piece)| piece.stays && is_short(piece) && beside(*place);
        for (_, piece) in self.0.iter_mut().enumerate().filter(merges).take(fewer) {
            piece.stays = false;
        }
    }
}

/// How many pieces there come to be.
fn count(items: &[Item]) -> usize {
    let of = |item: &Item| match item {
        Item::Keep(run) => run.len(),
        Item::Write(_) => 1,
    };
    items.iter().map(of).sum()
}

#[cfg(test)]
mod tests;
