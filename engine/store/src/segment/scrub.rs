//! Checking every block of every shard, parity too.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::rebuild::Pace;
use super::shard::{Blocks, path_of};
use super::shards::Shards;
use super::stripe::rows;
use super::stripes::{STEP, Window};
use super::{Segment, SegmentKind, Wound};
use crate::checksum::BLOCK;
use crate::drive::{NO_DRIVE, Patience};
use crate::node::Hardware;

impl Segment {
    /// Reads every block of every shard that should be there, and of a packed segment every record against its hash; one line
    /// for each shard that is not whole, which is noted as a wound where its drive is in use, and for each record. What was
    /// found so far where `pace` ends it.
    #[must_use]
    pub fn scrub(&self, hardware: &Hardware, pace: &Pace<'_>) -> Vec<String> {
        let placed = self.info.drives.iter().enumerate().filter(|(_, drive)| **drive != NO_DRIVE);
        let mut left: Vec<usize> = placed.map(|(shard, _)| shard).collect();
        let mut faults = BTreeMap::new();
        match self.info.kind {
            SegmentKind::Packed => self.scrub_packed(hardware, &mut left, &mut faults, pace),
            SegmentKind::Stream | SegmentKind::Checkpoint => {
                self.scrub_stream(hardware, &mut left, &mut faults, pace);
            }
        }
        for shard in faults.keys().filter(|shard| self.shards.member(**shard).is_some_and(|member| member.online())) {
            hardware.wounds.add(Wound { segment: self.info.id, shard: *shard });
        }
        let records = if self.info.kind == SegmentKind::Packed { self.scrub_records(pace) } else { Vec::new() };
        faults.into_values().chain(records).collect()
    }

    fn scrub_packed(
        &self,
        hardware: &Hardware,
        left: &mut Vec<usize>,
        faults: &mut BTreeMap<usize, String>,
        pace: &Pace<'_>,
    ) {
        let (id, mut at) = (self.info.id, 0);
        while at < self.info.shard_length && !left.is_empty() {
            let began = Instant::now();
            let end = (at + STEP).min(self.info.shard_length);
            let blocks = Blocks::of_packed(&self.info, at, end);
            let read = move |shards: &Arc<Shards>, shard| {
                shards.read(shard, Patience::Whole, move |read_at| blocks.read(read_at, id, shard))
            };
            for (shard, held) in self.shards.ask(hardware, left, read) {
                if let Err(error) = held {
                    faults.insert(shard, self.told(shard, &error));
                }
            }
            left.retain(|shard| !faults.contains_key(shard));
            at = end;
            if !pace(began.elapsed()) {
                return;
            }
        }
    }

    /// Records whose bytes pass every check but their own hash, or can't be had at all.
    fn scrub_records(&self, pace: &Pace<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        let Ok(entries) = self.read_toc() else {
            return vec![format!("segment {:016x}: its table of contents can't be read", self.info.id)];
        };
        for logged in &entries {
            let began = Instant::now();
            let extents = logged.entry.record().map(|record| record.extents.as_slice()).unwrap_or_default();
            for extent in extents.iter().filter(|extent| extent.segment == self.info.id) {
                if let Err(error) = self.read_record(extent) {
                    faults.push(format!("record {}: {error}", logged.lsn));
                }
            }
            if !pace(began.elapsed()) {
                break;
            }
        }
        faults
    }

    fn scrub_stream(
        &self,
        hardware: &Hardware,
        left: &mut Vec<usize>,
        faults: &mut BTreeMap<usize, String>,
        pace: &Pace<'_>,
    ) {
        // One that is not there, or is not the shard it should be, is told as that.
        for (shard, held) in self.shards.ask(hardware, left, |shards, shard| shards.read_up_to(shard, 0, BLOCK)) {
            if let Err(error) = held {
                faults.insert(shard, self.told(shard, &error));
            }
        }
        left.retain(|shard| !faults.contains_key(shard));
        let (mut window, mut row) = (Window::default(), 0);
        // An open stream ends where its writer is.
        let end = if self.info.sealed { self.info.toc.offset } else { 0 };
        while row < end && !left.is_empty() {
            let began = Instant::now();
            self.slide(hardware, left, &mut window, row);
            let Some(unit) = left.iter().find_map(|shard| self.unit_at(*shard, &window, row)) else {
                row += BLOCK as u64;
                continue;
            };
            let lacks = |shard: &&usize| self.unit_of(**shard, &window, row, unit).is_none();
            let without: Vec<usize> = left.iter().filter(lacks).copied().collect();
            // What fewer have than it takes is the rest of a crash, or is told of by whose record it was.
            if left.len() - without.len() >= usize::from(self.info.profile.data) {
                for shard in without {
                    let told = format!("{} at row {row}: rotten, or missing", path_of(self.info.id, shard));
                    faults.entry(shard).or_insert(told);
                }
            }
            row += rows(unit);
            if !pace(began.elapsed()) {
                return;
            }
        }
        for shard in left.iter().filter(|_| self.info.sealed) {
            let file = self.shards.member(*shard).map(|member| member.drive.open(&path_of(self.info.id, *shard)));
            if let Some(Ok(file)) = file
                && !self.has_toc(*shard, &file).unwrap_or(true)
            {
                let path = path_of(self.info.id, *shard);
                faults.entry(*shard).or_insert(format!("{path}: the table of contents is rotten, or missing"));
            }
        }
    }

    fn told(&self, shard: usize, error: &io::Error) -> String {
        let path = path_of(self.info.id, shard);
        match self.shards.member(shard) {
            Some(member) if error.kind() == io::ErrorKind::NotFound => {
                format!("{path}: not there ({})", member.drive.path())
            }
            _ => format!("{path}: {error}"),
        }
    }
}
