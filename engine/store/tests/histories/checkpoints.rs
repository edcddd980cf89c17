//! Checkpoints of the index, taken while clients go on: an index that is made from one is the same, row by row, as one that
//! is made from all tables of contents and journals.

use std::collections::{BTreeMap, BTreeSet};

use packstone_store::Error;
use packstone_store::checkpoint::{self, Taking};
use packstone_store::commit::{Core, Op};
use packstone_store::compaction;
use packstone_store::index::names::Names;
use packstone_store::index::row::{BucketTally, FileTally};
use packstone_store::index::{Space, keys};
use packstone_store::pool::Profile;
use packstone_store::segment::{Home, SegmentKind, shard};

use crate::run::{Life, Run, Step};

impl Run {
    /// Takes a checkpoint as the store's worker does, with others at work between its steps.
    pub fn checkpoint(&mut self, life: &mut Life) -> Step {
        let shared = life.core.shared.clone();
        let newest = checkpoint::standing(&shared).into_iter().next();
        let base = newest.map(|newest| newest.base.clone().map_or(newest, |base| *base));
        let base = base.filter(|_| self.generator.happens(7500));
        let taking = Taking::begin(&shared)?;
        self.go_on(life)?;
        let info = taking.write(&shared, base.as_ref(), &|_| true)?;
        self.say(|| format!("checkpoint {:x} on {:x?}", info.id, base.map(|base| base.segment.info.id)));
        self.go_on(life)?;
        self.commit_one(life, Op::Sealed(info))?;
        self.erase_checkpoints(life)
    }

    fn go_on(&mut self, life: &mut Life) -> Step {
        for _ in 0..self.below(3) {
            self.objects(life)?;
        }
        match self.below(8) {
            0 => self.compact(life),
            1 => self.commit_one(life, Op::CloseJournal),
            2 => self.seal_journal(life),
            3 => self.amendments(life),
            _ => Ok(()),
        }
    }

    fn erase_checkpoints(&mut self, life: &mut Life) -> Step {
        let shared = life.core.shared.clone();
        let standing = checkpoint::standing(&shared);
        for id in checkpoint::surplus(&shared, &standing) {
            let Some(Home::Segment(segment)) = shared.table.get(id) else { continue };
            shared.index.persist()?;
            self.commit_one(life, Op::Erase { id })?;
            compaction::unlink(&shared, &segment.info);
        }
        Ok(())
    }

    /// Loses the index twice, and has it made anew both ways. What drives hold is not changed by that but for a new epoch.
    pub fn compare_rebuilds(&mut self) {
        let mut shapes = Vec::new();
        for from_checkpoints in [true, false] {
            self.node.crash(&mut self.generator);
            self.node.index.memory.clear();
            self.node.from_checkpoints = from_checkpoints;
            let life = self.recover(false);
            self.settle(&life);
            shapes.push(exact(&life.core));
        }
        self.node.from_checkpoints = true;
        let all = shapes.pop().unwrap();
        let short = shapes.pop().unwrap();
        for place in all.keys().chain(short.keys()) {
            let (all, short) = (all.get(place), short.get(place));
            assert_eq!(short, all, "seed {}: {place:?} made from a checkpoint, and from everything", self.seed);
        }
    }
}

/// The index as it is, without what depends on the order in which entries were applied: which of two entries that name the
/// same is noted as the one that ended it, how often it was counted, and which of a file's names came first.
fn exact(core: &Core) -> BTreeMap<(Space, Vec<u8>), Vec<u8>> {
    let snapshot = core.shared.index.snapshot();
    let mut exact = BTreeMap::new();
    for space in Space::ALL {
        for pair in snapshot.prefix(space, &[]) {
            let (key, value) = pair.unwrap();
            if *key == *keys::MARK {
                continue;
            }
            let value = match (space, key.first()) {
                (Space::Dead, _) => Vec::new(),
                (Space::Inodes, _) => sorted(&value),
                (Space::Tallies, Some(b'f')) => match FileTally::decode(&value).unwrap().live {
                    0 => continue,
                    live => live.to_le_bytes().to_vec(),
                },
                (Space::Tallies, _) if BucketTally::decode(&value).unwrap() == BucketTally::default() => continue,
                _ => value.to_vec(),
            };
            exact.insert((space, key.to_vec()), value);
        }
    }
    exact
}

/// The names of a file in another order.
fn sorted(names: &[u8]) -> Vec<u8> {
    let held = Names::decode(names).unwrap();
    let places: BTreeSet<Vec<u8>> = held.iter().map(|(bucket, key)| keys::current(bucket, key)).collect();
    let mut names = Names::default();
    for place in &places {
        names.insert(place);
    }
    names.encode().unwrap()
}

const PROFILE: Profile = Profile { data: 3, parity: 1 };

/// A history that has a checkpoint, and went on.
fn grown(seed: u64) -> (Run, Life) {
    let mut run = Run::new(seed, PROFILE, false);
    let mut life = run.recover(false);
    run.settle(&life);
    for step in 0..50 {
        assert!(run.step(&mut life), "seed {seed}");
        if step % 20 == 15 {
            run.checkpoint(&mut life).unwrap();
        }
    }
    (run, life)
}

