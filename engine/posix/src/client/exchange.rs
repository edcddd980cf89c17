//! A question of a mount's, from being asked to being answered.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packstone_store::codec::Reader;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;

use super::connection::Connection;
use super::{Client, Failed, HEAD};

/// How long a node that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A request that was made, and what has come of its answer.
#[derive(Debug)]
pub struct Exchange {
    client: Arc<Client>,
    /// What is sent when it is tried again.
    frame: Vec<u8>,
    is_repeatable: bool,
    begun: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It is sent once somebody waits for it: another machine may take long to be reached.
    New,
    /// Where it is `filled`, the answer says how much of the shared memory is.
    Sent {
        connection: Connection,
        filled: bool,
    },
    Over(Result<Reply, Failed>),
}

/// What the node answered.
#[derive(Debug)]
pub enum Reply {
    /// Behind its head.
    Said(Vec<u8>),
    Filled(Filled),
}

/// Content in the memory of a connection, which nobody else uses until this is dropped.
#[derive(Debug)]
pub struct Filled {
    client: Arc<Client>,
    connection: Option<Connection>,
    length: usize,
}

impl Reply {
    /// What is said, or was read.
    #[must_use]
    pub fn said(&self) -> &[u8] {
        match self {
            Self::Said(answer) => answer.get(HEAD..).unwrap_or_default(),
            Self::Filled(filled) => filled.bytes(),
        }
    }
}

impl Filled {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.connection.as_ref().map(|connection| connection.filled(self.length)).unwrap_or_default()
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.client.idle.lock().extend(self.connection.take());
    }
}

impl Exchange {
    pub(super) fn new(client: Arc<Client>, frame: Vec<u8>, is_repeatable: bool) -> Self {
        Self { client, frame, is_repeatable, begun: Instant::now(), state: State::New }
    }

    /// It, sent by some connection if there is one.
    pub(super) fn sent(mut self) -> Self {
        self.send();
        self
    }

    /// It, which was sent by that connection.
    pub(super) fn sent_by(self, connection: Connection) -> Self {
        Self { state: State::Sent { connection, filled: false }, ..self }
    }

    /// The same, where the answer fills the memory of the connection.
    pub(super) fn sent_to_be_filled(self, connection: Connection) -> Self {
        Self { state: State::Sent { connection, filled: true }, ..self }
    }

    fn send(&mut self) {
        self.state = match self.client.send(&self.frame) {
            Ok(connection) => State::Sent { connection, filled: false },
            Err(failed) => State::Over(Err(failed)),
        };
    }

    fn socket(&self) -> Option<&UnixStream> {
        match &self.state {
            State::Sent { connection, .. } => connection.socket(),
            State::New | State::Over(_) => None,
        }
    }

    /// Takes what has come of the answer, or comes within `patience`: whether it is there, or none will come.
    pub fn is_over_within(&mut self, patience: Duration) -> bool {
        if self.socket().is_some_and(|socket| patience.is_zero() || wait_readable(socket, patience)) {
            self.take(RecvFlags::DONTWAIT);
        }
        match &self.state {
            State::New | State::Sent { .. } => false,
            State::Over(over) => !self.may_try_again(over),
        }
    }

    /// What is readable once more of the answer has come; `None` where [`Self::finish`] has to wait itself, for a node that
    /// is away or on another machine.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        self.socket().map(AsRawFd::as_raw_fd)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub fn finish(mut self) -> io::Result<Reply> {
        loop {
            match &self.state {
                State::New => self.send(),
                State::Sent { .. } => self.take(RecvFlags::empty()),
                State::Over(over) if self.may_try_again(over) => {
                    std::thread::sleep(PAUSE);
                    self.send();
                }
                State::Over(_) => break,
            }
        }
        match self.state {
            State::Over(over) => over.map_err(Failed::into_error),
            State::New | State::Sent { .. } => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn take(&mut self, flags: RecvFlags) {
        let State::Sent { connection, .. } = &mut self.state else { return };
        let came = match connection.take(flags) {
            Ok(None) => return,
            Ok(Some(answer)) => Failed::unless_said(answer),
            Err(error) => Err(Failed::Unanswered(error)),
        };
        let state = std::mem::replace(&mut self.state, State::New);
        let State::Sent { connection, filled } = state else { return };
        self.state = State::Over(match came {
            Ok(answer) if filled => {
                let length = Reader(answer.get(HEAD..).unwrap_or_default()).u32().unwrap_or(0);
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Ok(Reply::Filled(Filled { client: self.client.clone(), connection: Some(connection), length }))
            }
            Err(failed @ Failed::Unanswered(_)) => Err(failed),
            other => {
                self.client.idle.lock().push(connection);
                other.map(Reply::Said)
            }
        });
    }

    fn may_try_again(&self, over: &Result<Reply, Failed>) -> bool {
        let is_harmless = match over {
            Ok(_) | Err(Failed::Refused(_)) => false,
            Err(Failed::Unsent(_)) => true,
            Err(Failed::Unanswered(_)) => self.is_repeatable,
        };
        is_harmless && self.begun.elapsed() <= PATIENCE
    }
}

fn wait_readable(stream: &UnixStream, patience: Duration) -> bool {
    let timeout = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
    let mut asked = [PollFd::new(stream, PollFlags::IN)];
    matches!(poll(&mut asked, Some(&timeout)), Ok(1..))
}
