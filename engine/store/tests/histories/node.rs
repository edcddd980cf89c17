//! A node on simulated drives: opening it, cutting its power, and harming up to m of its drives.

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packstone_store::commit::Core;
use packstone_store::compliance::{Clock, Moment};
use packstone_store::drive::simulated::{Faults, Generator, Image, Seeded, SimulatedDrive, World};
use packstone_store::drive::{Drive, Superblock};
use packstone_store::epoch::Epoch;
use packstone_store::index::memory::MemoryIndex;
use packstone_store::index::{Index, IndexBatch, IndexError, IndexResult, Snapshot, Space};
use packstone_store::pool::{DriveClass, Profile};
use packstone_store::recovery::drives::{Candidate, PoolSettings};
use packstone_store::recovery::{RecoveryError, RecoveryResult};
use packstone_store::startup;

thread_local! {
    static TIME: Cell<Moment> = const { Cell::new(START) };
}

pub const START: Moment = Moment { wall: 4_000_000_000_000_000_000, boottime: 0, boot: 1 };

/// Clocks that go the same in every run of a seed.
#[derive(Debug)]
struct Clocks;

impl Clock for Clocks {
    fn moment(&self) -> Moment {
        pass_nanos(1_000_000);
        TIME.get()
    }
}

/// What the wall clock says, in seconds.
pub fn seconds() -> i64 {
    TIME.get().wall.div_euclid(1_000_000_000)
}

fn pass_nanos(nanos: i64) {
    let Moment { wall, boottime, boot } = TIME.get();
    TIME.set(Moment { wall: wall + nanos, boottime: boottime + nanos, boot });
}

/// Time goes by: much more than all commits of a history take.
pub fn pass(seconds: i64) {
    pass_nanos(seconds * 1_000_000_000);
}

/// Somebody sets the machine's clock.
pub fn set_wall(ahead: i64) {
    let now = TIME.get();
    TIME.set(Moment { wall: now.wall + ahead * 1_000_000_000, ..now });
}

/// The machine was down for so long, in seconds, or so its clock says.
pub fn restart_machine(down: i64) {
    let now = TIME.get();
    TIME.set(Moment { wall: now.wall + down * 1_000_000_000, boottime: 0, boot: now.boot + 1 });
}

/// The index loses its power with the drives.
#[derive(Clone)]
pub struct PoweredIndex {
    pub memory: MemoryIndex,
    world: World,
    /// A state of some time ago.
    image: Arc<Mutex<IndexBatch>>,
    /// How many of 10,000 writes fail though there is power.
    pub failing: Arc<AtomicU32>,
}

impl PoweredIndex {
    fn take_image(&self) {
        let mut batch = IndexBatch::default();
        let snapshot = self.memory.snapshot();
        for space in Space::ALL {
            for pair in snapshot.prefix(space, &[]) {
                let (key, value) = pair.unwrap();
                batch.put(space, key.to_vec(), value.to_vec());
            }
        }
        *self.image.lock().unwrap() = batch;
    }

    /// Loses what was synced: what is left is of some time ago.
    fn restore(&self) {
        let image = std::mem::take(&mut *self.image.lock().unwrap());
        self.memory.clear();
        self.memory.write(image).unwrap();
        self.memory.persist().unwrap();
    }
}

impl fmt::Debug for PoweredIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoweredIndex").finish_non_exhaustive()
    }
}

