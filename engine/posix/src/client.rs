//! A mount's side of the socket, or of connections from another machine. Blocks; any number of threads may call, and each
//! request has a connection of its own for as long as it takes.
//!
//! While the node is away requests wait for it, up to [`PATIENCE`]. One that was sent and not answered is asked again only
//! if that does no harm; otherwise nobody knows what became of it, and it is answered `EIO`. A node that came again knows
//! nothing of what was open before: `EBADF`, which a mount tells as `ESTALE`.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use packstone_store::codec::{DecodeError, Reader, Writer};
use parking_lot::Mutex;

use crate::protocol::{Asked, Attributes, Entry, MAX_FRAME, Request, Space, VERSION};
use crate::transport::{Remote, Stream, Transport};

/// How long a node that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Client {
    transport: Transport,
    user: String,
    session: u128,
    idle: Mutex<Vec<Stream>>,
}

/// How far a request came that failed.
enum Failed {
    /// It never reached the node.
    Unsent(io::Error),
    /// Nobody knows.
    Unanswered(io::Error),
    /// The node said so.
    Refused(io::Error),
}

impl Client {
    /// Begins a session with the node that listens at `path`, for the user of that name where a uid is nobody's; an empty
    /// one is root.
    ///
    /// # Errors
    /// It isn't there, or is of another release; `ENOKEY` where there is no such user.
    pub fn connect(path: &Path, user: &str) -> io::Result<Self> {
        Self::begin(Transport::Local(path.to_owned()), user)
    }

    /// Begins a session with the node of another machine, for whom its credentials are.
    ///
    /// # Errors
    /// It can't be reached or isn't trusted, is of another release, or doesn't take the credentials.
    pub fn connect_remote(remote: Remote) -> io::Result<Self> {
        Self::begin(Transport::Remote(Box::new(remote)), "")
    }

    fn begin(transport: Transport, user: &str) -> io::Result<Self> {
        let mut session = [0; 16];
        getrandom::fill(&mut session).map_err(|error| io::Error::other(error.to_string()))?;
        let session = u128::from_le_bytes(session);
        let client = Self { transport, user: user.to_owned(), session, idle: Mutex::default() };
        let first = client
            .open()
            .map_err(|(Failed::Unsent(error) | Failed::Unanswered(error) | Failed::Refused(error))| error)?;
        client.idle.lock().push(first);
        Ok(client)
    }

    /// Asks on behalf of a uid, and reads the answer.
    ///
    /// # Errors
    /// The error number that the node answered with, or `EIO`.
    pub fn ask<T>(
        &self,
        uid: u32,
        request: Request<'_>,
        read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
    ) -> io::Result<T> {
        let is_repeatable = request.is_repeatable();
        let frame = framed(|out| Asked { uid, request }.encode(out));
        let begun = Instant::now();
        loop {
            let error = match self.exchange(&frame) {
                Ok(answer) => {
                    let behind = answer.get(4..).unwrap_or_default();
                    return read(&mut Reader(behind)).map_err(|error| io::Error::other(error.to_string()));
                }
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::Unanswered(error)) if !is_repeatable => return Err(error),
                Err(Failed::Unsent(error) | Failed::Unanswered(error)) => error,
            };
            if begun.elapsed() > PATIENCE {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn exchange(&self, frame: &[u8]) -> Result<Vec<u8>, Failed> {
        let mut stream = match self.idle() {
            Some(stream) => stream,
            None => self.open()?,
        };
        let answer = converse(&mut stream, frame)?;
        self.idle.lock().push(stream);
        match Reader(&answer).u32() {
            Ok(0) => Ok(answer),
            Ok(errno) => Err(Failed::Refused(refusal(errno))),
            Err(_) => Err(Failed::Unanswered(io::ErrorKind::InvalidData.into())),
        }
    }

    /// A connection that nobody uses, and that the node hasn't ended meanwhile.
    fn idle(&self) -> Option<Stream> {
        loop {
            let stream = self.idle.lock().pop()?;
            if stream.is_alive() {
                return Some(stream);
            }
        }
    }

    fn open(&self) -> Result<Stream, Failed> {
        let mut stream = self.transport.open().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Failed::Refused(error),
            _ => Failed::Unsent(error),
        })?;
        let user = self.user.as_bytes();
        let greeting = framed(|out| Request::Hello { version: VERSION, session: self.session, user }.encode(out));
        match converse(&mut stream, &greeting) {
            Ok(answer) => match Reader(&answer).u32() {
                Ok(0) => Ok(stream),
                Ok(errno) => Err(Failed::Refused(refusal(errno))),
                Err(_) => Err(Failed::Unsent(io::ErrorKind::InvalidData.into())),
            },
            // The request itself wasn't sent.
            Err(Failed::Unsent(error) | Failed::Unanswered(error) | Failed::Refused(error)) => {
                Err(Failed::Unsent(error))
            }
        }
    }
}

/// A request behind its length.
fn framed(encode: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut frame = Writer(vec![0; 4]);
    encode(&mut frame);
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame.0.iter_mut().zip(length.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
    frame.0
}

fn refusal(errno: u32) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(errno).unwrap_or(libc::EIO))
}

fn converse(stream: &mut Stream, frame: &[u8]) -> Result<Vec<u8>, Failed> {
    stream.write_all(frame).and_then(|()| stream.flush()).map_err(Failed::Unsent)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).map_err(Failed::Unanswered)?;
    let length = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(Failed::Unanswered(io::ErrorKind::InvalidData.into()));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).map_err(Failed::Unanswered)?;
    Ok(answer)
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
