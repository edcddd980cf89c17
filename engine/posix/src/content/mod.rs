//! Open files: what each holds between the version that is there and the next one.
//!
//! An open file is one for all handles on its inode, of every mount. It pins the version that it began with, so that its
//! bytes stay whatever becomes of the key. What is written gathers in pages ([`spool`]) over that version, or, where a
//! file is written from its first byte to its last, streams into the engine at once ([`Stream`]). *Publishing* makes the
//! content a version: at `fsync` and at every close with something to publish, of which only the pieces are written that
//! changed ([`layout`]). A version that this opening made itself is not kept beside the next one.
//!
//! Where that leaves many pieces, short ones are merged in the background ([`merger`]).
//!
//! A file that is made is not there before it is published, and a `close` of what is small doesn't wait for that: see
//! [`arrival`].
//!
//! A file whose key was deleted, or came to be another file, is an orphan: what is written to it stays readable to those
//! who have it open and ends with them.

mod arrival;
mod layout;
mod merger;
mod publish;
mod spool;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use packstone_store::Object;
use packstone_store::object::Version;
use packstone_store::record::Posix;
use parking_lot::Mutex;
use tokio::task::block_in_place;

use self::arrival::OnTheirWay;
pub use self::arrival::Which;
pub use self::merger::{Crowded, run as merge};
use self::publish::Stream;
use self::spool::{Bounds, PAGE, Spool, blank};
use crate::{Errno, Files};

/// How far behind the end of a file a write may begin, or a truncation end: what lies between is stored as zeros.
const LARGEST_HOLE: u64 = 16 << 30;
/// The largest file.
const LARGEST: u64 = 5 << 40;
/// A file that is written from its first byte on streams from this size on.
const STREAM_FROM: u64 = 4 << 20;

/// The files that are open, by their inodes.
#[derive(Debug)]
pub struct OpenFiles {
    open: Mutex<HashMap<u64, Slot>>,
    bounds: Arc<Bounds>,
    on_their_way: OnTheirWay,
}

#[derive(Debug)]
struct Slot {
    file: Arc<OpenFile>,
    handles: usize,
    /// Of these, handles that write.
    writers: usize,
}

/// Where content goes that is read.
pub trait Sink: Send {
    /// Adds bytes behind those that are there.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[derive(Debug)]
pub struct OpenFile {
    pub inode: u64,
    /// Held while the content is read through it, changed or published.
    content: tokio::sync::Mutex<Content>,
    seen: Mutex<Seen>,
    own: Arc<AtomicBool>,
}

/// What is told of an open file without waiting for it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub version: Version,
    pub size: u64,
    /// Times of the last change of content and of any, Unix nanoseconds, where something is not published.
    pub changed: Option<(i64, i64)>,
    pub orphan: bool,
    /// Whether the index knows nothing of it yet.
    pub unmade: bool,
}

/// Where a file stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub bucket: String,
    pub key: String,
}

#[derive(Debug)]
pub struct Content {
    /// `None` for an orphan.
    pub place: Option<Place>,
    /// What an unmade file is to be made as.
    making: Option<Posix>,
    /// The version that is there, ready to be read; of an unmade file one without bytes.
    object: Arc<Object>,
    /// Whether the handles that write now made that version, since the first of them was opened.
    own: Arc<AtomicBool>,
    /// How many bytes of that version still count.
    kept: u64,
    size: u64,
    spool: Spool,
    /// Where the first byte was written since that version.
    lowest: u64,
    /// Whether all bytes there are were written in order, and none is that version's.
    in_order: bool,
    stream: Option<Stream>,
    dirty: bool,
    /// When it was last written, Unix nanoseconds.
    written: i64,
    /// What was said since of when that was.
    said: Option<i64>,
    /// Whether bytes are gone that were on their way into the engine: nothing but an error is answered any more, until
    /// the file is emptied.
    lost: bool,
    /// Whether something was to be published when S3 had put another object in the file's place, or deleted it, and nobody
    /// was told yet.
    displaced: bool,
}

impl OpenFiles {
    pub fn new(scratch: &Path) -> Self {
        Self { open: Mutex::default(), bounds: Bounds::new(scratch), on_their_way: OnTheirWay::default() }
    }

    /// An open file, if it is one.
    pub fn get(&self, inode: u64) -> Option<Arc<OpenFile>> {
        self.open.lock().get(&inode).map(|slot| slot.file.clone())
    }

