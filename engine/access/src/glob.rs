//! Matching with `*` (any run of characters) and `?` (one character) in linear time.
//!
//! Stars cut a pattern into segments. The first is anchored at the start of the text and the last at its end; each one
//! between is taken where it first occurs, and no match is lost by that, so nothing is ever tried twice. A segment of
//! letters is found by `memmem`, one with `?` by Shift-And, 64 characters of it at a time.

use memchr::memmem;

/// One character of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
}

#[derive(Debug)]
pub(crate) struct Glob {
    head: Segment,
    middle: Box<[Search]>,
    /// None when the pattern has no star, and the head is all of it.
    tail: Option<Segment>,
}

impl Glob {
    pub fn new(tokens: impl Iterator<Item = Token>) -> Self {
        let mut segments = vec![Vec::new()];
        for token in tokens {
            match (token, segments.last_mut()) {
                (Token::Char(letter), Some(segment)) => segment.push(Some(letter)),
                (Token::One, Some(segment)) => segment.push(None),
                _ => segments.push(Vec::new()),
            }
        }
        let mut segments = segments.into_iter().map(Segment::new);
        let head = segments.next().unwrap_or(Segment::Text(Box::from("")));
        let mut rest: Vec<Segment> = segments.collect();
        let tail = rest.pop();
        let middle = rest.iter().filter(|segment| !segment.is_empty()).map(Search::new).collect();
        Self { head, middle, tail }
    }

    pub fn matches(&self, text: &str) -> bool {
        let Some(text) = self.head.strip_start(text) else { return false };
        let Some(tail) = &self.tail else { return text.is_empty() };
        let Some(mut text) = tail.strip_end(text) else { return false };
        for search in &self.middle {
            let Some(rest) = search.after(text) else { return false };
            text = rest;
        }
        true
    }
}

/// What stands between two stars, or before the first or after the last.
#[derive(Debug)]
pub(crate) enum Segment {
    Text(Box<str>),
    /// Letters, and None for each `?`.
    Gaps(Box<[Option<char>]>),
}

impl Segment {
    pub fn new(slots: Vec<Option<char>>) -> Self {
        match slots.iter().copied().collect::<Option<String>>() {
            Some(text) => Self::Text(text.into()),
            None => Self::Gaps(slots.into()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// What follows the segment at the start of `text`.
    fn strip_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(prefix) => text.strip_prefix(&**prefix),
            Self::Gaps(slots) => {
                let mut letters = text.chars();
                slots.iter().all(|slot| fits(*slot, letters.next())).then_some(letters.as_str())
            }
        }
    }

    /// What precedes the segment at the end of `text`.
    fn strip_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(suffix) => text.strip_suffix(&**suffix),
            Self::Gaps(slots) => {
                let mut letters = text.chars();
                slots.iter().rev().all(|slot| fits(*slot, letters.next_back())).then_some(letters.as_str())
            }
        }
    }
}

fn fits(slot: Option<char>, letter: Option<char>) -> bool {
    letter.is_some() && (slot.is_none() || slot == letter)
}

/// A segment to be found wherever it comes first.
#[derive(Debug)]
pub(crate) enum Search {
    /// The searcher is built for each search: kept, it would make a policy many times its length.
    Text(Box<str>),
    Gaps(ShiftAnd),
}

impl Search {
    pub fn new(segment: &Segment) -> Self {
        match segment {
            Segment::Text(text) => Self::Text(text.clone()),
            Segment::Gaps(slots) => Self::Gaps(ShiftAnd::new(slots)),
        }
    }

    /// What follows its first occurrence.
    pub fn after<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Text(needle) => text.get(memmem::find(text.as_bytes(), needle.as_bytes())? + needle.len()..),
            Self::Gaps(automaton) => automaton.after(text),
        }
    }
}

/// The automaton of a segment with gaps: bit i of the state says that the segment's first i + 1 characters end here.
#[derive(Debug)]
pub(crate) struct ShiftAnd {
    /// By letter, sorted: the places where the letter fits.
    places: Box<[(char, Box<[u64]>)]>,
    /// The places of `?`, where any letter fits.
    gaps: Box<[u64]>,
    /// The bit of the last place, in the last word.
    last: u64,
}

impl ShiftAnd {
    fn new(slots: &[Option<char>]) -> Self {
        let words = slots.len().div_ceil(64);
        let mut gaps = vec![0; words];
        mark(&mut gaps, slots, None);
        let mut letters: Vec<char> = slots.iter().copied().flatten().collect();
        letters.sort_unstable();
        letters.dedup();
        let places = letters.into_iter().map(|letter| {
            let mut fits = gaps.clone();
            mark(&mut fits, slots, Some(letter));
            (letter, fits.into())
        });
        Self { places: places.collect(), gaps: gaps.into(), last: 1 << ((slots.len() + 63) % 64) }
    }

    fn after<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut state = vec![0_u64; self.gaps.len()];
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let fits = match self.places.binary_search_by_key(&letter, |(of, _)| *of) {
                Ok(at) => self.places.get(at).map_or(&self.gaps, |(_, places)| places),
                Err(_) => &self.gaps,
            };
            let mut carry = 1;
            for (word, fits) in state.iter_mut().zip(fits) {
                let next = *word >> 63;
                *word = (*word << 1 | carry) & fits;
                carry = next;
            }
            if state.last().is_some_and(|word| word & self.last != 0) {
                return Some(letters.as_str());
            }
        }
        None
    }
}

/// Sets the bit of every place in `slots` that holds `slot`.
fn mark(words: &mut [u64], slots: &[Option<char>], slot: Option<char>) {
    for (word, slots) in words.iter_mut().zip(slots.chunks(64)) {
        for (bit, _) in slots.iter().enumerate().filter(|(_, of)| **of == slot) {
            *word |= 1 << bit;
        }
    }
}
