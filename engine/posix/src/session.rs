//! A mount as the node sees it: what it has open, for as long as it has a connection.
//!
//! When the last connection ends, whatever was written through it is published, as closing it would: a mount that was
//! killed loses what had not reached the node, and nothing else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use packstone_store::Object;
use packstone_store::codec::Writer;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::caller::{Caller, Credential, Signer};
use crate::content::{OpenFile, Sink, Which, now, read_object};
use crate::number::Kind;
use crate::protocol::{Asked, Attributes, Change, MAX_DATA, Request};
use crate::told::Told;
use crate::{Errno, Files, claim, number};

/// Files that one mount may have open, and one on another machine.
const MOST_HANDLES: usize = 1 << 20;
const MOST_REMOTE_HANDLES: usize = 1 << 16;

#[derive(Debug)]
pub struct Session {
    pub id: u128,
    pub credential: Credential,
    /// Whether it is to be the only one.
    pub exclusive: bool,
    handles: Mutex<HashMap<u64, Handle>>,
    next: AtomicU64,
    /// Connections that it has.
    pub connections: std::sync::atomic::AtomicUsize,
    pub told: Told,
    /// Told of each connection that comes.
    pub joined: Notify,
}

#[derive(Clone, Debug)]
enum Handle {
    File {
        file: Arc<OpenFile>,
        read: bool,
        write: bool,
    },
    /// Of a view: nothing shares or changes it.
    Version(Arc<Object>),
}

/// Content that is told when a file is opened, in bytes.
const TOLD_WITH_OPENING: u64 = 16 << 10;

/// What a file is opened for.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub read: bool,
    pub write: bool,
    /// Whether it is truncated; only with `write`.
    pub empty: bool,
    /// Whether one that is made must be durable when that is answered.
    pub at_once: bool,
}

impl Session {
    /// Handles begin at a random number: one that a mount has from before a restart of the node leads nowhere, and not to
    /// another file.
    pub fn new(id: u128, credential: Credential, exclusive: bool) -> Self {
        let mut first = [0; 8];
        // Without random bits, at the time.
        if getrandom::fill(&mut first).is_err() {
            first = now().to_le_bytes();
        }
        let first = u64::from_le_bytes(first) >> 1;
        Self {
            id,
            credential,
            exclusive,
            handles: Mutex::default(),
            next: AtomicU64::new(first),
            connections: 0.into(),
            told: Told::default(),
            joined: Notify::new(),
        }
    }

    /// Carries a request out; what it answers with is appended to `out`. With a `signer`, it comes from another machine.
    ///
    /// # Errors
    /// Whatever stands against it.
    pub async fn answer(
        &self,
        files: &Files,
        signer: Option<&Arc<dyn Signer>>,
        Asked { uid, request }: Asked<'_>,
        out: &mut Writer,
    ) -> Result<(), Errno> {
        arrive_for(files, &request).await;
        let request = match signer {
            Some(signer) => claim::bounded(self, files, signer, request).await?,
            None => request,
        };
        if let Some(inode) = self.changed_by(&request) {
            self.told.note_own(inode);
        }
        match request {
            Request::Hello { .. } => Err(Errno::PROTOCOL),
            Request::Read { .. } | Request::Write { .. } | Request::Publish { .. } | Request::Release { .. } => {
                self.answer_open(files, request, out).await
            }
            // The kernel knows the number from who was let to the name, and asks again for whoever has the file open.
            Request::Attributes { inode } => {
                files.told(inode)?.encode(out);
                Ok(())
            }
            // It changes nothing that isn't written a moment later anyway.
            Request::SyncDirectory { inode } => files.sync_directory(inode).await,
            Request::Space => {
                files.space()?.encode(out);
                Ok(())
            }
            Request::Create { .. } | Request::Open { .. } => {
                let caller = files.caller(&self.credential, signer, uid)?;
                self.open(files, &caller, request, out).await
            }
            _ => {
                let caller = files.caller(&self.credential, signer, uid)?;
                self.answer_named(files, &caller, request, out).await
            }
        }
    }

    /// Notes that the mount knows of a name, which it has just made.
    fn note(&self, files: &Files, caller: &Caller, parent: u64, name: &[u8]) {
        if self.told.is_watched() {
            // What can't be found is told by nobody.
            let _ = files.lookup(caller, parent, name, &self.told);
        }
    }

    /// The file that a request changes, by its number.
    fn changed_by(&self, request: &Request<'_>) -> Option<u64> {
        if !self.told.is_watched() {
            return None;
        }
        match *request {
            Request::Change { inode, .. }
            | Request::SetExtended { inode, .. }
            | Request::RemoveExtended { inode, .. } => Some(inode),
            Request::Publish { handle, .. } | Request::Release { handle } => match self.handle(handle) {
                Ok(Handle::File { file, write: true, .. }) => Some(file.inode),
                _ => None,
            },
            _ => None,
        }
    }

