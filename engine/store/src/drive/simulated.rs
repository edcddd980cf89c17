//! Drives in memory that lose what was not synced, tear sectors, fail, hang, rot and come back old.
//!
//! All drives of one run share a [`World`]: its seed decides every fault, so that a run is repeated by its seed. A file
//! has a volatile state, which reads see, and a durable one; a directory's names likewise. [`SimulatedDrive::crash`]
//! makes of both what a power cut may leave: each unsynced write is kept, dropped or torn at sectors, and changes of
//! names since the directory was last synced are lost from some point on. One thread uses a world at a time.

mod content;
mod drive;
mod executor;
mod faults;

use std::io;
use std::sync::Arc;

pub use drive::{Image, SimulatedDrive};
pub use executor::Seeded;
pub use faults::{Faults, Generator};
use parking_lot::Mutex;

/// What a drive's sector is torn at, in bytes.
const SECTOR: usize = 512;

#[derive(Debug)]
struct State {
    generator: Generator,
    /// Changes that are still carried out before the power goes; `None` for no end.
    fuse: Option<u64>,
    power: bool,
}

/// What the drives of one run share: the generator, and the power. Clones are the same world.
#[derive(Clone, Debug)]
pub struct World(Arc<Mutex<State>>);

impl World {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { generator: Generator::new(seed), fuse: None, power: true })))
    }

    /// Lets `changes` more writes, syncs and changes of names happen, and then nothing any more.
    pub fn cut_power_after(&self, changes: u64) {
        self.0.lock().fuse = Some(changes);
    }

    pub fn restore_power(&self) {
        let mut state = self.0.lock();
        state.fuse = None;
        state.power = true;
    }

    #[must_use]
    pub fn has_power(&self) -> bool {
        self.0.lock().power
    }

    /// Draws from the generator of the run.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Generator) -> T) -> T {
        draw(&mut self.0.lock().generator)
    }

    /// # Errors
    /// There is no power.
    pub fn look(&self) -> io::Result<()> {
        if self.has_power() { Ok(()) } else { Err(io::Error::other("no power")) }
    }

    /// One change to anything that lasts: burns the fuse.
    ///
    /// # Errors
    /// There is no power, from this very change on where the fuse ends here.
    pub fn change(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        match &mut state.fuse {
            Some(0) => state.power = false,
            Some(left) => *left -= 1,
            None => {}
        }
        if state.power { Ok(()) } else { Err(io::Error::other("no power")) }
    }
}
