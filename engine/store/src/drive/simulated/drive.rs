//! A simulated drive: names, files, and what goes wrong with them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::content::{Content, Pages};
use super::{Faults, World};
use crate::drive::{Drive, DriveFile, Space};

type File = Arc<Mutex<Content>>;
type Names = BTreeMap<String, File>;

/// A change of names that the directory was not synced since.
#[derive(Debug)]
enum Change {
    Made(String, File),
    Renamed(String, String),
    Removed(String),
}

fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

impl Change {
    fn directory(&self) -> &str {
        match self {
            Self::Made(path, _) | Self::Renamed(path, _) | Self::Removed(path) => directory_of(path),
        }
    }

    fn apply(self, names: &mut Names) {
        match self {
            Self::Made(path, file) => {
                names.insert(path, file);
            }
            Self::Renamed(from, to) => {
                if let Some(file) = names.remove(&from) {
                    names.insert(to, file);
                }
            }
            Self::Removed(path) => {
                names.remove(&path);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    now: Names,
    durable: Names,
    changes: Vec<Change>,
    faults: Faults,
    /// Faults to come, after so many changes.
    later: Option<(u64, Faults)>,
    hung: bool,
    /// Counts crashes: what was opened before one is of no use after it.
    run: u64,
}

/// What a drive durably held at some moment.
#[derive(Clone, Debug, Default)]
pub struct Image(BTreeMap<String, Pages>);

/// Clones are the same drive.
#[derive(Clone, Debug)]
pub struct SimulatedDrive {
    world: World,
    name: String,
    state: Arc<Mutex<State>>,
}

impl SimulatedDrive {
    #[must_use]
    pub fn new(world: &World, name: &str) -> Self {
        Self { world: world.clone(), name: name.to_owned(), state: Arc::default() }
    }

    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state.lock();
        state.faults = faults;
        state.later = None;
        state.hung = false;
    }

    /// Fails so from its nth next change on.
    pub fn fail_after(&self, changes: u64, faults: Faults) {
        self.state.lock().later = Some((changes, faults));
    }

    /// Leaves what a power cut may leave. Files that were open are of no use any more.
    pub fn crash(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.run += 1;
        let mut directories: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        for change in state.changes.drain(..) {
            directories.entry(change.directory().to_owned()).or_default().push(change);
        }
        for changes in directories.into_values() {
            let kept = self.world.draw(|generator| generator.below(changes.len() as u64 + 1));
            let kept = usize::try_from(kept).unwrap_or(0);
            changes.into_iter().take(kept).for_each(|change| change.apply(&mut state.durable));
        }
        state.now = state.durable.clone();
        for file in state.now.values() {
            self.world.draw(|generator| file.lock().crash(generator));
        }
    }

    /// What is durable now.
    #[must_use]
    pub fn image(&self) -> Image {
        let state = self.state.lock();
        Image(state.durable.iter().map(|(path, file)| (path.clone(), file.lock().durable.clone())).collect())
    }

    /// Comes back as it was; nothing may be open.
    pub fn restore(&self, image: &Image) {
        let mut state = self.state.lock();
        let files =
            image.0.iter().map(|(path, pages)| (path.clone(), Arc::new(Mutex::new(Content::of(pages.clone())))));
        state.durable = files.collect();
        state.now = state.durable.clone();
        state.changes.clear();
        state.run += 1;
    }

    /// Paths of all files.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.state.lock().now.keys().cloned().collect()
    }

    /// Flips one bit of a file, durably; `at` counts bits, modulo its length.
    pub fn flip(&self, path: &str, at: u64) {
        self.damage(path, |pages| {
            let Some(byte) = (at / 8).checked_rem(pages.length) else { return };
            let mut held = [0];
            if pages.read(byte, &mut held).is_ok() {
                pages.write(byte, &[held[0] ^ (1 << (at % 8))]);
            }
        });
    }

    /// Cuts a file off, durably; `length` is modulo its own.
    pub fn truncate(&self, path: &str, length: u64) {
        self.damage(path, |pages| pages.truncate(length.checked_rem(pages.length).unwrap_or(0)));
    }

    fn damage(&self, path: &str, how: impl Fn(&mut Pages)) {
        if let Some(file) = self.state.lock().now.get(path) {
            let mut content = file.lock();
            how(&mut content.now);
            how(&mut content.durable);
        }
    }

    fn fault(&self, run: Option<u64>, chance: impl FnOnce(&Faults) -> u32) -> io::Result<()> {
        let mut state = self.state.lock();
        if run.is_some_and(|run| run != state.run) || state.faults.gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.world.draw(|generator| generator.happens(state.faults.hang)) {
            state.hung = true;
        }
        if state.hung {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let chance = chance(&state.faults);
        if self.world.draw(|generator| generator.happens(chance)) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        Ok(())
    }

    /// Counts one change, here and in the world.
    fn change(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.later.take() {
            Some((0, faults)) => state.faults = faults,
            other => state.later = other.map(|(left, faults)| (left - 1, faults)),
        }
        self.world.change()
    }

    fn change_names(&self) -> io::Result<()> {
        self.change()?;
        self.fault(None, |faults| faults.write)
    }

    fn opened(&self, state: &State, content: &File) -> Arc<dyn DriveFile> {
        Arc::new(Opened { drive: self.clone(), run: state.run, content: content.clone() })
    }
}

impl Drive for SimulatedDrive {
    fn path(&self) -> &str {
        &self.name
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        self.change_names()?;
        let mut state = self.state.lock();
        if state.faults.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(held) = state.now.get(path) {
            held.lock().empty();
            return Ok(self.opened(&state, held));
        }
        let file = File::default();
        state.now.insert(path.to_owned(), file.clone());
        state.changes.push(Change::Made(path.to_owned(), file.clone()));
        Ok(self.opened(&state, &file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        self.world.look()?;
        self.fault(None, |faults| faults.read)?;
        let state = self.state.lock();
        let file = state.now.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.opened(&state, file))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.world.look()?;
        self.fault(None, |faults| faults.read)?;
        let state = self.state.lock();
        let own = state.now.keys().filter(|path| directory_of(path) == directory);
        Ok(own.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect())
    }

    fn create_directory(&self, _path: &str) -> io::Result<()> {
        self.change_names()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change_names()?;
        let mut state = self.state.lock();
        let file = state.now.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.now.insert(to.to_owned(), file);
        state.changes.push(Change::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.change_names()?;
        let mut state = self.state.lock();
        if state.now.remove(path).is_some() {
            state.changes.push(Change::Removed(path.to_owned()));
        }
        Ok(())
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        self.change()?;
        self.fault(None, |faults| faults.sync)?;
        let mut state = self.state.lock();
        let state = &mut *state;
        let (own, others): (Vec<_>, Vec<_>) = state.changes.drain(..).partition(|change| change.directory() == path);
        state.changes = others;
        own.into_iter().for_each(|change| change.apply(&mut state.durable));
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        self.world.look()?;
        let full = self.state.lock().faults.full;
        Ok(Space { total: 1 << 40, free: if full { 0 } else { 1 << 39 }, device: 0 })
    }
}

#[derive(Debug)]
struct Opened {
    drive: SimulatedDrive,
    run: u64,
    content: File,
}

impl DriveFile for Opened {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.drive.world.look()?;
        self.drive.fault(Some(self.run), |faults| faults.read)?;
        self.content.lock().now.read(offset, buffer)
    }

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.read_at(offset, buffer).map(|()| true)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.drive.change()?;
        self.drive.fault(Some(self.run), |faults| faults.write)?;
        let grows = offset + data.len() as u64 > self.content.lock().now.length;
        if grows && self.drive.state.lock().faults.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.content.lock().write(offset, data);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.drive.change()?;
        let result = self.drive.fault(Some(self.run), |faults| faults.sync);
        let mut content = self.content.lock();
        match &result {
            Ok(()) => content.sync(),
            Err(_) => self.drive.world.draw(|generator| content.fail_sync(generator)),
        }
        result
    }

    fn start_writeback(&self, _offset: u64, _length: u64) {}

    fn length(&self) -> io::Result<u64> {
        self.drive.world.look()?;
        self.drive.fault(Some(self.run), |faults| faults.read)?;
        Ok(self.content.lock().now.length)
    }
}
