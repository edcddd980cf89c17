//! Renaming a directory of any size by a redirect, and moving the rows that it is about ([`crate::index::redirect`]).
//!
//! What changes a key that has an unmoved row, or is to have it, is not decided: it is told which rows must move first.

use std::collections::HashMap;
use std::sync::Arc;

use super::Decider;
use crate::commit::op::{Op, Outcome, Unmoved};
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::redirect::{MOST_REDIRECTS, REDIRECT, Redirect};
use crate::index::{Space, keys, row};
use crate::journal::Entry;
use crate::object::StoredCopy;

/// Whoever renames a small directory waits while more rows than that are to move before.
const FEW: usize = 64;

impl Decider<'_, '_> {
    /// What must move before an operation is decided.
    pub(super) fn unmoved_of(&mut self, op: &Op) -> Result<Option<Unmoved>> {
        if self.buckets.redirects().is_empty() {
            return Ok(None);
        }
        let (bucket, moves) = match op {
            Op::RenameTree { bucket, tree, .. } => {
                let mut moves = self.unmoved_below(*bucket, &tree.from)?;
                moves.extend(self.unmoved_below(*bucket, &tree.to)?);
                if moves.len() > FEW {
                    return Err(Error::Renaming);
                }
                (*bucket, moves)
            }
            // What ends needs no other place to do so.
            Op::Delete { .. } => return Ok(None),
            _ => match op.keys() {
                Some((bucket, keys)) => (bucket, self.unmoved_at(bucket, &keys)?),
                None => return Ok(None),
            },
        };
        Ok((!moves.is_empty()).then_some(Unmoved { bucket, moves, op: None }))
    }

    /// Whether the row of a key is an unmoved one: nothing is there by its name.
    pub(super) fn is_left(&mut self, bucket: u32, key: &str) -> Result<bool> {
        let mut moves = Vec::new();
        for redirect in self.redirects_of(bucket) {
            self.note_unmoved(&redirect, bucket, key, &mut moves)?;
        }
        Ok(!moves.is_empty())
    }

    fn redirects_of(&self, bucket: u32) -> Vec<Arc<Redirect>> {
        self.buckets.redirects().of(bucket).cloned().collect()
    }

    /// Where the unmoved row stands that a key has been given by a redirect.
    pub(super) fn standing_at(&mut self, bucket: u32, key: &str) -> Result<Option<String>> {
        for redirect in self.redirects_of(bucket) {
            let Some(source) = redirect.source_of(key) else { continue };
            let held = self.applier.current(bucket, &source)?;
            return Ok(held.filter(|row| redirect.is_unmoved(row.record.id)).map(|_| source));
        }
        Ok(None)
    }

    /// The unmoved rows that stand for keys, under them or for another name of a file that has one of them.
    fn unmoved_at(&mut self, bucket: u32, keys: &[&str]) -> Result<Vec<(String, String)>> {
        let (mut moves, redirects) = (Vec::new(), self.redirects_of(bucket));
        if redirects.is_empty() {
            return Ok(moves);
        }
        for redirect in &redirects {
            for key in keys {
                let source = redirect.source_of(key).unwrap_or_else(|| (*key).to_owned());
                self.note_unmoved(redirect, bucket, &source, &mut moves)?;
            }
        }
        for key in keys {
            let Some(row) = self.applier.current(bucket, key)? else { continue };
            let names = self.applier.names(row.record.inode())?;
            let names: Vec<String> = names.iter().map(|(_, name)| name.to_owned()).collect();
            for redirect in &redirects {
                for name in &names {
                    self.note_unmoved(redirect, bucket, name, &mut moves)?;
                }
            }
        }
        moves.sort_unstable();
        moves.dedup();
        Ok(moves)
    }

