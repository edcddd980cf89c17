//! One connection of a mount's, and the memory that it may share with the node.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, recv};

use super::HEAD;
use crate::protocol::MAX_FRAME;
use crate::shared_buffer::{SIZE, SharedBuffer, take_over};
use crate::transport::Stream;

/// Room that an answer is given before its length is known: most need no more.
const FIRST_ROOM: usize = 8 << 10;

#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Answers that nobody waits for, and that come before any other.
    pub owed: usize,
    /// What has come of the next answer, and maybe of those behind it.
    incoming: Vec<u8>,
    buffer: Option<SharedBuffer>,
}

impl Connection {
    pub fn new(stream: Stream) -> Self {
        Self { stream, owed: 0, incoming: Vec::new(), buffer: None }
    }

    pub fn is_alive(&self) -> bool {
        self.stream.is_alive()
    }

    /// What more of an answer comes by, where it is of this machine.
    pub fn socket(&self) -> Option<&UnixStream> {
        match &self.stream {
            Stream::Local(stream) => Some(stream),
            Stream::Plain(_) | Stream::Tls(_) => None,
        }
    }

    pub fn is_sharing(&self) -> bool {
        self.buffer.is_some()
    }

    /// Asks, by that frame, for memory to share; nothing else is under way.
    pub fn share(&mut self, frame: &[u8]) -> io::Result<()> {
        self.send(frame)?;
        let socket = self.socket().ok_or(io::ErrorKind::Unsupported)?;
        let memory = take_over(socket.as_fd(), &mut [0; HEAD])?;
        self.buffer = Some(SharedBuffer::map(memory.ok_or(io::ErrorKind::Unsupported)?)?);
        Ok(())
    }

    /// Puts bytes into the memory that it shares: whether they have room there.
    pub fn fill(&mut self, data: &[u8]) -> bool {
        match &mut self.buffer {
            Some(buffer) if data.len() <= SIZE => {
                buffer.fill(data);
                true
            }
            _ => false,
        }
    }

    /// The first bytes of that memory.
    pub fn filled(&self, length: usize) -> &[u8] {
        self.buffer.as_ref().map(|buffer| buffer.filled(length)).unwrap_or_default()
    }

    pub fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame).and_then(|()| self.stream.flush())
    }

    /// Waits for the next answer.
    pub fn answer(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(answer) = self.take(RecvFlags::empty())? {
                return Ok(answer);
            }
        }
    }

    /// Takes what has come; the answer, where it is whole.
    pub fn take(&mut self, flags: RecvFlags) -> io::Result<Option<Vec<u8>>> {
        if let Some(answer) = self.buffered()? {
            return Ok(Some(answer));
        }
        let held = self.incoming.len();
        let room = self.length()?.map_or(FIRST_ROOM, |length| length.saturating_sub(held).max(FIRST_ROOM));
        self.incoming.resize(held + room, 0);
        let received = receive(&mut self.stream, self.incoming.get_mut(held..).unwrap_or_default(), flags);
        self.incoming.truncate(held + received.as_ref().map_or(0, |received| *received));
        match received {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        self.buffered()
    }

    /// The next answer that is waited for, where all of it has come.
    fn buffered(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(length) = self.length()?.filter(|length| self.incoming.len() >= *length) {
            let behind = self.incoming.split_off(length);
            let answer = std::mem::replace(&mut self.incoming, behind);
            if self.owed == 0 {
                return Ok(Some(answer));
            }
            self.owed -= 1;
        }
        Ok(None)
    }

    /// Takes what has come of answers that nobody waits for.
    pub fn drain(&mut self) -> io::Result<()> {
        while self.owed > 0 {
            let owed = self.owed;
            self.take(RecvFlags::DONTWAIT)?;
            if self.owed == owed {
                break;
            }
        }
        Ok(())
    }

    /// Of the answer that has begun to come, its own length with it.
    fn length(&self) -> io::Result<Option<usize>> {
        let Some(head) = self.incoming.first_chunk() else { return Ok(None) };
        match usize::try_from(u32::from_le_bytes(*head)) {
            Ok(length) if length <= MAX_FRAME => Ok(Some(length + 4)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// What has come; of another machine's waits for it, whatever the flags say.
fn receive(stream: &mut Stream, room: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    match stream {
        Stream::Local(stream) => Ok(recv(&*stream, room, flags).map(|(received, _)| received)?),
        Stream::Plain(_) | Stream::Tls(_) => stream.read(room),
    }
}
