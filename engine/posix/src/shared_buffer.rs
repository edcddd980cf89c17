//! Memory of one connection that a mount on this machine and the node both map, so that content crosses no socket.
//!
//! The node makes it, and seals its size before it hands it over: neither side dies of the other's shortening it. A
//! connection has one request under way, so one side at a time writes: the mount until it has sent a request that brings
//! bytes, the node until it has answered one that asks for them. What the node takes it copies before it looks at it.

use std::ffi::c_void;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::content::Sink;
use crate::protocol::MAX_DATA;

/// Bytes of each: no request has more.
pub const SIZE: usize = MAX_DATA;

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// A mapping of such memory.
#[derive(Debug)]
pub struct SharedBuffer {
    /// Of [`SIZE`] bytes that are mapped, to be read and written, until this is dropped.
    start: NonNull<u8>,
}

// SAFETY: the mapping belongs to the process, and to no thread of it.
unsafe impl Send for SharedBuffer {}
// SAFETY: through a shared reference bytes are read only.
unsafe impl Sync for SharedBuffer {}

impl SharedBuffer {
    /// New memory, and what another process maps it by.
    ///
    /// # Errors
    /// The system's.
    pub fn make() -> io::Result<(Self, OwnedFd)> {
        let memory = memfd_create(c"packstone-files", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&memory, SIZE as u64)?;
        fcntl_add_seals(&memory, SEALS)?;
        Ok((Self::map(&memory)?, memory))
    }

    /// Maps memory that another process made.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::InvalidData`] for what could be shortened, or is of another size.
    pub fn map(memory: impl AsFd) -> io::Result<Self> {
        let is_sealed = fcntl_get_seals(&memory)?.contains(SEALS);
        if !is_sealed || u64::try_from(fstat(&memory)?.st_size) != Ok(SIZE as u64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: the kernel chooses the place, where nothing else is.
        let start = unsafe { mmap(ptr::null_mut(), SIZE, protection, flags, memory, 0) }?;
        NonNull::new(start.cast()).map(|start| Self { start }).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Writes bytes at a place: as many as fit, whose number is answered.
    fn put(&mut self, at: usize, bytes: &[u8]) -> usize {
        let count = bytes.len().min(SIZE.saturating_sub(at));
        if count > 0 {
            // SAFETY: the mapping has `at + count` bytes, and overlaps nothing that Rust has.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().add(at), count) };
        }
        count
    }

    /// Fills it from the beginning, with as many bytes as fit.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.put(0, bytes);
    }

    /// Takes bytes from the beginning; `None` where there aren't as many.
    #[must_use]
    pub fn copy(&self, length: usize) -> Option<Vec<u8>> {
        (length <= SIZE).then(|| {
            let mut out = Vec::with_capacity(length);
            // SAFETY: the mapping has that many bytes, the vector room for them, and they have a value whoever writes them.
            unsafe {
                ptr::copy_nonoverlapping(self.start.as_ptr(), out.as_mut_ptr(), length);
                out.set_len(length);
            }
            out
        })
    }

    /// The first bytes, as many as there are; of whom the other side doesn't write to meanwhile.
    #[must_use]
    pub fn filled(&self, length: usize) -> &[u8] {
        // SAFETY: the mapping has that many bytes, as long as `self` lives; the node writes to it only while it is asked
        // to, and the mount asks through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), length.min(SIZE)) }
    }
}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `map` with that size, and nobody else has the address.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), SIZE) };
        debug_assert!(unmapped.is_ok(), "what was mapped is unmapped");
    }
}

/// A buffer, as far as it is filled with content that is read.
#[derive(Debug)]
pub struct Filling<'a> {
    buffer: &'a mut SharedBuffer,
    pub length: usize,
}

impl<'a> Filling<'a> {
    pub fn new(buffer: &'a mut SharedBuffer) -> Self {
        Self { buffer, length: 0 }
    }
}

impl Sink for Filling<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.length += self.buffer.put(self.length, bytes);
    }
}

/// Sends bytes, and with them what the other side is to map.
///
/// # Errors
/// The socket's; not all was sent.
pub fn hand_over(socket: BorrowedFd<'_>, bytes: &[u8], memory: &OwnedFd) -> io::Result<()> {
    let handed = [memory.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&handed));
    let sent = sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives as many bytes, and what was handed over with them.
///
/// # Errors
/// The socket's; [`io::ErrorKind::UnexpectedEof`] where fewer came.
pub fn take_over(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<Option<OwnedFd>> {
    let whole = bytes.len();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
    let received = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)?;
    if received.bytes < whole {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let handed = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut handed) => handed.next(),
        _ => None,
    });
    Ok(handed)
}

#[cfg(test)]
mod tests;
