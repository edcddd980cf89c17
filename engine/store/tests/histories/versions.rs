//! What clients ask of versions, locks and documents.

use packstone_store::commit::{Beside, Op};
use packstone_store::configuration::{OBJECT_LOCK, VERSIONING};
use packstone_store::object::{
    AttributeChange, Mode, NewDocument, ObjectLock, Precondition, Replaces, Retention, VersionId, Versioning,
};

use crate::check::{self, KIND};
use crate::model::{Effect, Which, default_of};
use crate::node::{pick, seconds};
use crate::run::{Life, Run, Step};

/// For what is said of any version.
const ROOM: usize = 1 << 16;

/// The documents of a bucket that has object lock from the start.
pub fn locked() -> Vec<NewDocument> {
    let document =
        |kind: &str, value: Vec<u8>| NewDocument { kind: kind.into(), name: String::new(), value: value.into() };
    vec![
        document(VERSIONING, Versioning::Enabled.encode().unwrap()),
        document(OBJECT_LOCK, ObjectLock::default().encode()),
    ]
}

impl Run {
    /// A key of a bucket that has versions, and one of these: as the model calls it, and as the store does.
    fn named(&mut self, life: &Life, bucket: &str) -> Option<(String, Which, VersionId)> {
        let keys: Vec<String> = self.model.buckets[bucket].versions.keys().cloned().collect();
        let key = pick(&keys, &mut self.generator)?.clone();
        let held = &self.model.buckets[bucket].versions[&key];
        let known: Vec<(u64, bool)> = held.iter().rev().map(|version| (version.tag, version.null)).collect();
        let ids = check::versions(&life.core.shared, self.ids[bucket], &key);
        assert_eq!(ids.len(), known.len(), "seed {}: versions of {bucket}/{key}", self.seed);
        let at = self.below(known.len() as u64) as usize;
        let which = if known[at].1 { Which::Null } else { Which::Tag(known[at].0) };
        Some((key, which, ids[at]))
    }

    /// Deletes of versions, some of them in one batch.
    pub fn versions(&mut self, life: &mut Life) -> Step {
        let mut batch = Vec::new();
        for _ in 0..self.below(5) + 1 {
            let Some(bucket) = self.bucket() else { return Ok(()) };
            let Some((key, which, version)) = self.named(life, &bucket) else { continue };
            let bypass = self.generator.happens(5000);
            let id = self.ids[&bucket];
            let precondition = Precondition::None;
            let op = Op::Delete {
                bucket: id,
                key: key.clone(),
                version: Some(version),
                precondition,
                bypass: bypass.then(|| "root".into()),
                returning: ROOM,
            };
            batch.push((op, Effect::DeleteVersion { bucket: bucket.clone(), key: key.clone(), which, bypass }));
            if self.generator.happens(2000) {
                let op = Op::Delete {
                    bucket: id,
                    key: key.clone(),
                    version: None,
                    precondition: Precondition::None,
                    bypass: None,
                    returning: 0,
                };
                let tag = self.tag();
                batch.push((op, Effect::Delete { bucket, key, tag }));
            }
        }
        if batch.is_empty() { Ok(()) } else { self.commit(life, batch) }
    }

    fn change(&mut self) -> AttributeChange {
        match self.below(7) {
            0..3 => AttributeChange::Tags(
                (0..self.below(3)).map(|tag| (format!("t{tag}"), self.tag().to_string())).collect(),
            ),
            3 => AttributeChange::LegalHold(self.generator.happens(3000)),
            4 => AttributeChange::Retention(None),
            5 => AttributeChange::Lock,
            _ => {
                let mode = if self.generator.happens(3000) { Mode::Compliance } else { Mode::Governance };
                // Between the turns that time goes by.
                let until = (seconds() / 1000 + self.below(4) as i64) * 1000 + 500;
                AttributeChange::Retention(Some(Retention { mode, until }))
            }
        }
    }

    pub fn amendments(&mut self, life: &mut Life) -> Step {
        let mut batch = Vec::new();
        for _ in 0..self.below(3) + 1 {
            let Some(bucket) = self.bucket() else { return Ok(()) };
            let Some((key, which, version)) = self.named(life, &bucket) else { continue };
            let (which, version) =
                if self.generator.happens(3000) { (None, None) } else { (Some(which), Some(version)) };
            let (change, bypass) = (self.change(), self.generator.happens(5000));
            let op = Op::Amend {
                bucket: self.ids[&bucket],
                key: key.clone(),
                version,
                change: change.clone(),
                actor: "root".into(),
                bypass,
                beside: Beside::default(),
            };
            batch.push((op, Effect::Amend { bucket, key, which, change, bypass }));
        }
        if batch.is_empty() { Ok(()) } else { self.commit(life, batch) }
    }

    /// Documents, and what a bucket does with versions: the first bucket never keeps any.
    pub fn documents(&mut self, life: &mut Life) -> Step {
        let bucket = self.bucket();
        let (kind, name, value, scope, effect) = match (self.below(6), bucket.filter(|bucket| bucket != "bucket0")) {
            (0..3, Some(bucket)) => {
                self.carry_all(life, &bucket)?;
                let to = if self.generator.happens(6000) { Versioning::Enabled } else { Versioning::Suspended };
                let (scope, value) = (self.ids[&bucket], to.encode());
                (VERSIONING, String::new(), value, scope, Effect::Versioning { bucket, to })
            }
            (3, Some(bucket)) => {
                let mode = if self.generator.happens(2000) { Mode::Compliance } else { Mode::Governance };
                let default = self.generator.happens(4000).then(|| default_of(mode, 1));
                let (scope, value) = (self.ids[&bucket], Some(ObjectLock { default }.encode()));
                (OBJECT_LOCK, String::new(), value, scope, Effect::Lock { bucket, default })
            }
            (_, bucket) => {
                let name = format!("d{}", self.below(3));
                let value = self.generator.happens(7000).then(|| self.tag().to_le_bytes().to_vec());
                let scope = bucket.as_ref().map_or(0, |bucket| self.ids[bucket]);
                (KIND, name.clone(), value.clone(), scope, Effect::Document { bucket, name, value })
            }
        };
        let value = value.map(Into::into);
        let op = Op::PutDocument { scope, kind: kind.into(), name, value, replaces: Replaces::Anything };
        self.commit(life, vec![(op, effect)])
    }
}
