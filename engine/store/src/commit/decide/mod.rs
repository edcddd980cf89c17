//! Deciding: an operation against the index plus what its batch has decided before it, into an entry that holds the
//! outcome.

mod amend;
mod append;
mod bucket;
mod ledger;
mod merge;
mod names;
mod object;
mod quota;
mod redirect;
mod rename;
mod rename_tree;
mod rename_version;
mod restate;
mod upload;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::op::{Body, Draft, Op, Outcome};
use super::{BucketState, Buckets};
use crate::checksum::Hash;
use crate::crypto::CHUNK_LENGTH;
use crate::drive::{DriveNumber, NO_DRIVE};
use crate::error::{Error, Result};
use crate::index::apply::Applier;
use crate::index::row::corrupt;
use crate::index::{Row, Snapshot};
use crate::journal::{Entry, Target};
use crate::node::Roster;
use crate::object::attributes::{is_under_customers_key, lock_of};
use crate::object::{Attributes, Deleted};
use crate::record::{Extent, Record};
use crate::retention::Lock;
use crate::segment::SegmentInfo;

/// Where the entries of a batch will stand.
#[derive(Clone, Debug)]
pub struct Site {
    pub file: u64,
    pub first_lsn: u64,
    pub data_offset: u64,
    /// Commit time, Unix nanoseconds.
    pub now: i64,
    /// The compliance clock's time, Unix seconds: retention goes by it.
    pub compliance: i64,
    pub next_bucket: u32,
    /// Whether there is room for what grows.
    pub room: bool,
    pub appliance: u128,
    pub roster: Arc<Roster>,
}

/// A batch as it is being decided.
pub struct Decider<'live, 'index> {
    site: Site,
    buckets: &'live Buckets,
    segments: &'live BTreeMap<u64, SegmentInfo>,
    applier: Applier<'index>,
    pub entries: Vec<Entry>,
    pub data: Vec<Bytes>,
    data_offset: u64,
    /// Until when drives must be kept for what the entries lock, Unix nanoseconds; 0 where they lock nothing.
    pub retain_until: i64,
}

impl<'live, 'index> Decider<'live, 'index> {
    #[must_use]
    pub fn new(
        site: Site,
        buckets: &'live Buckets,
        segments: &'live BTreeMap<u64, SegmentInfo>,
        snapshot: &'index dyn Snapshot,
    ) -> Self {
        Self {
            data_offset: site.data_offset,
            site,
            buckets,
            segments,
            applier: Applier::new(snapshot),
            entries: Vec::new(),
            data: Vec::new(),
            retain_until: 0,
        }
    }

