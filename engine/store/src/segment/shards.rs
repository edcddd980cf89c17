//! The shard files of a segment that is read: opened on first use, and asked one by one.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::SegmentInfo;
use super::shard::{self, Origin, ReadAt};
use super::wounds::{Wound, Wounds};
use crate::checksum::BLOCK;
use crate::drive::{DriveFile, DriveState, Job, Member, Patience};
use crate::node::Hardware;

/// So long after a file could not be opened it is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// Where a job leaves what it read.
type Slot = Arc<Mutex<Option<Vec<u8>>>>;

#[derive(Debug)]
struct Handle {
    member: Option<Arc<Member>>,
    /// Opened on first use.
    file: OnceLock<Arc<dyn DriveFile>>,
    refused: Mutex<Option<Refusal>>,
}

/// Why a shard's file could not be opened.
#[derive(Debug)]
enum Refusal {
    /// It is not the shard it should be.
    ForGood,
    /// It wasn't to be had then. A drive that is away for a moment has all that it had when it comes back, if nothing was
    /// written meanwhile that it missed: then it went out of use.
    At(Instant),
}

impl Refusal {
    fn of(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { Self::ForGood } else { Self::At(Instant::now()) }
    }

    fn holds(&self) -> bool {
        match self {
            Self::ForGood => true,
            Self::At(at) => at.elapsed() < AGAIN,
        }
    }
}

#[derive(Debug)]
pub struct Shards {
    origin: Origin,
    handles: Vec<Handle>,
    wounds: Arc<Wounds>,
}

impl Shards {
    #[must_use]
    pub fn new(info: &SegmentInfo, hardware: &Hardware) -> Self {
        let roster = hardware.roster();
        let handle = |number| Handle {
            member: roster.members.get(number).cloned(),
            file: OnceLock::new(),
            refused: Mutex::default(),
        };
        Self {
            origin: Origin::of(hardware.appliance, info),
            handles: info.drives.iter().map(handle).collect(),
            wounds: hardware.wounds.clone(),
        }
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.handles.len()
    }

    /// The drive that a shard should stand on.
    #[must_use]
    pub fn member(&self, shard: usize) -> Option<&Arc<Member>> {
        self.handles.get(shard)?.member.as_ref()
    }

    /// Whether some drive in use is passed over by prompt reads.
    #[must_use]
    pub fn any_hesitates(&self) -> bool {
        self.handles.iter().filter_map(|handle| handle.member.as_ref()).any(|held| held.hesitates() && held.online())
    }

    /// Notes what a read met, unless that is known: shards that are not there were noted when they were to be opened,
    /// and a drive that is slow has no fault, or is out of use with a reason.
    pub fn note_fault(&self, shard: usize, error: &io::Error) {
        use io::ErrorKind::{NotConnected, NotFound, TimedOut, WouldBlock};
        if !matches!(error.kind(), NotConnected | NotFound | TimedOut | WouldBlock) {
            if let Some(handle) = self.handles.get(shard) {
                // That it has come back says nothing for it any more.
                *handle.refused.lock() = None;
            }
            self.note(shard, error);
        }
    }

    fn note(&self, shard: usize, error: &io::Error) {
        if let Some(member) = self.member(shard) {
            if member.online() {
                self.wounds.add(Wound { segment: self.origin.segment, shard });
            }
            member.note_fault(format!("{}: {error}", shard::path_of(self.origin.segment, shard)));
        }
    }

    fn in_use(&self, shard: usize) -> Option<(&Handle, &Arc<Member>)> {
        let handle = self.handles.get(shard)?;
        let member = handle.member.as_ref().filter(|member| member.online())?;
        Some((handle, member))
    }

    /// Reads from the page cache; `None` where a drive would have to be asked.
    pub fn read_cached<T>(
        &self,
        shard: usize,
        read: impl FnOnce(&mut ReadAt<'_>) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let (handle, _) = self.in_use(shard)?;
        let file = handle.file.get()?;
        let cached = read(&mut |offset, buffer| match file.read_cached_at(offset, buffer) {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        });
        match cached {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            other => Some(other),
        }
    }

    /// Reads from a shard: from the page cache, or its drive.
    ///
    /// # Errors
    /// What `read` says, or the drive's; [`io::ErrorKind::NotFound`] where the shard is not there or its drive not in
    /// use, [`io::ErrorKind::WouldBlock`] where the drive hesitates and `patience` is for none of that.
    pub fn read<T: Send + 'static>(
        self: &Arc<Self>,
        shard: usize,
        patience: Patience,
        read: impl Fn(&mut ReadAt<'_>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if let Some(cached) = self.read_cached(shard, &read) {
            return cached;
        }
        let (_, member) = self.in_use(shard).ok_or(io::ErrorKind::NotFound)?;
        let own = self.clone();
        member.read(patience, move || {
            let file = own.open(shard)?;
            read(&mut |offset, buffer| file.read_at(offset, buffer))
        })
    }