    /// A key and where its row goes, if that is unmoved.
    fn note_unmoved(
        &mut self,
        redirect: &Redirect,
        bucket: u32,
        source: &str,
        moves: &mut Vec<(String, String)>,
    ) -> Result<()> {
        if let Some(destination) = redirect.destination_of(source)
            && self.applier.current(bucket, source)?.is_some_and(|row| redirect.is_unmoved(row.record.id))
        {
            moves.push((source.to_owned(), destination));
        }
        Ok(())
    }

    /// Unmoved rows that stand below a path, or are to, or some that are too many. In a batch of its own.
    fn unmoved_below(&self, bucket: u32, path: &str) -> Result<Vec<(String, String)>> {
        let mut moves = Vec::new();
        for redirect in self.redirects_of(bucket).iter().filter(|redirect| redirect.touches(path)) {
            let is_above = |own: &str| own.starts_with(path);
            let below = match redirect.source_of(path) {
                Some(source) => source,
                None if is_above(&redirect.from) || is_above(&redirect.to) => redirect.from.to_string(),
                None => path.to_owned(),
            };
            for pair in self.applier.snapshot().prefix(Space::Current, &keys::current(bucket, &below)) {
                let (key, value) = pair?;
                let Some(source) = keys::object_key(&key) else { continue };
                if moves.len() > FEW {
                    return Ok(moves);
                }
                if redirect.is_unmoved(row::record_id(&value)?) {
                    moves.extend(redirect.destination_of(source).map(|destination| (source.to_owned(), destination)));
                }
            }
        }
        Ok(moves)
    }

    /// Has everything below `from` be below `to` from here on. In a batch of its own. No lock is asked for but that of what
    /// gives way: locks need versions, and the bucket never kept any.
    pub(super) fn redirect(&mut self, bucket: u32, from: &str, to: &str) -> Result<Outcome> {
        if self.bucket(bucket)?.versioning() != Versioning::Never {
            return Err(Error::InvalidBucketState("objects can't be renamed where versions are kept, or were"));
        }
        let held = self.redirects_of(bucket);
        if held.len() >= MOST_REDIRECTS || held.iter().any(|held| held.touches(from) || held.touches(to)) {
            return Err(Error::Renaming);
        }
        if self.keys_below(bucket, from, 1)?.is_empty() {
            return Err(Error::Changed);
        }
        if self.keys_below(bucket, to, 2)?.iter().any(|key| key != to) {
            return Err(Error::BucketNotEmpty);
        }
        if let Some(row) = self.applier.current(bucket, to)? {
            let (removed, kills) = self.ending((bucket, to), &row, false)?;
            self.push(Entry::Kill { bucket, key: to.to_owned(), removed, kills })?;
        }
        let (name, value) = Redirect::encode(self.next_lsn(), self.site.now, from, to);
        let kind = REDIRECT.to_owned();
        self.push(Entry::Document { scope: bucket, kind, name, value: Some(value), kills: Vec::new() })?;
        Ok(Outcome::Done)
    }

    /// Moves rows that are unmoved, and whose bytes are at hand.
    pub(super) fn bring_all(
        &mut self,
        bucket: u32,
        moves: &[(String, String)],
        copies: &[StoredCopy],
    ) -> Result<Outcome> {
        let copies: HashMap<u64, &StoredCopy> = copies.iter().map(|copy| (copy.record, copy)).collect();
        let redirects = self.redirects_of(bucket);
        let mut moved = 0;
        for (source, destination) in moves {
            let Some(row) = self.applier.current(bucket, source)? else { continue };
            let goes_there = |held: &&Arc<Redirect>| {
                held.is_unmoved(row.record.id) && held.destination_of(source).is_some_and(|to| to == *destination)
            };
            let copy = copies.get(&row.record.id).copied();
            let has_bytes = row.record.small().is_none() || copy.is_some();
            if has_bytes && redirects.iter().any(|held| goes_there(&held)) {
                self.bring_over(bucket, (source, destination), row, copy)?;
                moved += 1;
            }
        }
        Ok(Outcome::Moved(moved))
    }
}