fn is_checkpoint(core: &Core) -> usize {
    let kinds = core.living.segments.values().filter(|info| info.kind == SegmentKind::Checkpoint);
    kinds.count()
}

/// Power goes at each step of taking a checkpoint, and the index with it.
#[test]
fn every_step_of_a_checkpoint_may_be_the_last() {
    let (mut cut, mut sealed) = (0, 0);
    for changes in 0..60 {
        let (mut run, mut life) = grown(changes % 7);
        let before = is_checkpoint(&life.core);
        run.node.world.cut_power_after(changes);
        let ended = run.checkpoint(&mut life);
        cut += usize::from(ended.is_err());
        drop(life);
        run.node.crash(&mut run.generator);
        run.node.index.memory.clear();
        let life = run.recover(false);
        assert!(run.node.made_from.get() > 0, "no checkpoint was used");
        sealed += usize::from(is_checkpoint(&life.core) > before);
        run.settle(&life);
        drop(life);
        run.compare_rebuilds();
    }
    assert!(cut > 30 && sealed > 0, "{cut} were cut short, {sealed} of these behind their seal");
}

/// A compaction after the checkpoint has moved the rows and not erased its sources: what ends then is named where it was moved
/// to, and stands in the sources as well.
#[test]
fn a_compaction_may_be_cut_short_behind_a_checkpoint() {
    for seed in 0..40 {
        let (mut run, mut life) = grown(seed);
        run.commit_one(&mut life, Op::CloseJournal).unwrap();
        let shared = life.core.shared.clone();
        while !shared.closed.lock().is_empty() {
            run.seal_journal(&mut life).unwrap();
        }
        let packed = life.core.living.segments.values().filter(|info| info.kind == SegmentKind::Packed);
        let sources: Vec<u64> = packed.map(|info| info.id).collect();
        let whole = Taking::begin(&shared).unwrap().write(&shared, None, &|_| true).unwrap();
        run.commit_one(&mut life, Op::Sealed(whole)).unwrap();
        let made = compaction::compact(&shared, &sources, &|_| ()).unwrap();
        let made: Vec<_> = made.into_iter().map(|made| made.info).collect();
        if made.is_empty() {
            continue;
        }
        run.commit_one(&mut life, Op::Compacted(made.clone())).unwrap();
        for info in made {
            let Some(Home::Segment(segment)) = shared.table.get(info.id) else { panic!("no segment") };
            run.relocate(&mut life, &segment).unwrap();
        }
        for _ in 0..10 {
            run.objects(&mut life).unwrap();
            run.amendments(&mut life).unwrap();
        }
        drop((life, shared));
        run.compare_rebuilds();
    }
}

/// A checkpoint that can't be read is passed over for the one before, and that for everything there is.
#[test]
fn what_can_not_be_opened_is_passed_over() {
    let mut run = Run::new(3, PROFILE, false);
    let mut life = run.recover(false);
    run.settle(&life);
    for _ in 0..2 {
        assert!((0..20).all(|_| run.step(&mut life)));
        let whole = Taking::begin(&life.core.shared).unwrap().write(&life.core.shared, None, &|_| true).unwrap();
        run.commit_one(&mut life, Op::Sealed(whole)).unwrap();
    }
    let standing = checkpoint::standing(&life.core.shared);
    let marks: Vec<u64> = standing.iter().map(|held| held.manifest.mark).collect();
    for (held, next) in standing.iter().zip([&marks[1..], &[0]].concat()) {
        let info = &held.segment.info;
        for (drive, shard) in info.drives.iter().zip(0..).take(2) {
            // A bit of every block of the body; its table of contents stands behind that.
            let blocks = 1..1 + info.toc.offset / 4096;
            let path = shard::path_of(info.id, shard);
            blocks.for_each(|block| run.node.drives[usize::from(*drive)].flip(&path, block * 4096 * 8 + 77));
        }
        run.node.crash(&mut run.generator);
        run.node.index.memory.clear();
        let life = run.recover(false);
        run.settle(&life);
        assert_eq!(run.node.made_from.get(), next, "of {marks:?}");
    }
}

/// What is written is compared with the index: one that can't be read becomes no checkpoint.
#[test]
fn a_rotten_index_becomes_no_checkpoint() {
    let (_, life) = grown(1);
    let shared = life.core.shared.clone();
    let mut batch = packstone_store::index::IndexBatch::default();
    batch.put(Space::Current, keys::current(1, "rotten"), vec![1, 2, 3]);
    shared.index.write(batch).unwrap();
    let refused = Taking::begin(&shared).unwrap().write(&shared, None, &|_| true);
    assert!(refused.is_err());
    let shards = shared.hardware.online().iter().flat_map(|member| member.drive.list("segments").unwrap()).count();
    let named: usize = life.core.living.segments.values().map(|info| info.drives.len()).sum();
    assert!(shards <= named, "{shards} shards, {named} of them named");
    let stopped = Taking::begin(&shared).unwrap().write(&shared, None, &|_| false);
    assert!(matches!(stopped.map_err(Error::from), Err(Error::Io(_)) | Ok(_)));
}