    /// All open files, in order of their inodes.
    pub fn all(&self) -> Vec<Arc<OpenFile>> {
        let mut all: Vec<_> = self.open.lock().values().map(|slot| slot.file.clone()).collect();
        all.sort_unstable_by_key(|file| file.inode);
        all
    }

    /// One more handle on a file, which writes or doesn't; `own` where the opener has just made it.
    pub fn open(&self, object: Object, place: Place, write: bool, own: bool) -> Arc<OpenFile> {
        let inode = object.version.file.inode;
        let mut open = self.open.lock();
        // What others have open goes on without the key, if S3 changed what is there.
        open.retain(|held, slot| *held != inode || !slot.file.is_outdated(&object.version));
        let slot = open.entry(inode).or_insert_with(|| {
            let seen = Seen {
                version: object.version.clone(),
                size: object.version.size,
                changed: None,
                orphan: false,
                unmade: false,
            };
            let own = Arc::new(AtomicBool::new(own));
            let content = Content::new(object, place, own.clone(), Spool::new(self.bounds.clone()));
            let (content, seen) = (tokio::sync::Mutex::new(content), Mutex::new(seen));
            Slot { file: Arc::new(OpenFile { inode, content, seen, own }), handles: 0, writers: 0 }
        });
        slot.handles += 1;
        if write {
            if slot.writers == 0 && slot.handles > 1 {
                // What an earlier writer made, and closed, is a version of its own.
                slot.file.own.store(false, Ordering::Relaxed);
            }
            slot.writers += 1;
        }
        slot.file.clone()
    }

    /// One handle less. The file must be published before, or be on its way.
    pub fn close(&self, file: &Arc<OpenFile>, write: bool) {
        let mut open = self.open.lock();
        if let Some(slot) = open.get_mut(&file.inode).filter(|slot| Arc::ptr_eq(&slot.file, file)) {
            slot.handles -= 1;
            slot.writers -= usize::from(write);
            if slot.handles == 0 && !self.on_their_way.has(file.inode) {
                open.remove(&file.inode);
            }
        }
    }

    /// Forgets a file that is not on its way any more, if nobody has it open.
    fn tidy(&self, file: &OpenFile) {
        let mut open = self.open.lock();
        if open.get(&file.inode).is_some_and(|slot| slot.handles == 0 && std::ptr::eq(&*slot.file, file)) {
            open.remove(&file.inode);
        }
    }
}

impl OpenFile {
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    /// Whether what is at its key is not what it was opened with, nor made through it. One that is being worked on is taken for
    /// what makes the difference.
    fn is_outdated(&self, current: &Version) -> bool {
        let Ok(content) = self.content.try_lock() else { return false };
        content.place.is_none() || !is_same_content(&content.object.version, current)
    }