    /// What is to be written to the index when the entries are durable.
    #[must_use]
    pub fn into_applier(self) -> Applier<'index> {
        self.applier
    }

    fn next_lsn(&self) -> u64 {
        self.site.first_lsn + self.entries.len() as u64
    }

    fn push(&mut self, entry: Entry) -> Result<()> {
        if let Entry::Put { record: Record { attributes, .. }, .. }
        | Entry::PutVersion { record: Record { attributes, .. }, .. }
        | Entry::Amend { attributes, .. } = &entry
        {
            let lock = lock_of(attributes).map_err(corrupt)?;
            expect_readable(lock, attributes)?;
            self.retain_until = self.retain_until.max(lock.retain_until());
        }
        self.applier.apply(self.next_lsn(), self.site.file, &entry)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Decides one operation; it leaves an entry behind only if it answers `Ok`.
    ///
    /// # Errors
    /// Whatever stands against it.
    pub fn decide(&mut self, op: &Op) -> Result<Outcome> {
        if op.grows() && !self.site.room {
            return Err(Error::OutOfSpace);
        }
        if let Some(unmoved) = self.unmoved_of(op)? {
            return Ok(Outcome::Unmoved(unmoved));
        }
        match op {
            Op::CreateBucket { name, documents } => self.create_bucket(name, documents),
            Op::DeleteBucket { name } => self.delete_bucket(name),
            Op::PutDocument { scope, kind, name, value, replaces } => {
                self.put_document(*scope, (kind, name), value.as_ref(), *replaces)
            }
            Op::Put { bucket, key, draft, precondition } => self.put(*bucket, key, draft, precondition),
            Op::Append { bucket, key, appended, draft, precondition } => {
                self.append(*bucket, key, appended, draft, precondition)
            }
            Op::Rewrite { bucket, key, place, draft, kept, beside } => {
                self.rewrite((*bucket, key), place, (draft, kept.as_ref()), *beside)
            }
            Op::Delete { bucket, key, version, precondition, bypass, returning } => {
                if self.is_left(*bucket, key)? {
                    object::check(precondition, None)?;
                    return Ok(Outcome::Deleted(Deleted::Nothing));
                }
                let standing = self.standing_at(*bucket, key)?;
                let key = standing.as_deref().unwrap_or(key);
                self.delete((*bucket, key), *version, precondition, bypass.as_deref(), *returning)
            }
            Op::Rename { bucket, source, destination, terms, copy, streamed, .. } => {
                self.rename(*bucket, (source, destination), terms, (copy.as_ref(), streamed.as_ref()))
            }
            Op::RenameTree { bucket, tree, copies, .. } => self.rename_tree(*bucket, tree, copies),
            Op::Redirect { bucket, from, to } => self.redirect(*bucket, from, to),
            Op::Bring { bucket, moves, copies, .. } => self.bring_all(*bucket, moves, copies),
            Op::Link { bucket, source, destination, inode, copy, beside, .. } => {
                self.link(*bucket, (source, destination), *inode, copy.as_ref(), *beside)
            }
            Op::Amend { bucket, key, version, change, actor, bypass, beside } => {
                self.amend(*bucket, key, *version, change, (actor, *bypass), *beside)
            }
            Op::OpenUpload { bucket, key, upload, attributes } => self.open_upload(*bucket, key, *upload, attributes),
            Op::PutPart { bucket, key, upload, number, draft } => self.put_part(*bucket, key, *upload, *number, draft),
            Op::CompleteUpload { bucket, key, upload, parts, etag, checksum, posix, precondition } => {
                self.complete(*bucket, key, *upload, parts, (*etag, checksum.clone(), *posix), precondition)
            }
            Op::AbortUpload { bucket, key, upload } => self.abort(*bucket, key, *upload),
            Op::AbandonUpload { bucket, key, upload, age } => self.abandon(*bucket, key, *upload, *age),
            Op::OpenStream(info) => {
                let mut info = self.on_members(info);
                info.first_lsn = self.next_lsn();
                self.push(Entry::StreamOpen(info)).map(|()| Outcome::Done)
            }
            Op::Sealed(info) => self.seal(info).map(|()| Outcome::Done),
            Op::Compacted(infos) => infos.iter().try_for_each(|info| self.seal(info)).map(|()| Outcome::Done),
            Op::Place { id, shard, drive } => self.place_shard(*id, *shard, *drive),
            Op::Erase { id } => self.push(Entry::Erased { id: *id }).map(|()| Outcome::Done),
            Op::Restate(step) => self.restate(step),
            Op::Merge { bucket, key, merged, beside } => self.merge((*bucket, key), merged, *beside),
            Op::ApproveTime { actor, user, time } => self.approve_time(actor, user, *time),
            // These make no entry: the loop carries them out.
            Op::Relocate(_) | Op::CloseJournal | Op::KeepTime | Op::Admit(_) | Op::OpenPool(_) | Op::Dismiss { .. } => {
                Ok(Outcome::Done)
            }
        }
    }

    fn seal(&mut self, info: &SegmentInfo) -> Result<()> {
        let mut info = self.on_members(info);
        info.sealed_lsn = self.next_lsn();
        self.push(Entry::Sealed(info))
    }

    fn place_shard(&mut self, id: u64, shard: usize, drive: DriveNumber) -> Result<Outcome> {
        let is_other = |(at, held): (usize, &DriveNumber)| at != shard && *held == drive;
        let info = self.segments.get(&id).filter(|info| info.sealed && shard < info.drives.len());
        match (info, u8::try_from(shard)) {
            (Some(info), Ok(shard))
                if self.site.roster.members.contains_key(&drive) && !info.drives.iter().enumerate().any(is_other) =>
            {
                self.push(Entry::Placed { id, shard, drive }).map(|()| Outcome::Placed(true))
            }
            _ => Ok(Outcome::Placed(false)),
        }
    }

    /// A segment without the drives that were removed while it was written.
    fn on_members(&self, info: &SegmentInfo) -> SegmentInfo {
        let mut info = info.clone();
        for drive in info.drives.iter_mut().filter(|drive| !self.site.roster.members.contains_key(drive)) {
            *drive = NO_DRIVE;
        }
        info
    }

    /// The bucket was there when the request looked it up; it must not have gone since.
    fn bucket(&self, id: u32) -> Result<&'live Arc<BucketState>> {
        self.buckets.by_id(id).ok_or(Error::NoSuchBucket)
    }

    /// A streamed body must stand in segments that are live: nothing may have erased them meanwhile.
    fn expect_live(&self, draft: &Draft) -> Result<()> {
        match &draft.body {
            Body::Streamed(extents) if !self.are_live(extents) => {
                Err(Error::Unavailable("the stream that took the body is gone: send it again".into()))
            }
            _ => Ok(()),
        }
    }

    fn are_live(&self, extents: &[Extent]) -> bool {
        extents.iter().all(|extent| self.segments.contains_key(&extent.segment))
    }

    /// Makes a record of a draft, with its bytes at the end of the batch where the journal takes them.
    fn record(&mut self, draft: &Draft, attributes: Vec<u8>) -> Record {
        let id = self.next_lsn();
        let extents = match &draft.body {
            Body::Small { stored, .. } if stored.is_empty() => Vec::new(),
            Body::Small { stored, hash } => vec![self.place(stored, *hash)],
            // Bytes that an upload's part claimed stay claimed by that.
            Body::Streamed(extents) => extents.iter().map(|extent| claimed(*extent, id)).collect(),
        };
        Record {
            size: draft.size,
            compression: draft.compression,
            dictionary: draft.dictionary,
            key_id: draft.key_id,
            chunking: if draft.key_id == 0 { 0 } else { CHUNK_LENGTH },
            posix: draft.posix,
            attributes,
            extents,
            ..Record::empty(id, self.site.now)
        }
    }

    /// Puts a small record's stored bytes at the end of the batch.
    fn place(&mut self, stored: &Bytes, hash: Hash) -> Extent {
        let (offset, length) = (self.data_offset, stored.len() as u64);
        self.data_offset += length;
        self.data.push(stored.clone());
        Extent { segment: self.site.file, offset, length, part: 0, claim: 0, hash }
    }
}

/// Who holds the only key to a locked version could make it unreadable.
fn expect_readable(lock: Lock, attributes: &[u8]) -> Result<()> {
    let is_customers = lock.is_set() && is_under_customers_key(attributes).map_err(corrupt)?;
    if is_customers { Err(Error::CustomerKeyLocked) } else { Ok(()) }
}

/// Targets without the claims that a record takes over: those live on.
fn without_claims_of(targets: Vec<Target>, record: &Record) -> Vec<Target> {
    let claims = record.extents.iter().map(|extent| Target { file: extent.segment, lsn: extent.claim });
    let claims: HashSet<Target> = claims.collect();
    targets.into_iter().filter(|target| !claims.contains(target)).collect()
}

/// The extent, claimed by entry `lsn` where nothing claims it yet.
fn claimed(extent: Extent, lsn: u64) -> Extent {
    if extent.claim == 0 { Extent { claim: lsn, ..extent } } else { extent }
}

/// The attributes of a row's record.
fn attributes_of(row: &Row) -> Result<Attributes> {
    let mut from = crate::codec::Reader(&row.record.attributes);
    Ok(Attributes::decode(&mut from).map_err(corrupt)?)
}
