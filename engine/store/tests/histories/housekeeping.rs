//! What the store's workers do, one step at a time, in the order that `keeper.rs` does it.

use packstone_store::Error;
use packstone_store::commit::Op;
use packstone_store::compaction::{self, Choice, CutShort, FileFacts, Tenant};
use packstone_store::index::Space;
use packstone_store::journal::{Claim, spare};
use packstone_store::placement::StorageClass;
use packstone_store::recovery::replay;
use packstone_store::sealing::{self, SealedJournal};
use packstone_store::segment::stream::OpenStream;
use packstone_store::segment::{Home, Segment, SegmentKind};

use crate::run::{Life, Run, Step};

const SPARE: u64 = 96 << 10;

impl Run {
    pub fn prepare_spare(&mut self, life: &Life) -> Step {
        for member in life.core.shared.hardware.place_journal() {
            // A drive that has no space has no spare.
            if spare::count(&*member.drive).is_ok_and(|count| count < 2) {
                let _ = spare::prepare(&*member.drive, SPARE);
            }
        }
        Ok(())
    }

    pub fn seal_journal(&mut self, life: &mut Life) -> Step {
        let shared = life.core.shared.clone();
        let Some(journal) = shared.closed.lock().front().cloned() else { return Ok(()) };
        let op = match sealing::seal_journal(&shared, &journal, &|_| ())? {
            SealedJournal::Segment(info, _) => Op::Sealed(info),
            SealedJournal::Empty => Op::Erase { id: journal.id },
        };
        self.commit_one(life, op)?;
        shared.index.persist()?;
        shared.closed.lock().pop_front();
        life.retiring.push(journal);
        for journal in std::mem::take(&mut life.retiring) {
            life.retiring.extend(sealing::give_back(journal, 2, 0).err());
        }
        Ok(())
    }

    pub fn seal_streams(&mut self, life: &mut Life) -> Step {
        if self.generator.happens(5000) {
            let mut idle = std::mem::take(&mut life.idle);
            life.retired.append(&mut idle);
        }
        let shared = life.core.shared.clone();
        for stream in std::mem::take(&mut life.retired) {
            let claims = shared.claims.lock().get(&stream.info.id).cloned().unwrap_or_default();
            self.seal_stream(life, stream, claims)?;
        }
        for info in std::mem::take(&mut life.left_open) {
            // As it stands by now.
            let Some(info) = life.core.living.segments.get(&info.id).cloned() else { continue };
            let mut claims = sealing::find_claims(&shared, &info)?;
            for claim in shared.claims.lock().get(&info.id).into_iter().flatten() {
                if !claims.iter().any(|held| held.lsn == claim.lsn) {
                    claims.push(*claim);
                }
            }
            self.seal_stream(life, OpenStream::reopen(&shared.hardware, info)?, claims)?;
        }
        Ok(())
    }

    fn seal_stream(&mut self, life: &mut Life, stream: OpenStream, claims: Vec<Claim>) -> Step {
        let info = sealing::seal_stream(&life.core.shared, stream, claims)?;
        self.commit_one(life, Op::Sealed(info))
    }