    /// Bytes of a shard's file from `offset` on, as many of `length` as it has.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_up_to(self: &Arc<Self>, shard: usize, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let (_, member) = self.in_use(shard).ok_or(io::ErrorKind::NotFound)?;
        let own = self.clone();
        member.read(Patience::Whole, move || {
            let file = own.open(shard)?;
            let here = usize::try_from(file.length()?.saturating_sub(offset)).unwrap_or(usize::MAX).min(length);
            let mut bytes = vec![0; here];
            file.read_at(offset, &mut bytes)?;
            Ok(bytes)
        })
    }

    /// Says that bytes of a shard's file will be read soon. For a job of the executor.
    pub fn will_read(&self, shard: usize, offset: u64, length: u64) {
        if let Ok(file) = self.open(shard) {
            file.will_read(offset, length);
        }
    }

    /// Asks several shards at once, and notes their faults. A drive that does not answer in time goes out of use.
    pub fn ask(
        self: &Arc<Self>,
        hardware: &Hardware,
        shards: &[usize],
        read: impl Fn(&Arc<Self>, usize) -> io::Result<Vec<u8>> + Clone + Send + 'static,
    ) -> Vec<(usize, io::Result<Vec<u8>>)> {
        let slots: Vec<Slot> = shards.iter().map(|_| Slot::default()).collect();
        let jobs = shards.iter().zip(&slots).map(|(shard, slot)| -> Job {
            let (shard, slot, read, own) = (*shard, slot.clone(), read.clone(), self.clone());
            Box::new(move || {
                *slot.lock() = Some(read(&own, shard)?);
                Ok(())
            })
        });
        let answers = shards.iter().zip(slots.iter()).zip(hardware.executor.run(jobs.collect(), hardware.timeout));
        let settle = |((shard, slot), result): ((&usize, &Slot), io::Result<()>)| {
            if let Err(error) = &result {
                match self.member(*shard) {
                    Some(member) if error.kind() == io::ErrorKind::TimedOut => {
                        member.retire(DriveState::Failed, error.to_string());
                    }
                    _ => self.note_fault(*shard, error),
                }
            }
            (*shard, result.and_then(|()| slot.lock().take().ok_or_else(|| io::ErrorKind::NotFound.into())))
        };
        answers.map(settle).collect()
    }

    /// The shard's file, if it is what it should be.
    fn open(&self, shard: usize) -> io::Result<Arc<dyn DriveFile>> {
        let handle = self.handles.get(shard).ok_or(io::ErrorKind::NotFound)?;
        if let Some(file) = handle.file.get() {
            return Ok(file.clone());
        }
        if handle.refused.lock().as_ref().is_some_and(Refusal::holds) {
            return Err(io::ErrorKind::NotFound.into());
        }
        match self.try_open(shard, handle) {
            // Of two that open it at once the first counts.
            Ok(file) => Ok(handle.file.get_or_init(|| file).clone()),
            // The drive hangs: of the shard nothing is known.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error),
            Err(error) => {
                let refusal = Refusal::of(&error);
                let is_worse = matches!(refusal, Refusal::ForGood);
                // Once as long as it stays away.
                if handle.refused.lock().replace(refusal).is_none() || is_worse {
                    self.note(shard, &error);
                }
                Err(io::ErrorKind::NotFound.into())
            }
        }
    }

    /// Whether a shard that could not be opened can be by now, and was not found faulty since; said once of each time that
    /// it was away. Blocks.
    #[must_use]
    pub fn note_return(&self, shard: usize) -> bool {
        let Some(handle) = self.handles.get(shard).filter(|_| self.open(shard).is_ok()) else { return false };
        handle.refused.lock().take_if(|refusal| matches!(refusal, Refusal::At(_))).is_some()
    }

    fn try_open(&self, shard: usize, handle: &Handle) -> io::Result<Arc<dyn DriveFile>> {
        let member = handle.member.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = member.drive.open(&shard::path_of(self.origin.segment, shard))?;
        let mut block = vec![0; BLOCK];
        file.read_at(0, &mut block)?;
        shard::check_header(&block, &self.origin, shard)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(file)
    }
}