    /// The content, for the caller alone.
    pub async fn content(&self) -> tokio::sync::MutexGuard<'_, Content> {
        self.content.lock().await
    }

    /// Whether somebody has the content for itself now.
    pub fn is_busy(&self) -> bool {
        self.content.try_lock().is_err()
    }

    /// The content, for the caller alone, with nothing of it on its way into the engine: the key may then go, or come to
    /// be another one.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn settled(&self, files: &Files) -> Result<tokio::sync::MutexGuard<'_, Content>, Errno> {
        let mut content = self.content().await;
        if content.stream.is_some() {
            self.publish(files, &mut content).await?;
        }
        Ok(content)
    }

    /// Tells what became of the content.
    fn tell(&self, content: &Content) {
        let mut seen = self.seen.lock();
        if seen.version.record != content.object.version.record {
            seen.version = content.object.version.clone();
        }
        seen.size = content.size;
        seen.changed = content.dirty.then_some((content.said.unwrap_or(content.written), content.written));
        seen.orphan = content.place.is_none();
        seen.unmade = content.making.is_some();
    }

    /// The file, which nothing is known of yet, is to be made as that says.
    pub async fn make_as(&self, posix: Posix) {
        let mut content = self.content().await;
        content.making = Some(posix);
        content.note_change();
        self.tell(&content);
    }

    /// The key is another file's, or nobody's.
    pub fn orphan(&self, content: &mut Content) {
        content.place = None;
        self.tell(content);
    }

    /// The file stands elsewhere, as that version.
    pub fn move_to(&self, content: &mut Content, place: Place, object: Object) {
        content.place = Some(place);
        content.object = Arc::new(object);
        self.tell(content);
    }

    /// The same content has come to stand as another record: what is written next goes on with that.
    pub async fn renew(&self, object: Object) {
        let mut content = self.content().await;
        let held = &content.object.version;
        let is_other = held.record != object.version.record && is_same_content(held, &object.version);
        if is_other && content.place.is_some() && content.stream.is_none() {
            content.object = Arc::new(object);
            self.tell(&content);
        }
    }

    /// Says when the content changed, which is for the version that it comes to be: whether there is to be one, and this
    /// may be said of it still.
    pub fn say_changed(&self, content: &mut Content, mtime: i64) -> bool {
        let may = content.dirty && !content.lost && content.place.is_some();
        if may {
            (content.said, content.written) = (Some(mtime), now());
            self.tell(content);
        }
        may
    }

    /// What is said of the file has changed.
    pub fn describe(&self, version: Version) {
        self.seen.lock().version = version;
    }

    /// Those bytes, as far as there are any.
    ///
    /// # Errors
    /// The engine's, or of the scratch file; some bytes may have been put then.
    pub async fn read(&self, files: &Files, range: Range<u64>, to: &mut dyn Sink) -> Result<(), Errno> {
        let mut content = self.content().await;
        if content.stream.is_some() {
            self.publish(files, &mut content).await?;
        }
        content.expect_whole()?;
        let range = range.start..range.end.min(content.size);
        if content.spool.is_empty() && range.end <= content.kept {
            let object = content.object.clone();
            drop(content);
            return read_object(&object, range, to).await;
        }
        content.read(range, to).await
    }

    /// # Errors
    /// A file that would be too large, the engine's, or of the scratch file.
    pub async fn write(&self, files: &Files, offset: u64, data: Cow<'_, [u8]>) -> Result<(), Errno> {
        let mut content = self.content().await;
        content.expect_whole()?;
        content.expect_size(offset.saturating_add(data.len() as u64), offset)?;
        if content.stream.is_some() && offset != content.size {
            self.publish(files, &mut content).await?;
        }
        let outcome = content.write(files, offset, data).await;
        self.tell(&content);
        outcome
    }

    /// Leaves nothing of the content. That counts as a change where there was nothing, too.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn empty(&self, files: &Files) -> Result<(), Errno> {
        self.truncate(files, 0).await?;
        let mut content = self.content().await;
        content.note_change();
        self.tell(&content);
        Ok(())
    }

    /// # Errors
    /// As [`Self::write`].
    pub async fn truncate(&self, files: &Files, size: u64) -> Result<(), Errno> {
        let mut content = self.content().await;
        content.expect_size(size, size)?;
        if content.stream.is_some() && size > 0 {
            self.publish(files, &mut content).await?;
        }
        // Of what is emptied nothing needs to arrive.
        content.stream = None;
        content.lost &= size > 0;
        content.expect_whole()?;
        let outcome = content.truncate(size);
        self.tell(&content);
        outcome
    }
}

impl Content {
    fn new(object: Object, place: Place, own: Arc<AtomicBool>, spool: Spool) -> Self {
        let size = object.version.size;
        Self {
            place: Some(place),
            making: None,
            object: Arc::new(object),
            own,
            kept: size,
            size,
            spool,
            lowest: u64::MAX,
            in_order: size == 0,
            stream: None,
            dirty: false,
            written: 0,
            said: None,
            lost: false,
            displaced: false,
        }
    }

    fn note_change(&mut self) {
        (self.dirty, self.written, self.said) = (true, now(), None);
    }

    fn expect_whole(&self) -> Result<(), Errno> {
        if self.lost { Err(Errno::IO) } else { Ok(()) }
    }

    /// Whether a file may come to that size by what begins at `from`.
    fn expect_size(&self, size: u64, from: u64) -> Result<(), Errno> {
        let hole = from.saturating_sub(self.size);
        if size > LARGEST || hole > LARGEST_HOLE { Err(Errno::TOO_LARGE) } else { Ok(()) }
    }

