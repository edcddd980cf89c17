//! A mount's side of the socket, or of connections from another machine.
//!
//! A request takes a connection of its own out of those that are idle, or opens one, and can be waited for as long as it
//! takes ([`Client::ask`]), or a little and then by whoever waits for many things at once ([`Exchange`]).
//!
//! While the node is away requests wait for it, up to [`PATIENCE`]. One that was sent and not answered is asked again only
//! if that does no harm; otherwise nobody knows what became of it, and it is answered `EIO`. A node that came again knows
//! nothing of what was open before: `EBADF`, which a mount tells as `ESTALE`.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packstone_store::codec::{DecodeError, Reader, Writer};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};

use crate::protocol::{Asked, Attributes, Entry, MAX_FRAME, Request, Space, VERSION};
use crate::transport::{Remote, Stream, Transport};

/// How long a node that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// Room that an answer is given before its length is known: most need no more.
const FIRST_ROOM: usize = 8 << 10;
/// Answers that one connection may owe: neither side ever waits for the other to read.
const MOST_OWED: usize = 64;
/// Before an answer: its length, and the error number.
const HEAD: usize = 8;

#[derive(Debug)]
pub struct Client {
    transport: Transport,
    user: String,
    session: u128,
    idle: Mutex<Vec<Connection>>,
    /// Connections that are told what nobody waits for: none of them keeps a question waiting.
    telling: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    /// Answers that nobody waits for, and that come before any other.
    owed: usize,
    /// What has come of the next answer, and maybe of those behind it.
    incoming: Vec<u8>,
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
}

/// A request that was made, and what has come of its answer.
#[derive(Debug)]
pub struct Exchange {
    client: Arc<Client>,
    frame: Vec<u8>,
    is_repeatable: bool,
    begun: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is sent once somebody waits for it: another machine may take long to be reached.
    New,
    Sent(Connection),
    Over(Result<Vec<u8>, Failed>),
}

impl Client {
    /// Begins a session with the node that listens at `path`, for the user of that name where a uid is nobody's; an empty
    /// one is root.
    ///
    /// # Errors
    /// It isn't there, or is of another release; `ENOKEY` where there is no such user.
    pub fn connect(path: &Path, user: &str) -> io::Result<Self> {
        Self::enter(Transport::Local(path.to_owned()), user)
    }

    /// Begins a session with the node of another machine, for whom its credentials are.
    ///
    /// # Errors
    /// It can't be reached or isn't trusted, is of another release, or doesn't take the credentials.
    pub fn connect_remote(remote: Remote) -> io::Result<Self> {
        Self::enter(Transport::Remote(Box::new(remote)), "")
    }

    fn enter(transport: Transport, user: &str) -> io::Result<Self> {
        let mut session = [0; 16];
        getrandom::fill(&mut session).map_err(|error| io::Error::other(error.to_string()))?;
        let (user, session) = (user.to_owned(), u128::from_le_bytes(session));
        let client = Self { transport, user, session, idle: Mutex::default(), telling: Mutex::default() };
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
        decoded(&self.begin(uid, request).finish()?, read)
    }

    /// Asks on behalf of a uid, and waits for nothing: on this machine but to send it.
    #[must_use]
    pub fn begin(self: &Arc<Self>, uid: u32, request: Request<'_>) -> Exchange {
        let is_repeatable = request.is_repeatable();
        let frame = framed(|out| Asked { uid, request }.encode(out));
        let state = if self.is_remote() { State::New } else { self.send(&frame) };
        Exchange { client: self.clone(), frame, is_repeatable, begun: Instant::now(), state }
    }