impl Index for PoweredIndex {
    fn snapshot(&self) -> Box<dyn Snapshot> {
        self.memory.snapshot()
    }
    fn write(&self, batch: IndexBatch) -> IndexResult<()> {
        self.world.change().map_err(|error| IndexError(error.to_string()))?;
        let chance = self.failing.load(Ordering::Relaxed);
        if self.world.draw(|generator| generator.happens(chance)) {
            return Err(IndexError("a write failed".into()));
        }
        self.memory.write(batch)
    }
    fn fill(&self, space: Space, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> IndexResult<()> {
        self.world.change().map_err(|error| IndexError(error.to_string()))?;
        self.memory.fill(space, pairs)
    }
    fn persist(&self) -> IndexResult<()> {
        self.world.change().map_err(|error| IndexError(error.to_string()))?;
        self.memory.persist()
    }
    fn compact(&self, space: Space) -> IndexResult<()> {
        self.memory.compact(space)
    }
    fn disk_space(&self) -> u64 {
        0
    }
}

pub struct Node {
    pub world: World,
    pub drives: Vec<SimulatedDrive>,
    pub index: PoweredIndex,
    pub profile: Profile,
    /// So many drives sit together in enclosures, in turns; 0: none does.
    enclosures: usize,
    /// The pool of each drive.
    pools: Vec<u8>,
    /// Data shards of the slower pool: its profile changes between lives.
    cold_data: u8,
    /// The drives that may be harmed: never more than m.
    pub victims: Vec<usize>,
    gone: Vec<usize>,
    /// Whether an index that is lost may be made from a checkpoint.
    pub from_checkpoints: bool,
    /// The mark of the checkpoint that the last start made the index from; 0 for none.
    pub made_from: Cell<u64>,
    /// What victims held at some moment.
    images: Vec<(usize, Image)>,
}

impl Node {
    pub fn new(profile: Profile, generator: &mut Generator) -> Self {
        TIME.set(START);
        let world = World::new(generator.number());
        let drives: Vec<_> =
            (0..profile.shards()).map(|number| SimulatedDrive::new(&world, &format!("drive{number}"))).collect();
        let pools = vec![0; drives.len()];
        for (number, drive) in drives.iter().enumerate() {
            superblock(number, drives.len(), membership(0, profile, 0)).store(drive).unwrap();
        }
        let index = PoweredIndex {
            memory: MemoryIndex::default(),
            world: world.clone(),
            image: Arc::default(),
            failing: Arc::default(),
        };
        let mut node = Self {
            world,
            drives,
            index,
            profile,
            enclosures: 0,
            pools,
            cold_data: 2,
            victims: Vec::new(),
            gone: Vec::new(),
            from_checkpoints: true,
            made_from: Cell::new(0),
            images: Vec::new(),
        };
        node.pick_victims(generator);
        node
    }

    /// Puts a pool of slower drives beside the one that there is, before anything is stored.
    pub fn with_cold_pool(mut self, generator: &mut Generator) -> Self {
        let own = self.drives.len();
        let drives = own + cold(self.profile, self.cold_data).shards();
        for number in own..drives {
            self.drives.push(SimulatedDrive::new(&self.world, &format!("drive{number}")));
            self.pools.push(1);
        }
        for (number, drive) in self.drives.iter().enumerate() {
            superblock(number, drives, membership(self.pools[number], self.profile, self.cold_data))
                .store(drive)
                .unwrap();
        }
        self.pick_victims(generator);
        self
    }

    /// Puts a formatted drive beside the others, to be added.
    pub fn insert_drive(&mut self) -> SimulatedDrive {
        let number = self.drives.len();
        let drive = SimulatedDrive::new(&self.world, &format!("drive{number}"));
        superblock(number, number + 1, membership(0, self.profile, 0)).store(&drive).unwrap();
        self.drives.push(drive.clone());
        self.pools.push(0);
        drive
    }

    /// Neighbours sit together.
    fn shelf_of(&self, number: usize) -> usize {
        number / (usize::from(self.profile.parity) + 1)
    }

    /// The enclosure that a drive is in.
    pub fn enclosure_of(&self, number: usize) -> Option<Arc<str>> {
        (self.enclosures > 0).then(|| format!("shelf{}", self.shelf_of(number)).into())
    }

    /// Has drives sit in so many enclosures that none holds more of a segment than parity makes good, and each more drives than
    /// that, before anything is stored.
    pub fn with_enclosures(mut self, generator: &mut Generator) -> Self {
        let parity = usize::from(self.profile.parity);
        self.enclosures = self.profile.shards().div_ceil(parity);
        let drives = self.enclosures * (parity + 1);
        for number in self.drives.len()..drives {
            self.drives.push(SimulatedDrive::new(&self.world, &format!("drive{number}")));
            self.pools.push(0);
        }
        for (number, drive) in self.drives.iter().enumerate() {
            superblock(number, drives, membership(0, self.profile, 0)).store(drive).unwrap();
        }
        self.pick_victims(generator);
        self
    }