    pub fn compact(&mut self, life: &mut Life) -> Step {
        self.resume(life)?;
        let shared = life.core.shared.clone();
        let mut facts = Vec::new();
        for home in shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let info = &segment.info;
            if info.sealed {
                let tally = compaction::tally(&shared, info.id)?;
                let (id, kind, payload, entries) = (info.id, info.kind, info.payload, u64::from(info.toc.entries));
                // Nobody counts here: what is said to belong elsewhere may not.
                let displaced = if self.generator.happens(3000) { tally.live } else { 0 };
                let is_stream = kind == SegmentKind::Stream;
                let claimed = if is_stream { compaction::claimed(segment)? } else { payload };
                let (live, dead) = (tally.live, tally.dead);
                facts.push(FileFacts { id, kind, payload, live, claimed, entries, dead, displaced });
            }
        }
        facts.sort_by_key(|fact| fact.id);
        let dead_share = self.below(4) as f64 * 0.1;
        let choice = compaction::choose(&facts, dead_share, 200_000);
        self.say(|| format!("compaction: {choice:?}"));
        match choice {
            Choice::Nothing => Ok(()),
            Choice::EraseStream(id) => self.erase_stream(life, id),
            Choice::Restream(ids) | Choice::Move(ids) => self.restream_all(life, &ids),
            Choice::Pack(sources) => self.pack(life, &sources),
        }
    }

    fn erase_stream(&mut self, life: &mut Life, id: u64) -> Step {
        let Some(Home::Segment(segment)) = life.core.shared.table.get(id) else { return Ok(()) };
        if segment.info.kind != SegmentKind::Stream || !compaction::stream_is_dead(&life.core.shared, &segment)? {
            return Ok(());
        }
        drop(segment);
        self.erase(life, &[id])
    }

    fn restream_all(&mut self, life: &mut Life, ids: &[u64]) -> Step {
        let mut tenants = compaction::tenants(&life.core.shared, ids).map_err(Error::from)?;
        ids.iter().try_for_each(|id| self.restream(life, *id, tenants.remove(id).unwrap_or_default()))
    }

    fn restream(&mut self, life: &mut Life, id: u64, tenants: Vec<Tenant>) -> Step {
        let shared = life.core.shared.clone();
        let Some(Home::Segment(source)) = shared.table.get(id) else { return Ok(()) };
        let class_of = |tenant: &Tenant| StorageClass::of_encoded(&tenant.1.record.attributes);
        for (class, mut names) in compaction::together(tenants, class_of) {
            let Some(tenant) = names.pop() else { continue };
            let mut target = self.take_stream(life, class)?;
            let copied = compaction::copy(&shared, &source, &mut target, tenant);
            // Clients go on while a record is copied.
            for _ in 0..self.below(2) {
                self.objects(life)?;
            }
            match copied {
                Ok(step) => {
                    let others: Vec<_> = names.into_iter().map(|other| compaction::shared(&step, other)).collect();
                    let mut steps = std::iter::once(step).chain(others);
                    let stated = steps.try_for_each(|step| self.commit_one(life, Op::Restate(step)));
                    Self::give_stream(life, target);
                    stated?;
                }
                Err(error) => {
                    life.retired.push(target);
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    fn pack(&mut self, life: &mut Life, sources: &[u64]) -> Step {
        let shared = life.core.shared.clone();
        let made = compaction::compact(&shared, sources, &|_| ())?;
        // Clients go on while a compaction reads and writes.
        for _ in 0..self.below(3) {
            self.objects(life)?;
        }
        let ids: Vec<u64> = made.iter().map(|made| made.info.id).collect();
        if !made.is_empty() {
            self.commit_one(life, Op::Compacted(made.into_iter().map(|made| made.info).collect()))?;
        }
        for id in ids {
            if self.generator.happens(3000) {
                self.objects(life)?;
            }
            if let Some(Home::Segment(segment)) = shared.table.get(id) {
                self.relocate(life, &segment)?;
            }
        }
        shared.index.compact(Space::Dead)?;
        self.erase(life, sources)
    }

    pub fn relocate(&mut self, life: &mut Life, segment: &Segment) -> Step {
        let moves = replay::relocations(segment, &life.core.shared.index)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        for slice in moves.chunks(3) {
            self.commit_one(life, Op::Relocate(slice.to_vec()))?;
            if self.generator.happens(1000) {
                self.objects(life)?;
            }
        }
        Ok(life.core.shared.index.persist()?)
    }

    fn erase(&mut self, life: &mut Life, ids: &[u64]) -> Step {
        let shared = life.core.shared.clone();
        shared.index.persist()?;
        for id in ids {
            let Some(Home::Segment(segment)) = shared.table.get(*id) else { continue };
            self.commit_one(life, Op::Erase { id: *id })?;
            compaction::unlink(&shared, &segment.info);
        }
        Ok(shared.index.persist()?)
    }

    /// Moves what a compaction of the last life had not moved.
    fn resume(&mut self, life: &mut Life) -> Step {
        if std::mem::replace(&mut life.resumed, true) {
            return Ok(());
        }
        let shared = life.core.shared.clone();
        while let Some(CutShort { made, sources }) = compaction::cut_short(&shared) {
            made.iter().try_for_each(|segment| self.relocate(life, segment))?;
            self.erase(life, &sources)?;
        }
        Ok(())
    }
}