    async fn answer_named(
        &self,
        files: &Files,
        caller: &Caller,
        request: Request<'_>,
        out: &mut Writer,
    ) -> Result<(), Errno> {
        match request {
            Request::Lookup { parent, name } => files.lookup(caller, parent, name, &self.told)?.encode(out),
            Request::Change { inode, handle, change } => {
                let asked = self.is_asked(inode, handle, change);
                files.change((!asked).then_some(caller), inode, change).await?.encode(out);
            }
            Request::List { inode, after, limit } => {
                for entry in files.list(caller, inode, (after, limit), &self.told)? {
                    entry.encode(out);
                }
            }
            Request::MakeDirectory { parent, name, maker } => {
                files.make_directory(caller, parent, name, maker).await?.encode(out);
                self.note(files, caller, parent, name);
            }
            Request::RemoveDirectory { parent, name } => files.remove_directory(caller, parent, name).await?,
            Request::Unlink { parent, name } => files.unlink(caller, parent, name).await?,
            Request::Rename { parent, name, new_parent, new_name, keep } => {
                files.rename(caller, (parent, name), (new_parent, new_name), keep).await?;
                self.note(files, caller, new_parent, new_name);
            }
            Request::Link { parent, name, target, maker } => {
                files.link(caller, (parent, name), target, maker).await?.encode(out);
                self.note(files, caller, parent, name);
            }
            Request::HardLink { inode, parent, name } => {
                files.hard_link(caller, inode, (parent, name)).await?.encode(out);
                self.note(files, caller, parent, name);
            }
            Request::ReadLink { inode } => out.bytes(&files.read_link(caller, inode).await?),
            Request::SetExtended { inode, name, value, flags } => {
                files.set_extended(caller, inode, name, (value, flags)).await?;
            }
            Request::Extended { inode, name } => out.bytes(&files.extended(caller, inode, name)?),
            Request::ListExtended { inode } => {
                for name in files.list_extended(caller, inode)? {
                    out.short(name.as_bytes());
                }
            }
            Request::RemoveExtended { inode, name } => files.remove_extended(caller, inode, name).await?,
            _ => return Err(Errno::PROTOCOL),
        }
        Ok(())
    }

    async fn open(&self, files: &Files, caller: &Caller, request: Request<'_>, out: &mut Writer) -> Result<(), Errno> {
        match request {
            Request::Create { parent, name, maker, read, exclusive, empty, at_once } => {
                let opening = Opening { read, write: true, empty, at_once };
                let (attributes, file) =
                    files.create(caller, (parent, name), maker, opening, exclusive, &self.told).await?;
                self.opened(files, attributes, Handle::File { file, read, write: true }, out)
            }
            Request::Open { inode, write, empty, .. } if number::kind(inode) == Kind::View => {
                let view = files.view_of(inode)?;
                if write || empty {
                    return Err(Errno::READ_ONLY);
                }
                let object = files.open_view(caller, &view)?;
                self.opened(files, view.attributes(), Handle::Version(object), out)
            }
            Request::Open { inode, read, write, empty } => {
                let (attributes, file) =
                    files.open(caller, inode, Opening { read, write, empty, at_once: false }).await?;
                self.opened(files, attributes, Handle::File { file: file.clone(), read, write }, out)?;
                if read && !write && attributes.size <= TOLD_WITH_OPENING {
                    // What can't be read says so when it is asked for.
                    let told = out.len();
                    let read = file.read(files, 0..TOLD_WITH_OPENING + 1, &mut out.0).await;
                    // More than there was to be a moment ago is not all of it.
                    if read.is_err() || out.0.len() > told + TOLD_WITH_OPENING as usize {
                        out.0.truncate(told);
                    }
                }
                Ok(())
            }
            _ => Err(Errno::PROTOCOL),
        }
    }

    /// Whether who opened a file for writing was asked what a change needs: to change its length is to write, and so is
    /// what a kernel that keeps pages says with them, or with the length, of when they were written.
    fn is_asked(&self, inode: u64, handle: Option<u64>, change: Change) -> bool {
        let held = handle.and_then(|handle| self.handle(handle).ok());
        let writes = matches!(held, Some(Handle::File { file, write: true, .. }) if file.inode == inode);
        let said = Change { size: change.size, mtime: change.mtime.filter(|_| self.exclusive), ..Change::default() };
        writes && change == said
    }

    async fn answer_open(&self, files: &Files, request: Request<'_>, out: &mut Writer) -> Result<(), Errno> {
        match request {
            Request::Read { handle, offset, length } => self.read(files, handle, (offset, length), &mut out.0).await,
            Request::Write { handle, offset, data } => self.write(files, handle, offset, Cow::Borrowed(data)).await,
            Request::Publish { handle, at_once: true } => publish(files, &self.handle(handle)?).await,
            Request::Publish { handle, .. } => publish_soon(files, &self.handle(handle)?).await,
            Request::Release { handle } => {
                let held = self.handles.lock().remove(&handle).ok_or(Errno::BAD_HANDLE)?;
                let outcome = match &held {
                    Handle::File { file, .. } if files.is_closed(file.inode) => Ok(()),
                    _ => publish_soon(files, &held).await,
                };
                held.close(files);
                outcome
            }
            _ => Err(Errno::PROTOCOL),
        }
    }

