//! A mount's side of the socket, or of connections from another machine.
//!
//! A request takes a connection of its own out of those that are idle, or opens one, and can be waited for as long as it
//! takes ([`Client::ask`]), or a little and then by whoever waits for many things at once ([`Exchange`]). Content of some length
//! goes through memory that the connection shares with a node on this machine.
//!
//! While the node is away requests wait for it, up to [`PATIENCE`]. One that was sent and not answered is asked again only
//! if that does no harm; otherwise nobody knows what became of it, and it is answered `EIO`. A node that came again knows
//! nothing of what was open before: `EBADF`, which a mount tells as `ESTALE`.

mod answers;
mod connection;
mod exchange;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use packstone_store::codec::{DecodeError, Reader, Writer};
use parking_lot::Mutex;

pub use self::answers::{attributes, bytes, decoded, done, entries, names, opened, space};
use self::connection::Connection;
pub use self::exchange::{Exchange, Filled, Reply};
use crate::protocol::{Asked, Request, VERSION};
use crate::transport::{Remote, Transport};

/// Answers that one connection may owe: neither side ever waits for the other to read.
const MOST_OWED: usize = 64;
/// Before an answer: its length, and the error number.
const HEAD: usize = 8;
/// Bytes from which on content goes through shared memory.
const SHARED_FROM: usize = 32 << 10;

#[derive(Debug)]
pub struct Client {
    transport: Transport,
    user: String,
    session: u128,
    exclusive: bool,
    idle: Mutex<Vec<Connection>>,
    /// Connections that are told what nobody waits for: none of them keeps a question waiting.
    telling: Mutex<Vec<Connection>>,
}

/// How far a request came that failed.
#[derive(Debug)]
enum Failed {
    /// It never reached the node.
    Unsent(io::Error),
    /// Nobody knows.
    Unanswered(io::Error),
    /// The node said so.
    Refused(io::Error),
}

impl Failed {
    fn into_error(self) -> io::Error {
        let (Self::Unsent(error) | Self::Unanswered(error) | Self::Refused(error)) = self;
        error
    }