    async fn read(&mut self, range: Range<u64>, to: &mut dyn Sink) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let page = at / PAGE as u64;
            let start = page * PAGE as u64;
            if self.spool.has(page) {
                let stop = range.end.min(start + PAGE as u64);
                let bytes = block_in_place(|| self.spool.page(page))?;
                to.put(bytes.get(length(&(start..at))..length(&(start..stop))).ok_or(Errno::IO)?);
                at = stop;
                continue;
            }
            // Up to the next page that was written, in one piece.
            let mut stop = start + PAGE as u64;
            while stop < range.end && !self.spool.has(stop / PAGE as u64) {
                stop += PAGE as u64;
            }
            let stop = stop.min(range.end);
            self.read_kept(at..stop, to).await?;
            at = stop;
        }
        Ok(())
    }

    /// Bytes of the version that is there, and zeros behind what counts of it.
    async fn read_kept(&self, range: Range<u64>, to: &mut dyn Sink) -> Result<(), Errno> {
        let held = range.start..range.end.min(self.kept);
        let mut blanks = range.end - range.start.max(held.end);
        read_object(&self.object, held, to).await?;
        let zeros = blank();
        while blanks > 0 {
            let count = blanks.min(PAGE as u64);
            to.put(zeros.get(..length(&(0..count))).ok_or(Errno::IO)?);
            blanks -= count;
        }
        Ok(())
    }

    async fn write(&mut self, files: &Files, offset: u64, data: Cow<'_, [u8]>) -> Result<(), Errno> {
        let end = offset + data.len() as u64;
        self.in_order &= offset == self.size;
        self.note_change();
        if let Some(stream) = &mut self.stream {
            let outcome = stream.write(data.into_owned().into()).await;
            if outcome.is_err() {
                // How much of it arrived nobody knows.
                (self.stream, self.lost) = (None, true);
            }
            self.size = end;
            return outcome;
        }
        self.lowest = self.lowest.min(offset);
        let mut at = offset;
        while at < end {
            let page = at / PAGE as u64;
            let start = page * PAGE as u64;
            let stop = end.min(start + PAGE as u64);
            if !self.spool.has(page) {
                let bytes = self.page_before(page).await?;
                block_in_place(|| self.spool.insert(page, bytes))?;
            }
            let bytes = block_in_place(|| self.spool.page(page))?;
            let to = bytes.get_mut(length(&(start..at))..length(&(start..stop))).ok_or(Errno::IO)?;
            to.copy_from_slice(data.get(length(&(offset..at))..length(&(offset..stop))).ok_or(Errno::IO)?);
            at = stop;
        }
        self.size = self.size.max(end);
        if self.in_order && self.size >= STREAM_FROM && self.place.is_some() {
            self.begin_stream(files).await?;
        }
        Ok(())
    }

    /// A page as it is in the version that is there.
    async fn page_before(&self, page: u64) -> Result<Box<[u8; PAGE]>, Errno> {
        let mut bytes = blank();
        let start = page * PAGE as u64;
        let end = self.kept.min(start + PAGE as u64);
        if start < end {
            let mut held = Vec::with_capacity(PAGE);
            read_object(&self.object, start..end, &mut held).await?;
            bytes.get_mut(..held.len()).ok_or(Errno::IO)?.copy_from_slice(&held);
        }
        Ok(bytes)
    }

    fn truncate(&mut self, size: u64) -> Result<(), Errno> {
        if size == self.size {
            return Ok(());
        }
        self.note_change();
        if size > self.size {
            self.in_order = false;
            self.lowest = self.lowest.min(self.size);
        } else {
            self.lowest = self.lowest.min(size);
            self.kept = self.kept.min(size);
            self.spool.cut(size.div_ceil(PAGE as u64));
            let page = size / PAGE as u64;
            if self.spool.has(page) {
                let bytes = block_in_place(|| self.spool.page(page))?;
                let behind = length(&(page * PAGE as u64..size));
                bytes.get_mut(behind..).ok_or(Errno::IO)?.fill(0);
            }
            // What is left was written in order if all was; and where nothing is left, it begins anew.
            self.in_order |= size == 0;
        }
        self.size = size;
        Ok(())
    }
}

/// Whether two versions of one file are of one commit: each name of it has a record of its own.
fn is_same_content(one: &Version, other: &Version) -> bool {
    let of = |version: &Version| (version.attributes.etag, version.size, version.modified);
    of(one) == of(other)
}

/// Bytes of a version.
///
/// # Errors
/// The engine's; some bytes may have been put then.
pub async fn read_object(object: &Object, range: Range<u64>, to: &mut dyn Sink) -> Result<(), Errno> {
    if range.start < range.end {
        let mut reader = object.clone().read(range);
        while let Some(piece) = reader.next().await {
            to.put(&piece?);
        }
    }
    Ok(())
}

/// The length of a range that fits in memory.
fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}

/// Unix nanoseconds.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