    /// Reads what is open: so many bytes from an offset on, fewer at the end alone.
    ///
    /// # Errors
    /// [`Errno::BAD_HANDLE`], or of reading.
    pub async fn read(
        &self,
        files: &Files,
        handle: u64,
        (offset, length): (u64, u32),
        to: &mut dyn Sink,
    ) -> Result<(), Errno> {
        let end = offset.saturating_add(u64::from(length).min(MAX_DATA as u64));
        match self.handle(handle)? {
            Handle::File { file, read: true, .. } => file.read(files, offset..end, to).await,
            Handle::File { .. } => Err(Errno::BAD_HANDLE),
            Handle::Version(object) => read_object(&object, offset..end.min(object.version.size), to).await,
        }
    }

    /// Writes what is open.
    ///
    /// # Errors
    /// [`Errno::BAD_HANDLE`], or of writing.
    pub async fn write(&self, files: &Files, handle: u64, offset: u64, data: Cow<'_, [u8]>) -> Result<(), Errno> {
        match self.handle(handle)? {
            Handle::File { file, write: true, .. } => file.write(files, offset, data).await,
            _ => Err(Errno::BAD_HANDLE),
        }
    }

    fn handle(&self, handle: u64) -> Result<Handle, Errno> {
        self.handles.lock().get(&handle).cloned().ok_or(Errno::BAD_HANDLE)
    }

    /// Whether a file is open here, and to be written where that is what counts.
    pub fn has_open(&self, inode: u64, to_write: bool) -> bool {
        let meant = |held: &Handle| match held {
            Handle::File { file, write, .. } => file.inode == inode && (*write || !to_write),
            Handle::Version(_) => held.inode() == inode && !to_write,
        };
        self.handles.lock().values().any(meant)
    }

    pub fn has_any_open(&self) -> bool {
        !self.handles.lock().is_empty()
    }

    fn opened(&self, files: &Files, attributes: Attributes, held: Handle, out: &mut Writer) -> Result<(), Errno> {
        let mut handles = self.handles.lock();
        if let Handle::File { file, write: true, .. } = &held {
            files.writers.enter(file.inode);
        }
        let most = if matches!(self.credential, Credential::Signed(_)) { MOST_REMOTE_HANDLES } else { MOST_HANDLES };
        if handles.len() >= most {
            drop(handles);
            held.close(files);
            return Err(Errno(libc::ENFILE));
        }
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        handles.insert(handle, held);
        attributes.encode(out);
        out.u64(handle);
        Ok(())
    }

    /// Closes all that is open.
    pub async fn end(&self, files: &Files) {
        let handles: Vec<_> = self.handles.lock().drain().map(|(_, handle)| handle).collect();
        for handle in handles {
            if let Err(errno) = publish(files, &handle).await {
                tracing::warn!(inode = handle.inode(), %errno, "what a mount left open could not be published");
            }
            handle.close(files);
        }
    }
}

impl Handle {
    fn inode(&self) -> u64 {
        match self {
            Self::File { file, .. } => file.inode,
            Self::Version(object) => object.version.file.inode,
        }
    }

    fn close(&self, files: &Files) {
        let Self::File { file, write, .. } = self else { return };
        files.open.close(file, *write);
        if *write {
            let waits = file.seen().version.attributes.pending.is_some();
            files.writers.leave(file.inode, waits.then(|| files.store.compliance_time()));
        }
    }
}

/// Waits for what is on its way, where a request asks about it.
async fn arrive_for(files: &Files, request: &Request<'_>) {
    let which = match *request {
        Request::Lookup { parent, name: b"." | b".." } => Which::Inode(parent),
        Request::Lookup { name, .. } => Which::Name(name),
        // Of one that is open what is open tells all; its times are final once it is closed.
        Request::Attributes { inode } if !files.is_closed(inode) => return,
        Request::Attributes { inode }
        | Request::Open { inode, .. }
        | Request::Change { inode, .. }
        | Request::ReadLink { inode }
        | Request::SetExtended { inode, .. }
        | Request::Extended { inode, .. }
        | Request::ListExtended { inode }
        | Request::RemoveExtended { inode, .. }
        | Request::HardLink { inode, .. } => Which::Inode(inode),
        Request::List { inode, .. } => return files.arrive_below(inode).await,
        // What is named may be a bucket, which goes only without files.
        Request::RemoveDirectory { .. } | Request::Unlink { .. } | Request::Rename { .. } => Which::All,
        // Of a name that is to be new its directory is asked, once nobody else changes that.
        _ => return,
    };
    files.arrive(which).await;
}

/// What a `close` waits for.
async fn publish_soon(files: &Files, handle: &Handle) -> Result<(), Errno> {
    match handle {
        Handle::File { file, write: true, .. } => files.close_soon(file).await,
        // Who only reads has nothing to say.
        Handle::File { .. } | Handle::Version(_) => Ok(()),
    }
}

async fn publish(files: &Files, handle: &Handle) -> Result<(), Errno> {
    let Handle::File { file, write, .. } = handle else { return Ok(()) };
    let mut content = file.content().await;
    file.publish(files, &mut content).await?;
    // Who only reads has lost nothing.
    if *write { content.expect_placed() } else { Ok(()) }
}
