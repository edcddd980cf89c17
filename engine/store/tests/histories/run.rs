//! One history: lives of a node, each ended by a crash, against the model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use packstone_store::Error;
use packstone_store::commit::{Core, Op, Outcome, is_open_stream};
use packstone_store::drive::simulated::{Faults, Generator};
use packstone_store::journal::Journal;
use packstone_store::pool::Profile;
use packstone_store::segment::SegmentInfo;
use packstone_store::segment::stream::OpenStream;

use crate::check;
use crate::model::{Effect, Model};
use crate::node::{Node, pass, pick, seconds};

/// What a store keeps while it is up.
pub struct Life {
    pub core: Core,
    pub idle: Vec<OpenStream>,
    pub retired: Vec<OpenStream>,
    pub left_open: Vec<SegmentInfo>,
    pub retiring: Vec<Arc<Journal>>,
    /// Whether compactions of the last life were resumed.
    pub resumed: bool,
}

impl Life {
    fn new(core: Core) -> Self {
        let left_open = core.living.segments.values().filter(|info| is_open_stream(info)).cloned().collect();
        let (idle, retired, retiring) = (Vec::new(), Vec::new(), Vec::new());
        Self { core, idle, retired, left_open, retiring, resumed: false }
    }
}

pub struct Run {
    pub seed: u64,
    pub node: Node,
    pub generator: Generator,
    pub model: Model,
    /// What the model is if the batch that nobody was told of was committed.
    pub doubt: Option<Model>,
    /// Ids of buckets as the engine gave them.
    pub ids: BTreeMap<String, u32>,
    pub next_body: u64,
    pub loud: bool,
}

/// How a step ended.
pub type Step = Result<(), Error>;

impl Run {
    pub fn new(seed: u64, profile: Profile, loud: bool) -> Self {
        let mut generator = Generator::new(seed);
        let mut node = Node::new(profile, &mut generator);
        match generator.below(4) {
            0 | 1 => node = node.with_cold_pool(&mut generator),
            2 => node = node.with_enclosures(&mut generator),
            _ => {}
        }
        Self { seed, node, generator, model: Model::default(), doubt: None, ids: BTreeMap::new(), next_body: 1, loud }
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.loud {
            println!("seed {}: {}", self.seed, what());
        }
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.generator.below(end)
    }

    /// Lives a whole history; panics where the store breaks a promise.
    pub fn live(mut self) {
        for number in 0..self.generator.below(5) + 2 {
            let mut life = self.recover(true);
            self.settle(&life);
            if self.generator.happens(2500) {
                drop(life);
                self.compare_rebuilds();
                life = self.recover(false);
            }
            if self.generator.happens(5000) {
                self.make_whole(&mut life);
            }
            self.node.set_faults(&mut self.generator);
            if self.generator.happens(1000) {
                self.node.index.failing.store(200, Ordering::Relaxed);
            }
            let heals_late = self.generator.happens(2000);
            if self.generator.happens(7500) {
                let changes = self.generator.below(400);
                self.node.world.cut_power_after(changes);
                self.say(|| format!("life {number}: power goes after {changes} changes"));
            }
            let steps = self.generator.below(60) + 1;
            let went_on = (0..steps).all(|_| self.step(&mut life));
            self.check_bystanders(&life.core);
            if went_on && heals_late && self.doubt.is_none() {
                self.node.index.failing.store(0, Ordering::Relaxed);
                self.node.world.restore_power();
                self.make_whole(&mut life);
            }
            if went_on && self.generator.happens(3000) {
                self.cut_off_fence(&mut life);
            }
            drop(life);
            self.crash();
        }
        let life = self.recover(false);
        self.settle(&life);
        let grown = check::shape(&life.core.shared);
        drop(life);
        self.node.crash(&mut self.generator);
        self.node.index.memory.clear();
        self.say(|| "made anew".into());
        let life = self.recover(false);
        self.settle(&life);
        let made = check::shape(&life.core.shared);
        for place in grown.keys().chain(made.keys()) {
            assert_eq!(grown.get(place), made.get(place), "seed {}: {place:?} grown, and made anew", self.seed);
        }
        drop(life);
        self.compare_rebuilds();
    }

