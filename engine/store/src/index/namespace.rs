//! The index as requests see it: with every [`Redirect`] that is in effect carried out.

use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::names::Names;
use super::redirect::{Redirect, Redirects};
use super::{IndexResult, Pairs, Snapshot, Space, Value, keys, row};

/// A range of keys in `Current`, from the first on, up to the second.
type Range = (Vec<u8>, Option<Vec<u8>>);

/// A snapshot in which keys are where they have been renamed to.
pub struct Namespace {
    snapshot: Box<dyn Snapshot>,
    redirects: Arc<Redirects>,
}

/// How a range of `Current` is read.
enum Piece<'a> {
    Plain,
    /// What is below `from` of a redirect.
    Left(&'a Redirect),
    /// What is below `to`.
    Taken(&'a Redirect),
}

impl Namespace {
    /// `redirects` are those that were in effect when the snapshot was taken.
    #[must_use]
    pub fn new(snapshot: Box<dyn Snapshot>, redirects: Arc<Redirects>) -> Self {
        Self { snapshot, redirects }
    }

    fn current(&self, place: &[u8]) -> IndexResult<Option<Value>> {
        let held = self.snapshot.get(Space::Current, place)?;
        let Some((bucket, key)) = keys::parse_current(place) else { return Ok(held) };
        for redirect in self.redirects.of(bucket) {
            if key.starts_with(&*redirect.from) {
                return held.map_or(Ok(None), |value| Ok((!is_unmoved(redirect, &value)?).then_some(value)));
            }
            if held.is_none()
                && let Some(source) = redirect.source_of(key)
            {
                let value = self.snapshot.get(Space::Current, &keys::current(bucket, &source))?;
                return value.map_or(Ok(None), |value| Ok(is_unmoved(redirect, &value)?.then_some(value)));
            }
        }
        Ok(held)
    }

    /// The names of a file where they have been renamed to.
    fn names(&self, place: &[u8]) -> IndexResult<Option<Value>> {
        let Some(value) = self.snapshot.get(Space::Inodes, place)? else { return Ok(None) };
        if keys::parse_pending(place).is_some() {
            return Ok(Some(value));
        }
        let mut names = Names::default();
        for (bucket, key) in Names::decode(&value)?.iter() {
            names.insert(&keys::current(bucket, &self.renamed(bucket, key)?.unwrap_or_else(|| key.to_owned())));
        }
        Ok(names.encode().map(Value::Owned))
    }

    /// Where a row that stands below `from` is to be moved to.
    fn renamed(&self, bucket: u32, key: &str) -> IndexResult<Option<String>> {
        for redirect in self.redirects.of(bucket) {
            if let Some(destination) = redirect.destination_of(key) {
                let held = self.snapshot.get(Space::Current, &keys::current(bucket, key))?;
                let is_unmoved = held.map_or(Ok(false), |value| is_unmoved(redirect, &value))?;
                return Ok(is_unmoved.then_some(destination));
            }
        }
        Ok(None)
    }

    /// A range of `Current` in pieces that are each read in one way.
    fn pieces(&self, from: Vec<u8>, to: Option<Vec<u8>>) -> Vec<(Piece<'_>, Range)> {
        let mut special: Vec<(Vec<u8>, Piece<'_>)> = Vec::new();
        let bucket = |place: &[u8]| place.first_chunk::<4>().map_or(u32::MAX, |id| u32::from_be_bytes(*id));
        let (first, last) = (bucket(&from), to.as_deref().map_or(u32::MAX, bucket));
        for redirect in self.redirects.iter().filter(|held| (first..=last).contains(&held.bucket)) {
            special.push((keys::current(redirect.bucket, &redirect.from), Piece::Left(redirect)));
            special.push((keys::current(redirect.bucket, &redirect.to), Piece::Taken(redirect)));
        }
        special.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut pieces = Vec::new();
        let mut at = from;
        for (start, piece) in special {
            let end = keys::after_prefix(&start);
            if end.as_ref().is_some_and(|end| *end <= at) {
                continue;
            }
            if to.as_ref().is_some_and(|to| *to <= start) {
                break;
            }
            if at < start {
                pieces.push((Piece::Plain, (at, Some(start.clone()))));
                at = start;
            }
            // Whatever follows begins where this ends.
            let stop = [end.as_ref(), to.as_ref()].into_iter().flatten().min().cloned();
            pieces.push((piece, (at, stop)));
            match end {
                Some(end) => at = end,
                None => return pieces,
            }
        }
        if to.as_ref().is_none_or(|to| at < *to) {
            pieces.push((Piece::Plain, (at, to)));
        }
        pieces
    }

    fn read(&self, piece: Piece<'_>, (from, to): &Range) -> Pairs<'_> {
        let rows = |from: &[u8], to: Option<&[u8]>| {
            self.snapshot.range(Space::Current, Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded))
        };
        match piece {
            Piece::Plain => rows(from, to.as_deref()),
            Piece::Left(redirect) if !redirect.is_resettled() => Box::new(std::iter::empty()),
            Piece::Left(redirect) => {
                let lsn = redirect.lsn;
                Box::new(rows(from, to.as_deref()).filter(move |pair| !is_older(pair, lsn)))
            }
            Piece::Taken(redirect) => {
                let source = keys::current(redirect.bucket, &redirect.from);
                let destination = keys::current(redirect.bucket, &redirect.to);
                let moved = |key: &[u8]| key.strip_prefix(&*destination).map(|rest| [&*source, rest].concat());
                let first = moved(from).unwrap_or_else(|| source.clone());
                let end = to.as_deref().and_then(moved).or_else(|| keys::after_prefix(&source));
                let (lsn, cut) = (redirect.lsn, source.len());
                let unmoved = rows(&first, end.as_deref()).filter(move |pair| pair.is_err() || is_older(pair, lsn));
                let unmoved = unmoved.map(move |pair| {
                    let (key, value) = pair?;
                    let rest = key.get(cut..).unwrap_or_default();
                    Ok((Value::Owned([&*destination, rest].concat()), value))
                });
                Box::new(Merged { one: rows(from, to.as_deref()).peekable(), other: unmoved.peekable() })
            }
        }
    }
}

fn is_unmoved(redirect: &Redirect, value: &[u8]) -> IndexResult<bool> {
    Ok(redirect.is_unmoved(row::record_id(value)?))
}

/// Whether a row is older than a redirect; a fault is no row.
fn is_older(pair: &IndexResult<(Value, Value)>, lsn: u64) -> bool {
    pair.as_ref().is_ok_and(|(_, value)| row::record_id(value).is_ok_and(|record| record < lsn))
}

impl Snapshot for Namespace {
    fn get(&self, space: Space, key: &[u8]) -> IndexResult<Option<Value>> {
        match space {
            Space::Current => self.current(key),
            Space::Inodes => self.names(key),
            _ => self.snapshot.get(space, key),
        }
    }

    fn range(&self, space: Space, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Pairs<'_> {
        if space != Space::Current {
            return self.snapshot.range(space, from, to);
        }
        // The first key behind another one has one byte more.
        let behind = |key: &[u8]| [key, &[0]].concat();
        let from = match from {
            Bound::Included(key) => key.to_vec(),
            Bound::Excluded(key) => behind(key),
            Bound::Unbounded => Vec::new(),
        };
        let to = match to {
            Bound::Included(key) => Some(behind(key)),
            Bound::Excluded(key) => Some(key.to_vec()),
            Bound::Unbounded => None,
        };
        Box::new(self.pieces(from, to).into_iter().flat_map(|(piece, range)| self.read(piece, &range)))
    }
}

/// Two runs of pairs in order as one. Of a key that both have, the first's counts.
struct Merged<A: Iterator, B: Iterator> {
    one: Peekable<A>,
    other: Peekable<B>,
}

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = IndexResult<(Value, Value)>>,
    B: Iterator<Item = IndexResult<(Value, Value)>>,
{
    type Item = IndexResult<(Value, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.one.peek(), self.other.peek()) {
            (_, Some(Err(_))) => self.other.next(),
            (Some(Ok((one, _))), Some(Ok((other, _)))) => {
                let order = (**one).cmp(&**other);
                if order.is_eq() {
                    self.other.next();
                }
                if order.is_le() { self.one.next() } else { self.other.next() }
            }
            (Some(_), _) => self.one.next(),
            (None, _) => self.other.next(),
        }
    }
}
