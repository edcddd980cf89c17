//! What changes an object that is there, its bytes staying where they are.

use std::sync::Arc;

use packstone_store::Error;
use packstone_store::checksum::record_hash;
use packstone_store::commit::{Beside, Body, Op, Outcome};
use packstone_store::index::{Row, Space, keys};
use packstone_store::object::append::{Appended, Base};
use packstone_store::object::merge::{Merged, MergedRun};
use packstone_store::object::{Kept, Precondition, RenameTerms, Rewritten, StoredCopy, StreamedCopy, Versioning};
use packstone_store::record::{Extent, Record};
use packstone_store::segment::stream::OpenStream;

use crate::model::Effect;
use crate::node::pick;
use crate::run::{Life, Run, Step};
use crate::verbs::draft;

/// For more names than any file has here.
const ROOM: Beside = Beside { names: 100, bytes: 1 << 16 };

impl Run {
    pub fn moves(&mut self, life: &mut Life) -> Step {
        let Some(bucket) = self.bucket() else { return Ok(()) };
        match self.below(12) {
            6 | 7 => self.redirect(life, &bucket),
            8 => self.carry(life),
            9..12 => self.merge_pieces(life, &bucket),
            0 => self.rename(life, bucket),
            1 => self.append(life, bucket),
            2 => self.link(life, bucket),
            3 | 4 => self.replace_pieces(life, bucket),
            _ => self.rewrite(life, bucket),
        }
    }

    /// The row of a key's current version.
    fn row(&self, life: &Life, bucket: &str, key: &str) -> Option<Row> {
        let snapshot = life.core.shared.namespace();
        let value = snapshot.get(Space::Current, &keys::current(self.ids[bucket], key)).unwrap()?;
        Some(Row::decode_whole(&value, &*snapshot).unwrap())
    }

    /// A small record's bytes, as a rename reads them before it is decided.
    fn copy(&mut self, life: &Life, bucket: &str, key: &str) -> Option<StoredCopy> {
        let row = self.row(life, bucket, key)?;
        let extent = row.record.small()?;
        let stored = self.model.buckets[bucket].current(key)?.to_vec().into();
        Some(StoredCopy { record: row.record.id, stored, hash: extent.hash })
    }

    /// A key that has an object, most of the time.
    pub fn held_key(&mut self, bucket: &str) -> String {
        let held: Vec<String> = self.model.buckets[bucket].objects().map(|(key, _)| key.clone()).collect();
        let held = pick(&held, &mut self.generator).cloned();
        held.filter(|_| !self.generator.happens(1500)).unwrap_or_else(|| self.key())
    }

    fn append(&mut self, life: &mut Life, bucket: String) -> Step {
        let (key, length) = (self.held_key(&bucket), self.below(40_000) + 1);
        self.settle_keys(life, &bucket, &[&key])?;
        let row = self.row(life, &bucket, &key);
        let offset = row.as_ref().map_or(0, |row| row.record.size);
        let content = self.body(length);
        let Some((piece, stream)) = self.stream_body(life, &content)? else { return Ok(()) };
        let mut streams = vec![stream];
        let stays = self.generator.happens(5000);
        let mut base = row.map(|row| Base {
            record: row.record.id,
            extents: row.record.extents.len(),
            small: row.record.small().is_some(),
            streamed: Vec::new(),
            stays,
            mtime: None,
            beside: ROOM,
        });
        if let Some(base) = base.as_mut().filter(|base| base.small) {
            let held = self.model.buckets[&bucket].current(&key).unwrap().clone();
            match self.stream_body(life, &held) {
                Ok(Some((extent, stream))) => {
                    base.streamed = vec![extent];
                    streams.push(stream);
                }
                cut_short => {
                    streams.into_iter().for_each(|stream| Self::give_stream(life, stream));
                    return cut_short.map(drop);
                }
            }
        }
        let id = self.ids[&bucket];
        let draft = draft(content.len(), Body::Streamed(vec![piece]));
        let appended = Appended { offset, base };
        let op = Op::Append { bucket: id, key: key.clone(), appended, draft, precondition: Precondition::None };
        let tag = self.tag();
        let result = self.commit(life, vec![(op, Effect::Append { bucket, key, tag, content, stays })]);
        streams.into_iter().for_each(|stream| Self::give_stream(life, stream));
        result
    }