    /// One step; `false` when the power is gone.
    pub fn step(&mut self, life: &mut Life) -> bool {
        let result = match self.below(104) {
            0..26 => self.objects(life),
            26..35 => self.moves(life),
            35..42 => self.versions(life),
            42..46 => self.amendments(life),
            46..49 => self.documents(life),
            49 => {
                pass(1000);
                Ok(())
            }
            50..58 => self.streamed(life),
            58..65 => self.uploads(life),
            65 => self.buckets(life),
            66 => self.bring_back(life),
            67 => self.heal(life),
            68..75 => self.commit_one(life, Op::CloseJournal),
            75..83 => self.seal_journal(life),
            83..86 => self.seal_streams(life),
            86..94 => self.compact(life),
            100..104 => self.checkpoint(life),
            94..96 => self.prepare_spare(life),
            96..98 => {
                self.node.take_image(&mut self.generator);
                Ok(())
            }
            _ => self.read_one(life),
        };
        let power = self.node.world.has_power();
        match result {
            Ok(()) | Err(Error::OutOfSpace) => power,
            Err(Error::Index(_)) => {
                self.hold_back(life);
                false
            }
            Err(error) if power => panic!("seed {}: a step failed: {error}", self.seed),
            Err(_) => false,
        }
    }

    /// After a fault of the index nothing is decided on top of the batch that it may lack.
    fn hold_back(&mut self, life: &mut Life) {
        if self.doubt.is_some() && self.node.world.has_power() {
            let answer = life.core.commit(&[Op::CreateBucket { name: "never".into(), documents: Vec::new() }]).pop();
            assert!(matches!(answer, Some(Err(_))), "seed {}: committed on an index that lags", self.seed);
        }
    }

    /// A copy of the journal fails, and power goes while the other drives are told of it: some know an epoch then that
    /// never takes effect.
    fn cut_off_fence(&mut self, life: &mut Life) {
        let roster = life.core.shared.hardware.roster();
        let members = &roster.members;
        let copies =
            life.core.log.journal.copies.iter().map(|copy| usize::from(copy.member.number)).collect::<Vec<_>>();
        if !members.values().all(|member| member.online()) {
            return;
        }
        let told = members.len() as u64 - 1;
        if let Some(failing) = pick(&copies, &mut self.generator) {
            self.node.heal_faults();
            self.node.drives[*failing].set_faults(Faults { write: 10_000, ..Faults::default() });
            // A drive is told by three changes; the first batch of the epoch would make the failing one stale.
            self.node.world.cut_power_after(self.generator.below(told * 3));
            let _ = self.objects(life);
            self.node.world.cut_power_after(0);
        }
    }

    fn crash(&mut self) {
        self.node.crash(&mut self.generator);
        self.node.harm(&mut self.generator);
        if self.loud {
            let index =
                packstone_store::index::apply::Marks::read(&*packstone_store::index::Index::snapshot(&self.node.index));
            self.say(|| format!("crash; index at {:?}", index.map(|marks| marks.lowest)));
        }
    }

    /// Opens the node, with crashes in between.
    pub fn recover(&mut self, interrupted: bool) -> Life {
        for _ in 0..3 {
            if interrupted && self.generator.happens(4000) {
                let most = [8, 30, 100][self.generator.below(3) as usize];
                let changes = self.generator.below(most);
                self.node.world.cut_power_after(changes);
            }
            if interrupted && self.generator.happens(3000) {
                self.node.hang(&mut self.generator);
            }
            let opened = self.node.open();
            let power = self.node.world.has_power();
            match opened {
                Ok(core) if power => {
                    self.node.world.restore_power();
                    self.say(|| format!("open at LSN {}", core.log.next_lsn));
                    self.check_bystanders(&core);
                    return Life::new(core);
                }
                Err(error) if power => panic!("seed {}: recovery failed: {error}", self.seed),
                _ => {
                    self.say(|| "crash in recovery".into());
                    self.crash();
                }
            }
        }
        self.node.heal_faults();
        match self.node.open() {
            Ok(core) => {
                let segments = core.living.segments.values();
                let left_open = segments.filter(|info| is_open_stream(info)).cloned().collect();
                Life { core, idle: Vec::new(), retired: Vec::new(), left_open, retiring: Vec::new(), resumed: false }
            }
            Err(error) => panic!("seed {}: recovery failed: {error}", self.seed),
        }
    }