    /// Says which drives are harmed from here on: m at most, or those of an enclosure.
    pub fn pick_victims(&mut self, generator: &mut Generator) {
        if self.enclosures > 0 && self.has_epoch() && generator.happens(5000) {
            let shelf = generator.below(self.enclosures as u64) as usize;
            self.victims = (0..self.drives.len()).filter(|number| self.shelf_of(*number) == shelf).collect();
            return;
        }
        let mut victims: Vec<usize> = (0..self.drives.len()).collect();
        for at in 0..victims.len() {
            victims.swap(at, generator.below(self.drives.len() as u64) as usize);
        }
        victims.truncate(generator.below(u64::from(self.profile.parity) + 1) as usize);
        self.victims = victims;
    }

    fn find_and_bring_up(&self) -> RecoveryResult<Core> {
        let pool = |number: u8| {
            let (name, class, profile) = membership(number, self.profile, self.cold_data);
            let own = self.drives.iter().zip(&self.pools).filter(|(_, pool)| **pool == number);
            let drives = own.map(|(drive, _)| PathBuf::from(drive.path())).collect();
            PoolSettings::new(name, class, profile, drives)
        };
        let pools: Vec<PoolSettings> = (0..=*self.pools.iter().max().unwrap()).map(pool).collect();
        let candidates = self.drives.iter().enumerate().map(|(number, drive)| Candidate {
            path: drive.path().to_owned(),
            pool: self.pools[number],
            enclosure: self.enclosure_of(number),
            drive: if self.gone.contains(&number) {
                Err(std::io::ErrorKind::NotFound.into())
            } else {
                Ok(Arc::new(drive.clone()) as Arc<dyn Drive>)
            },
        });
        let executor = Arc::new(Seeded::new(self.world.clone()));
        let found = startup::find(&pools, candidates.collect(), executor, Duration::from_secs(1))?;
        let index = Arc::new(self.index.clone());
        let found = found.with_clock(Arc::new(Clocks));
        let found = if self.from_checkpoints { found } else { found.without_checkpoints() };
        let (core, replayed) = startup::bring_up(found, index, &(Arc::new(|_, _| true) as _))?;
        self.made_from.set(replayed.checkpoint);
        Ok(core)
    }

    /// Opens the node as `Store::open` does: an index that can't be used is made anew once.
    pub fn open(&self) -> RecoveryResult<Core> {
        match self.find_and_bring_up() {
            Err(RecoveryError::Index(_)) if self.world.has_power() => {
                self.index.memory.clear();
                self.find_and_bring_up()
            }
            other => other,
        }
    }

    /// Cuts the power of everything; what was not synced may be lost.
    pub fn crash(&mut self, generator: &mut Generator) {
        self.world.restore_power();
        self.index.failing.store(0, Ordering::Relaxed);
        for drive in &self.drives {
            drive.crash();
            drive.set_faults(Faults::default());
        }
        if generator.happens(2000) {
            self.cold_data = 3 - self.cold_data;
        }
        let unsynced = self.index.memory.unsynced() as u64;
        match generator.below(12) {
            0 | 1 => self.index.memory.clear(),
            2 => self.index.restore(),
            3..5 => self.index.memory.crash(0),
            _ => self.index.memory.crash(generator.below(unsynced + 1) as usize),
        }
    }

    /// Remembers what a victim holds, to come back with it.
    pub fn take_image(&mut self, generator: &mut Generator) {
        if generator.happens(5000) {
            self.index.take_image();
        }
        if let Some(victim) = pick(&self.victims, generator) {
            self.images.push((*victim, self.drives[*victim].image()));
        }
    }

    /// Has the next starts do without these drives alone.
    pub fn leave_out(&mut self, drives: &[usize]) {
        self.gone = drives.to_vec();
    }