    /// The answer, if it is none of an error.
    fn unless_said(answer: Vec<u8>) -> Result<Vec<u8>, Self> {
        match Reader(answer.get(4..).unwrap_or_default()).u32() {
            Ok(0) => Ok(answer),
            Ok(errno) => {
                let errno = i32::try_from(errno).unwrap_or(libc::EIO);
                Err(Self::Refused(io::Error::from_raw_os_error(errno)))
            }
            Err(_) => Err(Self::Unanswered(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl Client {
    /// Begins a session with the node that listens at `path`, for the user of that name where a uid is nobody's; an empty
    /// one is root. With `exclusive`, while there is no other session.
    ///
    /// # Errors
    /// It isn't there, or is of another release; `ENOKEY` where there is no such user; `EBUSY` where one of two sessions is
    /// to be the only one.
    pub fn connect(path: &Path, user: &str, exclusive: bool) -> io::Result<Self> {
        Self::enter(Transport::Local(path.to_owned()), user, exclusive)
    }

    /// Begins a session with the node of another machine, for whom its credentials are.
    ///
    /// # Errors
    /// It can't be reached or isn't trusted, is of another release, or doesn't take the credentials; `EBUSY` where another
    /// session is to be the only one.
    pub fn connect_remote(remote: Remote) -> io::Result<Self> {
        Self::enter(Transport::Remote(Box::new(remote)), "", false)
    }

    fn enter(transport: Transport, user: &str, exclusive: bool) -> io::Result<Self> {
        let mut session = [0; 16];
        getrandom::fill(&mut session).map_err(|error| io::Error::other(error.to_string()))?;
        let (user, session) = (user.to_owned(), u128::from_le_bytes(session));
        let client = Self { transport, user, session, exclusive, idle: Mutex::default(), telling: Mutex::default() };
        let first = client.open().map_err(Failed::into_error)?;
        client.idle.lock().push(first);
        Ok(client)
    }

    /// Asks on behalf of a uid, and reads the answer.
    ///
    /// # Errors
    /// The error number that the node answered with, or `EIO`.
    pub fn ask<T>(
        self: &Arc<Self>,
        uid: u32,
        request: Request<'_>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
    ) -> io::Result<T> {
        decoded(self.begin(uid, request).finish()?.said(), read)
    }

    /// Asks on behalf of a uid, and waits for nothing: on this machine but to send it.
    #[must_use]
    pub fn begin(self: &Arc<Self>, uid: u32, request: Request<'_>) -> Exchange {
        let is_repeatable = request.is_repeatable();
        let exchange = Exchange::new(self.clone(), asked(uid, request), is_repeatable);
        if self.is_remote() { exchange } else { exchange.sent() }
    }

    /// Begins to read what is open: so many bytes, fewer at the end alone.
    #[must_use]
    pub fn read(self: &Arc<Self>, handle: u64, offset: u64, length: u32) -> Exchange {
        let request = Request::Read { handle, offset, length };
        if usize::try_from(length).is_ok_and(|length| length >= SHARED_FROM)
            && let Some(mut connection) = self.sharing()
            && connection.send(&asked(0, Request::ReadShared { handle, offset, length })).is_ok()
        {
            return Exchange::new(self.clone(), asked(0, request), true).sent_to_be_filled(connection);
        }
        self.begin(0, request)
    }

    /// Begins to write what is open.
    #[must_use]
    pub fn write(self: &Arc<Self>, handle: u64, offset: u64, data: &[u8]) -> Exchange {
        if let Ok(length) = u32::try_from(data.len())
            && data.len() >= SHARED_FROM
            && let Some(mut connection) = self.sharing()
            && connection.fill(data)
            && connection.send(&asked(0, Request::WriteShared { handle, offset, length })).is_ok()
        {
            return Exchange::new(self.clone(), Vec::new(), false).sent_by(connection);
        }
        self.begin(0, Request::Write { handle, offset, data })
    }

    /// Says what nobody waits for an answer to, where the node is on this machine: whether it is. Where it is away, there
    /// is nobody to know it.
    pub fn tell(&self, request: Request<'_>) -> bool {
        if self.is_remote() {
            return false;
        }
        let frame = asked(0, request);
        let mut telling = self.telling.lock();
        telling.retain_mut(|connection| connection.drain().is_ok());
        let ready = telling.iter().position(|connection| connection.owed < MOST_OWED);
        let ready = ready.map(|place| telling.swap_remove(place)).map_or_else(|| self.open(), Ok);
        if let Ok(mut connection) = ready
            && connection.send(&frame).is_ok()
        {
            connection.owed += 1;
            telling.push(connection);
        }
        true
    }

    /// Asks to be told what the kernel is to forget: of what it is told once this is answered, and believes that long.
    ///
    /// # Errors
    /// The node is away.
    pub fn watch(&self, believed: Duration) -> io::Result<Watch> {
        let mut connection = self.open().map_err(Failed::into_error)?;
        let believed = u32::try_from(believed.as_millis()).unwrap_or(u32::MAX);
        connection.send(&asked(0, Request::Watch { believed }))?;
        connection.answer()?;
        Ok(Watch(connection))
    }

    fn is_remote(&self) -> bool {
        matches!(self.transport, Transport::Remote(_))
    }

    /// Sends a request by a connection that nobody uses.
    fn send(&self, frame: &[u8]) -> Result<Connection, Failed> {
        let mut connection = self.idle().map_or_else(|| self.open(), Ok)?;
        connection.send(frame).map_err(Failed::Unsent)?;
        Ok(connection)
    }

    /// A connection that nobody uses, with memory that it shares; `None` where there can't be one.
    fn sharing(&self) -> Option<Connection> {
        if self.is_remote() {
            return None;
        }
        let ready = {
            let mut idle = self.idle.lock();
            idle.iter().rposition(Connection::is_sharing).map(|place| idle.remove(place))
        };
        ready.or_else(|| {
            let mut connection = self.idle().map_or_else(|| self.open(), Ok).ok()?;
            connection.share(&asked(0, Request::Share)).ok()?;
            Some(connection)
        })
    }

    /// A connection that nobody uses, and that the node hasn't ended meanwhile.
    fn idle(&self) -> Option<Connection> {
        loop {
            let connection = self.idle.lock().pop()?;
            if connection.is_alive() {
                return Some(connection);
            }
        }
    }

    fn open(&self) -> Result<Connection, Failed> {
        let stream = self.transport.open().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Failed::Refused(error),
            _ => Failed::Unsent(error),
        })?;
        let user = self.user.as_bytes();
        let greeting = framed(|out| {
            Request::Hello { version: VERSION, session: self.session, user, exclusive: self.exclusive }.encode(out);
        });
        let mut connection = Connection::new(stream);
        // The request itself wasn't sent.
        connection.send(&greeting).map_err(Failed::Unsent)?;
        let answer = connection.answer().map_err(Failed::Unsent)?;
        Failed::unless_said(answer).map(|_| connection)
    }
}

/// What a node tells by itself.
#[derive(Debug)]
pub struct Watch(Connection);

impl Watch {
    /// Waits for the next name that the kernel is to forget: its directory, itself, and its inode.
    ///
    /// # Errors
    /// The node is away: what was told until now is believed until its time is over.
    pub fn wait(&mut self) -> io::Result<(u64, Vec<u8>, u64)> {
        decoded(self.0.answer()?.get(HEAD..).unwrap_or_default(), |from| {
            Ok((from.u64()?, from.short()?.to_vec(), from.u64()?))
        })
    }
}

/// A request on behalf of a uid, as it is sent.
fn asked(uid: u32, request: Request<'_>) -> Vec<u8> {
    framed(|out| Asked { uid, request }.encode(out))
}

/// A request behind its length.
fn framed(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut frame = Writer(vec![0; 4]);
    encode(&mut frame);
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame.0.iter_mut().zip(length.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
    frame.0
}