    fn link(&mut self, life: &mut Life, bucket: String) -> Step {
        let (from, to) = (self.held_key(&bucket), self.key());
        self.settle_keys(life, &bucket, &[&from, &to])?;
        let copy = self.copy(life, &bucket, &from);
        let inode = self.row(life, &bucket, &from).map_or(0, |row| row.record.inode());
        let op = Op::Link {
            bucket: self.ids[&bucket],
            source: from.clone(),
            destination: to.clone(),
            inode,
            copy,
            extents: 1,
            beside: ROOM,
        };
        self.commit(life, vec![(op, Effect::Link { bucket, from, to })])
    }

    /// As a mount publishes what was written to a file.
    fn rewrite(&mut self, life: &mut Life, bucket: String) -> Step {
        let key = self.held_key(&bucket);
        self.settle_keys(life, &bucket, &[&key])?;
        let is_never = self.model.buckets[&bucket].versioning == Versioning::Never;
        let Some(row) = self.row(life, &bucket, &key).filter(|_| is_never) else { return Ok(()) };
        let streams = self.generator.happens(5000);
        let length = self.below(if streams { 40_000 } else { 6000 }) + 1;
        let content = self.body(length);
        let (body, stream) = match streams {
            true => {
                let Some((piece, stream)) = self.stream_body(life, &content)? else { return Ok(()) };
                (Body::Streamed(vec![piece]), Some(stream))
            }
            false => (Body::Small { stored: content.to_vec().into(), hash: record_hash(&content) }, None),
        };
        let place = Rewritten { record: row.record.id, own: false, mtime: None };
        let draft = draft(content.len(), body);
        let op = Op::Rewrite { bucket: self.ids[&bucket], key: key.clone(), place, draft, kept: None, beside: ROOM };
        let result = self.commit(life, vec![(op, Effect::Rewrite { bucket, key, content })]);
        stream.into_iter().for_each(|stream| Self::give_stream(life, stream));
        result
    }

    /// As a mount publishes what was changed in content of several pieces: some are kept, others written anew, left out, or
    /// put between.
    fn replace_pieces(&mut self, life: &mut Life, bucket: String) -> Step {
        let key = self.held_key(&bucket);
        self.settle_keys(life, &bucket, &[&key])?;
        let is_never = self.model.buckets[&bucket].versioning == Versioning::Never;
        let row = self.row(life, &bucket, &key).filter(|row| is_never && row.record.size > 0);
        let Some(row) = row.filter(|row| row.record.small().is_none()) else { return Ok(()) };
        let held = self.model.buckets[&bucket].current(&key).unwrap().clone();
        let pieces: Vec<u64> = row.record.pieces().collect();
        let mut kept = Kept { pieces: pieces.len(), extents: row.record.extents.len(), ..Kept::default() };
        let (mut content, mut written, mut streams) = (Vec::new(), Vec::new(), Vec::new());
        let (mut number, mut at) = (0, 0);
        for place in 0..=pieces.len() {
            for _ in 0..u64::from(self.generator.happens(3000)) + u64::from(self.generator.happens(1000)) {
                let length = self.below(20_000) + 1;
                let body = self.body(length);
                match self.stream_body(life, &body) {
                    Ok(Some((extent, stream))) => {
                        streams.push(stream);
                        number += 1;
                        content.extend_from_slice(&body);
                        written.push(Extent { part: number, ..extent });
                    }
                    cut_short => {
                        streams.into_iter().for_each(|stream| Self::give_stream(life, stream));
                        return cut_short.map(drop);
                    }
                }
            }
            let Some(size) = pieces.get(place).map(|size| *size as usize) else { break };
            if self.generator.happens(6500) {
                number += 1;
                kept.runs.push((number, place as u16..place as u16 + 1));
                content.extend_from_slice(&held[at..at + size]);
            }
            at += size;
        }
        let (content, place) = (Arc::new(content), Rewritten { record: row.record.id, own: false, mtime: None });
        kept.size = content.len() as u64;
        let draft = draft(content.len(), Body::Streamed(written));
        let op =
            Op::Rewrite { bucket: self.ids[&bucket], key: key.clone(), place, draft, kept: Some(kept), beside: ROOM };
        let result = self.commit(life, vec![(op, Effect::Rewrite { bucket, key, content })]);
        streams.into_iter().for_each(|stream| Self::give_stream(life, stream));
        result
    }