    /// Harms victims while the node is down.
    pub fn harm(&mut self, generator: &mut Generator) {
        self.gone = self.ahead();
        self.gone.retain(|_| generator.happens(8000));
        if self.is_shelf_harmed() && generator.happens(5000) {
            self.gone = self.victims.clone();
            return;
        }
        for victim in self.victims.clone() {
            let drive = self.drives[victim].clone();
            let paths = drive.paths();
            match generator.below(12) {
                0 => self.gone.push(victim),
                1 => drive.restore(&Image::default()),
                2 | 3 => {
                    let held: Vec<_> = self.images.iter().filter(|(number, _)| *number == victim).collect();
                    if let Some((_, image)) = pick(&held, generator) {
                        drive.restore(image);
                    }
                }
                4 => (0..3)
                    .filter_map(|_| pick(&paths, generator).cloned())
                    .collect::<Vec<_>>()
                    .iter()
                    .for_each(|path| drive.truncate(path, generator.number())),
                5 | 6 => {
                    for path in &paths {
                        if generator.happens(4000) {
                            // Most of a file is zeros: its first blocks are what hurts.
                            let most = [u64::MAX, 3 * 4096 * 8][generator.below(2) as usize];
                            drive.flip(path, generator.below(most));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether what is harmed is an enclosure, and more drives than parity makes good.
    fn is_shelf_harmed(&self) -> bool {
        self.victims.len() > usize::from(self.profile.parity)
    }

    /// Whether a start has told the drives where they sit.
    fn has_epoch(&self) -> bool {
        self.drives
            .iter()
            .any(|drive| Superblock::load(drive).is_ok_and(|held| held.is_some_and(|held| held.enclosures != 0)))
    }

    /// Victims that know an epoch which nobody else does: where the next start does without them, it takes the same number.
    fn ahead(&self) -> Vec<usize> {
        let number =
            |drive: usize| Superblock::load(&self.drives[drive]).ok().flatten().map_or(0, |held| held.epoch.number);
        let others =
            (0..self.drives.len()).filter(|drive| !self.victims.contains(drive)).map(number).max().unwrap_or(0);
        self.victims.iter().copied().filter(|victim| number(*victim) > others).collect()
    }

    /// Lets victims fail while the node is up.
    pub fn set_faults(&self, generator: &mut Generator) {
        let all = self.is_shelf_harmed() && generator.happens(3000);
        for victim in &self.victims {
            let one_of = |generator: &mut Generator| [0, 0, 0, 5, 30, 300][generator.below(6) as usize];
            let faults = match generator.below(3) {
                0 => Faults {
                    read: one_of(generator),
                    write: one_of(generator),
                    sync: one_of(generator),
                    hang: one_of(generator) / 5,
                    full: generator.happens(700),
                    gone: false,
                },
                _ => Faults::default(),
            };
            let broken = Faults { read: 10_000, write: 10_000, sync: 10_000, ..Faults::default() };
            self.drives[*victim].set_faults(if all { broken } else { faults });
        }
    }

    /// Lets victims hang from some call on, while the node is opened.
    pub fn hang(&self, generator: &mut Generator) {
        for victim in &self.victims {
            let hang = [0, 30, 300, 3000, 10_000][generator.below(5) as usize];
            self.drives[*victim].set_faults(Faults { hang, ..Faults::default() });
        }
    }

    pub fn heal_faults(&self) {
        self.drives.iter().for_each(|drive| drive.set_faults(Faults::default()));
    }
}

/// Name, class and profile of a pool.
fn membership(pool: u8, profile: Profile, cold_data: u8) -> (&'static str, DriveClass, Profile) {
    match pool {
        0 => ("main", DriveClass::Ssd, profile),
        _ => ("cold", DriveClass::Hdd, cold(profile, cold_data)),
    }
}

fn cold(profile: Profile, data: u8) -> Profile {
    Profile { data, ..profile }
}

fn superblock(number: usize, drives: usize, (name, class, profile): (&str, DriveClass, Profile)) -> Superblock {
    Superblock {
        appliance: 7,
        drive: 100 + number as u128,
        number: number as u16,
        drives: drives as u16,
        pool: u8::from(name == "cold"),
        pool_name: name.into(),
        class,
        profile,
        epoch: Epoch::default(),
        fences: Vec::new(),
        removed: Vec::new(),
        enclosures: 0,
        retain_until: 0,
        formatted: 1,
        clock: None,
        change: 0,
    }
}

pub fn pick<'a, T>(from: &'a [T], generator: &mut Generator) -> Option<&'a T> {
    from.get(generator.below(from.len() as u64) as usize)
}