    /// Says what nobody waits for an answer to, where the node is on this machine: whether it is. Where it is away, there
    /// is nobody to know it.
    pub fn tell(&self, request: Request<'_>) -> bool {
        if self.is_remote() {
            return false;
        }
        let frame = framed(|out| Asked { uid: 0, request }.encode(out));
        let mut telling = self.telling.lock();
        telling.retain_mut(|connection| connection.drain().is_ok());
        let ready = telling.iter().position(|connection| connection.owed < MOST_OWED);
        let ready = ready.map(|place| telling.swap_remove(place)).map_or_else(|| self.open(), Ok);
        if let Ok(mut connection) = ready
            && connection.stream.write_all(&frame).is_ok()
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
        let frame = framed(|out| Asked { uid: 0, request: Request::Watch { believed } }.encode(out));
        connection.send(&frame)?;
        connection.answer()?;
        Ok(Watch(connection))
    }

    fn is_remote(&self) -> bool {
        matches!(self.transport, Transport::Remote(_))
    }

    fn send(&self, frame: &[u8]) -> State {
        let mut connection = match self.idle().map_or_else(|| self.open(), Ok) {
            Ok(connection) => connection,
            Err(failed) => return State::Over(Err(failed)),
        };
        match connection.send(frame) {
            Ok(()) => State::Sent(connection),
            Err(error) => State::Over(Err(Failed::Unsent(error))),
        }
    }

    /// A connection that nobody uses, and that the node hasn't ended meanwhile.
    fn idle(&self) -> Option<Connection> {
        loop {
            let connection = self.idle.lock().pop()?;
            if connection.stream.is_alive() {
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
        let greeting = framed(|out| Request::Hello { version: VERSION, session: self.session, user }.encode(out));
        let mut connection = Connection { stream, owed: 0, incoming: Vec::new() };
        // The request itself wasn't sent.
        connection.send(&greeting).map_err(Failed::Unsent)?;
        let answer = connection.answer().map_err(Failed::Unsent)?;
        outcome(answer).map(|_| connection)
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
        decoded(&self.0.answer()?, |from| Ok((from.u64()?, from.short()?.to_vec(), from.u64()?)))
    }
}

impl Connection {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.stream.write_all(frame).and_then(|()| self.stream.flush())
    }

    /// Waits for the next answer.
    fn answer(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(answer) = self.take(RecvFlags::empty())? {
                return Ok(answer);
            }
        }
    }