    /// Drives that nobody harmed are in use.
    fn check_bystanders(&self, core: &Core) {
        for (number, member) in &core.shared.hardware.roster().members {
            if !self.node.victims.contains(&usize::from(*number)) && self.node.world.has_power() {
                assert!(
                    member.online(),
                    "seed {}: drive {number} was taken out of use: {}",
                    self.seed,
                    member.reason()
                );
            }
        }
    }

    /// Compares the store with the model, and resolves what was in doubt by what is seen.
    pub fn settle(&mut self, life: &Life) {
        let seen = check::observe(&life.core.shared);
        if let Some(doubt) = self.doubt.take().filter(|doubt| seen == *doubt) {
            self.model = doubt;
        }
        let differences = self.model.differences(&seen);
        assert!(differences.is_empty(), "seed {}: promised, and seen:\n{}", self.seed, differences.join("\n"));
        let buckets = life.core.shared.buckets.load();
        self.ids = buckets.iter().map(|bucket| (bucket.name.to_string(), bucket.id)).collect();
    }

    /// Commits one batch and holds each answer against the model.
    pub fn commit(&mut self, life: &mut Life, batch: Vec<(Op, Effect)>) -> Step {
        if batch.len() > 1 && !life.core.shared.buckets.load().redirects().is_empty() {
            // What must be moved first is told of one at a time.
            return batch.into_iter().try_for_each(|one| self.commit(life, vec![one]));
        }
        let mut after = self.model.clone();
        let expected: Vec<bool> = batch.iter().map(|(_, effect)| after.apply(effect, seconds())).collect();
        let ops: Vec<Op> = batch.iter().map(|(op, _)| op.clone()).collect();
        let answers = match &*ops {
            [op] => vec![self.commit_settled(life, op)],
            ops => life.core.commit(ops),
        };
        if answers.iter().any(|answer| matches!(answer, Err(Error::OutOfSpace))) {
            return Err(Error::OutOfSpace);
        }
        let lags = answers.iter().any(|answer| matches!(answer, Err(Error::Index(_))));
        if lags || !self.node.world.has_power() {
            let told = answers.iter().zip(&expected).all(|(answer, expected)| *expected && answer.is_ok());
            if told {
                self.model = after;
            } else {
                self.doubt = Some(after);
            }
            let error = if lags { Error::Index("lags".into()) } else { Error::Unavailable("no power".into()) };
            return Err(error);
        }
        for ((answer, expected), (_, effect)) in answers.iter().zip(&expected).zip(&batch) {
            let seed = self.seed;
            assert_eq!(answer.is_ok(), *expected, "seed {seed}: {effect:?} was answered {answer:?}");
            if let (Ok(Outcome::Bucket(bucket)), Effect::CreateBucket { .. }) = (answer, effect) {
                self.ids.insert(bucket.name.to_string(), bucket.id);
            }
        }
        self.model = after;
        Ok(())
    }

    /// Commits what changes nothing that a client sees.
    pub fn commit_one(&mut self, life: &mut Life, op: Op) -> Step {
        self.commit_for(life, op).map(drop)
    }

    pub fn commit_for(&mut self, life: &mut Life, op: Op) -> Result<Outcome, Error> {
        let answer = life.core.commit(&[op]).pop();
        answer.unwrap_or_else(|| Err(Error::Unavailable("no answer".into())))
    }

    fn read_one(&mut self, life: &Life) -> Step {
        let all: Vec<(String, String)> = self
            .model
            .buckets
            .iter()
            .flat_map(|(bucket, held)| held.objects().map(move |(key, _)| (bucket.clone(), key.clone())))
            .collect();
        if let Some((bucket, key)) = pick(&all, &mut self.generator) {
            let seen = check::get(&life.core.shared, bucket, key);
            let expected = self.model.buckets[bucket].current(key);
            assert!(seen.as_ref() == expected, "seed {}: {bucket}/{key} reads otherwise", self.seed);
        }
        Ok(())
    }
}
