//! Directories that are renamed at once, and whose rows move afterwards.

use packstone_store::Error;
use packstone_store::commit::{Op, Outcome};
use packstone_store::index::redirect::{MOST_REDIRECTS, REDIRECT};
use packstone_store::index::{Row, Space, keys};
use packstone_store::object::{Replaces, StoredCopy};

use crate::model::Effect;
use crate::node::pick;
use crate::run::{Life, Run, Step};

impl Run {
    pub fn redirect(&mut self, life: &mut Life, bucket: &str) -> Step {
        // One that is there, most of the time.
        let held = self.held_key(bucket);
        let there = held.split_once('/').map(|(name, _)| format!("{name}/"));
        let from = there.unwrap_or_else(|| format!("k{}/", self.below(12)));
        let to = format!("k{}/", self.below(12));
        let id = self.ids[bucket];
        let held = life.core.shared.buckets.load().redirects().clone();
        let is_busy = held.of(id).any(|held| held.touches(&from) || held.touches(&to));
        if from == to || is_busy || held.of(id).count() >= MOST_REDIRECTS {
            return Ok(());
        }
        let op = Op::Redirect { bucket: id, from: from.clone(), to: to.clone() };
        self.commit(life, vec![(op, Effect::Redirect { bucket: bucket.to_owned(), from, to })])?;
        for _ in 0..self.below(4) {
            self.objects(life)?;
        }
        Ok(())
    }

    /// As the keeper's worker does, some rows at a time.
    pub fn carry(&mut self, life: &mut Life) -> Step {
        let held: Vec<_> = life.core.shared.buckets.load().redirects().iter().cloned().collect();
        let Some(redirect) = pick(&held, &mut self.generator) else { return Ok(()) };
        let path = keys::current(redirect.bucket, &redirect.from);
        let mut moves = Vec::new();
        for pair in life.core.shared.index.snapshot().prefix(Space::Current, &path) {
            let (key, value) = pair.unwrap();
            let source = keys::object_key(&key).unwrap();
            if redirect.is_unmoved(Row::decode_brief(&value).unwrap().record.id) {
                moves.push((source.to_owned(), redirect.destination_of(source).unwrap()));
            }
        }
        if moves.is_empty() {
            let name = format!("{:016x}", redirect.lsn);
            let (scope, kind, value, replaces) = (redirect.bucket, REDIRECT.into(), None, Replaces::Anything);
            return self.commit_one(life, Op::PutDocument { scope, kind, name, value, replaces });
        }
        moves.truncate(self.below(3) as usize + 1);
        let op = self.bring(life, redirect.bucket, moves);
        self.commit_one(life, op)
    }

    /// Moves every row of a bucket that is unmoved.
    pub fn carry_all(&mut self, life: &mut Life, bucket: &str) -> Step {
        while life.core.shared.buckets.load().redirects().of(self.ids[bucket]).next().is_some() {
            self.carry(life)?;
        }
        Ok(())
    }

    /// What is prepared by a key's record needs it to stay.
    pub fn settle_keys(&mut self, life: &mut Life, bucket: &str, named: &[&str]) -> Step {
        let id = self.ids[bucket];
        let redirects = life.core.shared.buckets.load().redirects().clone();
        let sources = redirects
            .of(id)
            .flat_map(|held| named.iter().filter_map(|key| Some((held.source_of(key)?, (*key).to_owned()))));
        let moves: Vec<_> = sources.collect();
        if moves.is_empty() {
            return Ok(());
        }
        let op = self.bring(life, id, moves);
        self.commit_one(life, op)
    }

    /// The operation that moves rows, with the bytes of those that are small.
    pub fn bring(&mut self, life: &Life, bucket: u32, moves: Vec<(String, String)>) -> Op {
        let name = life.core.shared.buckets.load().by_id(bucket).unwrap().bucket.name.to_string();
        let snapshot = life.core.shared.index.snapshot();
        let mut copies = Vec::new();
        for (source, destination) in &moves {
            let Some(value) = snapshot.get(Space::Current, &keys::current(bucket, source)).unwrap() else { continue };
            let row = Row::decode_whole(&value, &*snapshot).unwrap();
            let Some(extent) = row.record.small() else { continue };
            // By the model it is there already, or it isn't what is to be moved.
            let Some(content) = self.model.buckets[&name].current(destination) else { continue };
            copies.push(StoredCopy { record: row.record.id, stored: content.to_vec().into(), hash: extent.hash });
        }
        Op::Bring { bucket, moves, copies, extents: 1 }
    }

    /// Has an operation decided, with what must move before it in the same batch or in one before.
    pub fn commit_settled(&mut self, life: &mut Life, op: &Op) -> Result<Outcome, Error> {
        loop {
            let outcome = self.commit_for(life, op.clone())?;
            let Outcome::Unmoved(unmoved) = outcome else { return Ok(outcome) };
            let bring = self.bring(life, unmoved.bucket, unmoved.moves);
            if self.generator.happens(5000) {
                self.commit_one(life, bring)?;
            } else {
                let mut answers = life.core.commit(&[bring, op.clone()]);
                let (last, first) = (answers.pop().unwrap(), answers.pop().unwrap());
                // What fails as a batch tells the first why.
                first?;
                match last {
                    Ok(Outcome::Unmoved(_)) => {}
                    answer => return answer,
                }
            }
        }
    }
}