    /// Takes what has come; the answer, where it is whole.
    fn take(&mut self, flags: RecvFlags) -> io::Result<Option<Vec<u8>>> {
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
    fn drain(&mut self) -> io::Result<()> {
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

impl Exchange {
    /// Takes what has come of the answer, or comes within `patience`: whether it is there, or none will come.
    pub fn is_over_within(&mut self, patience: Duration) -> bool {
        if let State::Sent(Connection { stream: Stream::Local(stream), .. }) = &self.state
            && (patience.is_zero() || wait_readable(stream, patience))
        {
            self.take(RecvFlags::DONTWAIT);
        }
        match &self.state {
            State::New | State::Sent(_) => false,
            State::Over(over) => !self.may_try_again(over),
        }
    }

    /// What is readable once more of the answer has come; `None` where [`Self::finish`] has to wait itself, for a node that
    /// is away or on another machine.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        match &self.state {
            State::Sent(Connection { stream: Stream::Local(stream), .. }) => Some(stream.as_raw_fd()),
            State::New | State::Sent(_) | State::Over(_) => None,
        }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        loop {
            match &self.state {
                State::New => self.state = self.client.send(&self.frame),
                State::Sent(_) => self.take(RecvFlags::empty()),
                State::Over(over) if self.may_try_again(over) => {
                    std::thread::sleep(PAUSE);
                    self.state = self.client.send(&self.frame);
                }
                State::Over(_) => break,
            }
        }
        match self.state {
            State::Over(over) => over.map_err(Failed::into_error),
            State::New | State::Sent(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn take(&mut self, flags: RecvFlags) {
        let State::Sent(connection) = &mut self.state else { return };
        let over = match connection.take(flags) {
            Ok(None) => return,
            Ok(Some(answer)) => outcome(answer),
            Err(error) => Err(Failed::Unanswered(error)),
        };
        let is_answered = !matches!(over, Err(Failed::Unanswered(_)));
        if let State::Sent(connection) = std::mem::replace(&mut self.state, State::Over(over))
            && is_answered
        {
            self.client.idle.lock().push(connection);
        }
    }

    fn may_try_again(&self, over: &Result<Vec<u8>, Failed>) -> bool {
        let is_harmless = match over {
            Ok(_) | Err(Failed::Refused(_)) => false,
            Err(Failed::Unsent(_)) => true,
            Err(Failed::Unanswered(_)) => self.is_repeatable,
        };
        is_harmless && self.begun.elapsed() <= PATIENCE
    }
}

/// What an answer says, behind its length and its error number.
///
/// # Errors
/// [`io::ErrorKind::Other`] for what is no such answer.
pub fn decoded<T>(answer: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>) -> io::Result<T> {
    let said = answer.get(HEAD..).unwrap_or_default();
    read(&mut Reader(said)).map_err(|error| io::Error::other(error.to_string()))
}

/// The answer, if it is none of an error.
fn outcome(answer: Vec<u8>) -> Result<Vec<u8>, Failed> {
    match Reader(answer.get(4..).unwrap_or_default()).u32() {
        Ok(0) => Ok(answer),
        Ok(errno) => {
            let errno = i32::try_from(errno).unwrap_or(libc::EIO);
            Err(Failed::Refused(io::Error::from_raw_os_error(errno)))
        }
        Err(_) => Err(Failed::Unanswered(io::ErrorKind::InvalidData.into())),
    }
}

/// What has come; of another machine's waits for it, whatever the flags say.
fn receive(stream: &mut Stream, room: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    match stream {
        Stream::Local(stream) => Ok(recv(&*stream, room, flags).map(|(received, _)| received)?),
        Stream::Plain(_) | Stream::Tls(_) => stream.read(room),
    }
}

fn wait_readable(stream: &UnixStream, patience: Duration) -> bool {
    let timeout = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
    let mut asked = [PollFd::new(stream, PollFlags::IN)];
    matches!(poll(&mut asked, Some(&timeout)), Ok(1..))
}

/// A request behind its length.
fn framed(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut frame = Writer(vec![0; 4]);
    encode(&mut frame);
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame.0.iter_mut().zip(length.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
    frame.0
}

/// An answer's attributes.
///
/// # Errors
/// [`DecodeError::Short`], as for all of these.
pub fn attributes(from: &mut Reader<'_>) -> Result<Attributes, DecodeError> {
    Attributes::decode(from)
}

/// Attributes, and the handle of what was opened.
///
/// # Errors
/// As [`attributes`].
pub fn opened(from: &mut Reader<'_>) -> Result<(Attributes, u64), DecodeError> {
    Ok((Attributes::decode(from)?, from.u64()?))
}

/// Nothing but that it was done.
///
/// # Errors
/// None.
pub fn done(_: &mut Reader<'_>) -> Result<(), DecodeError> {
    Ok(())
}

/// Bytes to the end.
///
/// # Errors
/// None.
pub fn bytes(from: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(from.0.to_vec())
}

/// # Errors
/// As [`attributes`].
pub fn entries(from: &mut Reader<'_>) -> Result<Vec<Entry>, DecodeError> {
    let mut entries = Vec::new();
    while !from.is_empty() {
        entries.push(Entry::decode(from)?);
    }
    Ok(entries)
}

/// # Errors
/// As [`attributes`].
pub fn names(from: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let mut names = Vec::new();
    while !from.is_empty() {
        names.push(from.short_str()?);
    }
    Ok(names)
}

/// # Errors
/// As [`attributes`].
pub fn space(from: &mut Reader<'_>) -> Result<Space, DecodeError> {
    Space::decode(from)
}