    /// As pieces are merged in the background, whatever is committed meanwhile: nobody sees a change.
    fn merge_pieces(&mut self, life: &mut Life, bucket: &str) -> Step {
        let keys: Vec<String> = self.model.buckets[bucket].objects().map(|(key, _)| key.clone()).collect();
        let is_in_pieces =
            |key: &&String| self.row(life, bucket, key).is_some_and(|row| row.record.pieces().count() > 1);
        let keys: Vec<String> = keys.iter().filter(is_in_pieces).cloned().collect();
        let Some(key) = pick(&keys, &mut self.generator).cloned() else { return self.append(life, bucket.to_owned()) };
        self.settle_keys(life, bucket, &[&key])?;
        let Some(row) = self.row(life, bucket, &key) else { return Ok(()) };
        let held = self.model.buckets[bucket].current(&key).unwrap().clone();
        let pieces: Vec<&[Extent]> = row.record.extents.chunk_by(|one, next| one.part == next.part).collect();
        let sizes: Vec<u64> = row.record.pieces().collect();
        let from = self.below(pieces.len() as u64 - 1) as usize;
        let count = 2 + self.below((pieces.len() - from - 1) as u64) as usize;
        let (at, length) = (sizes[..from].iter().sum(), sizes[from..from + count].iter().sum::<u64>());
        let bytes = Arc::new(held[at as usize..(at + length) as usize].to_vec());
        let Some((piece, stream)) = self.stream_body(life, &bytes)? else { return Ok(()) };
        for _ in 0..self.below(2) {
            if let Err(error) = self.objects(life) {
                Self::give_stream(life, stream);
                return Err(error);
            }
        }
        let run = MergedRun { at, held: pieces[from..from + count].concat(), piece: vec![piece] };
        let Record { key_id, chunking, extents, .. } = &row.record;
        let extents = extents.len() + 100;
        let merged =
            Merged { inode: row.record.inode(), key_id: *key_id, chunking: *chunking, runs: vec![run], extents };
        let (id, key) = (self.ids.get(bucket).copied().unwrap_or_default(), key.clone());
        let stated = self.commit_for(life, Op::Merge { bucket: id, key, merged, beside: ROOM });
        Self::give_stream(life, stream);
        match stated {
            Ok(Outcome::Moved(_) | Outcome::Unmoved(_)) => Ok(()),
            Ok(other) => panic!("seed {}: merging pieces was answered {other:?}", self.seed),
            Err(Error::Changed | Error::InvalidBucketState(_) | Error::NoSuchBucket) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn rename(&mut self, life: &mut Life, bucket: String) -> Step {
        let (from, to, file) = (self.held_key(&bucket), self.key(), self.generator.happens(7000));
        self.settle_keys(life, &bucket, &[&from, &to])?;
        let copy = self.copy(life, &bucket, &from);
        let is_versioned = self.model.buckets[&bucket].versioning != Versioning::Never;
        let row = self.row(life, &bucket, &from).filter(|row| file && is_versioned && row.record.small().is_none());
        let (streamed, streams) = match row {
            Some(row) => {
                let Some((streamed, streams)) = self.streamed_copy(life, &row, &bucket, &from)? else { return Ok(()) };
                (Some(streamed), streams)
            }
            None => (None, Vec::new()),
        };
        let op = Op::Rename {
            bucket: self.ids[&bucket],
            source: from.clone(),
            destination: to.clone(),
            terms: Box::new(RenameTerms { is_of_files: file, ..RenameTerms::default() }),
            copy,
            streamed,
            extents: 1,
        };
        let tags = (self.tag(), self.tag());
        let result = self.commit(life, vec![(op, Effect::Rename { bucket, from, to, tags, file })]);
        streams.into_iter().for_each(|stream| Self::give_stream(life, stream));
        result
    }

    /// A record's bytes in streams once more, piece by piece; `None` where the client went away in between.
    fn streamed_copy(
        &mut self,
        life: &mut Life,
        row: &Row,
        bucket: &str,
        key: &str,
    ) -> Result<Option<(StreamedCopy, Vec<OpenStream>)>, Error> {
        let content = self.model.buckets[bucket].current(key).unwrap().clone();
        let mut parts: Vec<u16> = row.record.extents.iter().map(|extent| extent.part).collect();
        parts.dedup();
        let (mut rest, mut extents, mut streams) = (&content[..], Vec::new(), Vec::new());
        for (part, size) in parts.into_iter().zip(row.record.pieces().collect::<Vec<_>>()) {
            let (piece, behind) = rest.split_at(size as usize);
            rest = behind;
            match self.stream_body(life, &Arc::new(piece.to_vec())) {
                Ok(Some((extent, stream))) => {
                    extents.push(Extent { part, ..extent });
                    streams.push(stream);
                }
                cut_short => {
                    streams.into_iter().for_each(|stream| Self::give_stream(life, stream));
                    return cut_short.map(|_| None);
                }
            }
        }
        Ok(Some((StreamedCopy { record: row.record.id, extents }, streams)))
    }
}
