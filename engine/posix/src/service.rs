//! The socket that mounts speak to, and the connections of mounts on other machines.
//!
//! One task a connection, one request at a time. Who connects by the socket is believed for whom it asks, root or any user:
//! the socket is its owner's alone. A connection from another machine comes by [`Service::take`] with who signed it, who is
//! believed nothing else: [`claim`](crate::claim) says what follows from that.
//!
//! A session belongs to the credentials that began it, and no other connection joins it. It ends with its last connection;
//! that of a mount on another machine, where something is open, [`ABSENCE`] later, so that a network that fails for a moment
//! costs nobody what is open. A machine that is gone without a word is found out by TCP.
//!
//! A connection of this machine's may have content go through a [`SharedBuffer`] of its own.
//!
//! What other machines may have of this one is bounded: connections by [`Place`]s, half of them for one access key, which
//! is held also while a session waits for its mount; what a connection may send before it was greeted, and how long a
//! request may take to come.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use packstone_store::codec::{DecodeError, Writer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::caller::{Credential, Signer};
use crate::content::{self, Which};
use crate::protocol::{Asked, MAX_FRAME, Request, VERSION, greeted};
use crate::session::Session;
use crate::shared_buffer::{Filling, SharedBuffer, hand_over};
use crate::told::Forgotten;
use crate::{Errno, Files, locker, times};

/// So long a request may still take when the service ends.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// So long publishing what is open may take then.
const ENDING: Duration = Duration::from_secs(30);
/// So long another machine may take to greet, or to send a request that it has begun.
const DISPATCH: Duration = Duration::from_secs(30);
/// So long what a mount on another machine has open waits for it, when it has no connection left.
const ABSENCE: Duration = Duration::from_secs(30);
/// A connection that asks nothing for so long keeps no memory of more than this for its next request.
const QUIET: Duration = Duration::from_secs(5);
const QUIET_FRAME: usize = 64 << 10;

/// Serves mounts until it is stopped.
#[derive(Debug)]
pub struct Service {
    path: PathBuf,
    stop: watch::Sender<bool>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    merging: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    arrivals: mpsc::UnboundedSender<Connection>,
}

#[derive(Debug)]
struct Shared {
    files: Arc<Files>,
    sessions: Mutex<HashMap<u128, Arc<Session>>>,
    /// Connections that other machines may have.
    most_remote: AtomicUsize,
    /// Those that they have, by access key.
    remote: Mutex<HashMap<Box<str>, usize>>,
}

/// A connection's task, from the greeting to its end.
type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Leave for one connection from another machine.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    access_key: Box<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut remote = self.shared.remote.lock();
        if let Some(count) = remote.get_mut(&self.access_key) {
            *count -= 1;
            if *count == 0 {
                remote.remove(&self.access_key);
            }
        }
    }
}

/// Where a connection comes from.
#[derive(Debug)]
enum Origin {
    /// This machine, by a socket that memory can be handed over by.
    Here(OwnedFd),
    /// Another one: who signed it, and its place.
    Elsewhere { signer: Arc<dyn Signer>, place: Place },
}

impl Service {
    /// Listens on a socket at `path`, in place of what an earlier process left there.
    ///
    /// # Errors
    /// The socket can't be made.
    pub fn start(files: Arc<Files>, path: &Path, runtime: &Handle) -> io::Result<Self> {
        let _within = runtime.enter();
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            files,
            sessions: Mutex::default(),
            most_remote: AtomicUsize::new(0),
            remote: Mutex::default(),
        });
        runtime.spawn(locker::run(shared.files.clone(), stopped.clone()));
        runtime.spawn(times::run(shared.files.clone(), stopped.clone()));
        let merging = runtime.spawn(content::merge(shared.files.clone(), stopped.clone()));
        let (arrivals, arriving) = mpsc::unbounded_channel();
        let accepting = runtime.spawn(accept((listener, arriving), shared.clone(), stopped));
        let (accepting, merging) = (Mutex::new(Some(accepting)), Mutex::new(Some(merging)));
        Ok(Self { path: path.to_owned(), stop, accepting, merging, shared, arrivals })
    }

    /// How many connections other machines may have, together; half of them with one access key. None, until this is said.
    pub fn set_most_remote(&self, most: usize) {
        self.shared.most_remote.store(most, Ordering::Relaxed);
    }

    /// How many they have, with those that sessions are kept for.
    #[must_use]
    pub fn remote_connections(&self) -> usize {
        self.shared.remote.lock().values().sum()
    }

    /// How many pieces of files there are fewer because they were merged in the background, and the bytes that were written
    /// for that, since the start.
    #[must_use]
    pub fn merged(&self) -> (u64, u64) {
        self.shared.files.crowded.merged()
    }

    /// A place for a connection that was signed with an access key; none where too many are taken.
    #[must_use]
    pub fn admit(&self, access_key: &str) -> Option<Place> {
        let most = self.shared.most_remote.load(Ordering::Relaxed);
        let mut remote = self.shared.remote.lock();
        let own = remote.get(access_key).copied().unwrap_or(0);
        if *self.stop.borrow() || own >= most.div_ceil(2) || remote.values().sum::<usize>() >= most {
            return None;
        }
        remote.insert(access_key.into(), own + 1);
        Some(Place { shared: self.shared.clone(), access_key: access_key.into() })
    }

    /// Serves a connection from another machine, until it ends or this is stopped.
    pub fn take<S>(&self, stream: S, signer: Arc<dyn Signer>, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let origin = Origin::Elsewhere { signer, place };
        let connection = serve(stream, origin, self.shared.clone(), self.stop.subscribe());
        // One that comes after the end has nobody to serve it.
        let _ = self.arrivals.send(Box::pin(connection));
    }

    /// Ends all connections; what they had open is published.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let accepting = self.accepting.lock().take();
        if let Some(accepting) = accepting {
            // A task that panicked has said so.
            let _ = accepting.await;
            let _ = std::fs::remove_file(&self.path);
        }
        let merging = self.merging.lock().take();
        if let Some(merging) = merging {
            // It ends with its step, which drives that answer no more may hold.
            let _ = tokio::time::timeout(LAST_ANSWER, merging).await;
        }
    }
}

async fn accept(
    (listener, mut arriving): (UnixListener, mpsc::UnboundedReceiver<Connection>),
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match stream.as_fd().try_clone_to_owned() {
                    Ok(socket) => {
                        connections.spawn(serve(stream, Origin::Here(socket), shared.clone(), stopped.clone()));
                    }
                    Err(error) => tracing::warn!(%error, "a mount could not connect"),
                }
                Err(error) => {
                    tracing::warn!(%error, "a mount could not connect");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(connection) = arriving.recv() => {
                connections.spawn(connection);
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    arriving.close();
    let ended = async { while connections.join_next().await.is_some() {} };
    let ended = async {
        ended.await;
        shared.files.arrive(Which::All).await;
        shared.files.write_times(true).await
    };
    match tokio::time::timeout(ENDING, ended).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "times of directories could not all be written: they are older now"),
        Err(_) => tracing::warn!("files that mounts have open could not all be published in time"),
    }
}

/// One connection, from the greeting to its end.
async fn serve<S>(mut stream: S, origin: Origin, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut frame = Vec::new();
    let mut buffer = None;
    let (socket, signer, _place) = match origin {
        Origin::Here(socket) => (Some(socket), None, None),
        Origin::Elsewhere { signer, place } => (None, Some(signer), Some(place)),
    };
    let signer = signer.as_ref();
    let greeted = tokio::select! {
        greeted = greet(&mut stream, signer, &shared, &mut frame) => greeted,
        _ = stopped.changed() => return,
    };
    let Ok(session) = greeted else { return };
    while !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => break,
            read = read_frame(&mut stream, &mut frame, signer.is_some()) => if !matches!(read, Ok(true)) { break },
        }
        let asked = Asked::decode(&frame);
        if let Ok(Asked { request: Request::Watch { believed }, .. }) = asked {
            tokio::select! {
                _ = stopped.changed() => {}
                // However it ends, the mount begins anew.
                _ = watch(&mut stream, &shared, &session, believed) => {}
            }
            break;
        }
        if let (Ok(Asked { request: Request::Share, .. }), Some(socket)) = (&asked, &socket) {
            match share(socket) {
                Ok(made) => buffer = Some(made),
                Err(error) => {
                    tracing::warn!(%error, "no memory could be shared with a mount");
                    if answer(&mut stream, Err(Errno::NO_MEMORY), Writer::default()).await.is_err() {
                        break;
                    }
                }
            }
            continue;
        }
        let exchange = async {
            let mut out = Writer(vec![0; 8]);
            let outcome = carry_out(&shared, signer, &session, asked, (&mut buffer, &mut out)).await;
            answer(&mut stream, outcome, out).await
        };
        tokio::select! {
            exchanged = exchange => if exchanged.is_err() { break },
            // A mount that reads no answer keeps nobody waiting for longer.
            () = late(&mut stopped) => break,
        }
    }
    // Nothing of the connection may be left: what the mount has open elsewhere is published next.
    drop((stream, socket));
    leave(&shared, &session, &mut stopped).await;
}

/// Tells a mount what it is to forget, until it goes.
async fn watch<S>(stream: &mut S, shared: &Shared, session: &Arc<Session>, believed: u32) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut told = session.told.watch(Duration::from_millis(believed.into()));
    shared.files.watching.enter(session);
    answer(stream, Ok(()), Writer::default()).await?;
    let mut frame = Vec::new();
    loop {
        let forgotten = tokio::select! {
            forgotten = told.recv() => forgotten,
            // It says nothing more: this is its end.
            _ = read_frame(stream, &mut frame, false) => return Ok(()),
        };
        let Some(Forgotten { parent, name, inode }) = forgotten else { return Ok(()) };
        let mut out = Writer(vec![0; 8]);
        out.u64(parent);
        out.short(&name);
        out.u64(inode);
        answer(stream, Ok(()), out).await?;
    }
}

/// A while after the end was asked for.
async fn late(stopped: &mut watch::Receiver<bool>) {
    // Where the sender is gone the end was asked for, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    tokio::time::sleep(LAST_ANSWER).await;
}

/// Takes a greeting, and the session that it names.
async fn greet<S>(
    stream: &mut S,
    signer: Option<&Arc<dyn Signer>>,
    shared: &Shared,
    frame: &mut Vec<u8>,
) -> io::Result<Arc<Session>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let refused = || io::Error::from(io::ErrorKind::InvalidData);
    let read = match signer {
        Some(_) => tokio::time::timeout(DISPATCH, read_frame(stream, frame, true)).await.map_err(|_| refused())?,
        None => read_frame(stream, frame, false).await,
    };
    if !read? {
        return Err(refused());
    }
    if greeted(frame).is_some_and(|version| version != VERSION) {
        answer(stream, Err(Errno(libc::EPROTONOSUPPORT)), Writer::default()).await?;
        return Err(refused());
    }
    let greeting = Request::decode(frame).map_err(|_| refused())?;
    let Request::Hello { session, user, exclusive, .. } = greeting else { return Err(refused()) };
    let joined = match credential(shared, signer, user) {
        // Who has a key may not keep everybody else away.
        Ok(_) if exclusive && signer.is_some() => Err(Errno::NOT_PERMITTED),
        Ok(credential) => join(shared, session, credential, exclusive),
        Err(errno) => Err(errno),
    };
    let session = match joined {
        Ok(session) => session,
        Err(errno) => {
            answer(stream, Err(errno), Writer::default()).await?;
            return Err(refused());
        }
    };
    match answer(stream, Ok(()), Writer::default()).await {
        Ok(()) => Ok(session),
        Err(error) => {
            part(shared, &session).await;
            Err(error)
        }
    }
}

/// Whom a mount speaks for: who signed, and nobody that it names, or whom it names.
fn credential(shared: &Shared, signer: Option<&Arc<dyn Signer>>, user: &[u8]) -> Result<Credential, Errno> {
    match signer {
        Some(signer) if user.is_empty() => Ok(Credential::Signed(signer.fingerprint())),
        Some(_) => Err(Errno::ACCESS),
        None => shared.files.credential(user).ok_or(Errno::NO_USER),
    }
}

/// One more connection of a session, which is begun where there is none of that id; one that is `exclusive` has no other
/// beside it.
fn join(shared: &Shared, id: u128, credential: Credential, exclusive: bool) -> Result<Arc<Session>, Errno> {
    let mut sessions = shared.sessions.lock();
    let session = match sessions.get(&id) {
        Some(session) if session.credential != credential => return Err(Errno::ACCESS),
        Some(session) => session.clone(),
        None if exclusive && !sessions.is_empty() => return Err(Errno::BUSY),
        None if sessions.values().any(|session| session.exclusive) => return Err(Errno::BUSY),
        None => {
            let session = Arc::new(Session::new(id, credential, exclusive));
            sessions.insert(id, session.clone());
            session
        }
    };
    session.connections.fetch_add(1, Ordering::Relaxed);
    session.joined.notify_waiters();
    Ok(session)
}

/// A connection of a session ends, and with the last one the session: at once, or when it was waited for long enough.
async fn leave(shared: &Shared, session: &Session, stopped: &mut watch::Receiver<bool>) {
    loop {
        let joined = session.joined.notified();
        if !is_last(shared, session) {
            return;
        }
        if !matches!(session.credential, Credential::Signed(_)) || !session.has_any_open() {
            break;
        }
        // This connection counts meanwhile, so that no other ends the session.
        tokio::select! {
            () = joined => {}
            () = tokio::time::sleep(ABSENCE) => {
                tracing::warn!("a mount on another machine is gone: what it had open is published");
                break;
            }
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    part(shared, session).await;
}

/// Whether a connection is the last one of its session; if not, it counts no more.
fn is_last(shared: &Shared, session: &Session) -> bool {
    let _held = shared.sessions.lock();
    let last = session.connections.load(Ordering::Relaxed) == 1;
    if !last {
        session.connections.fetch_sub(1, Ordering::Relaxed);
    }
    last
}

async fn part(shared: &Shared, session: &Session) {
    let ends = {
        let mut sessions = shared.sessions.lock();
        let ends = session.connections.fetch_sub(1, Ordering::Relaxed) == 1;
        if ends {
            sessions.remove(&session.id);
        }
        ends
    };
    if ends {
        shared.files.watching.leave(session);
        session.end(&shared.files).await;
    }
}

/// Makes memory for a connection, and hands it over with an answer.
fn share(socket: &OwnedFd) -> io::Result<SharedBuffer> {
    let (buffer, memory) = SharedBuffer::make()?;
    let mut out = Writer::default();
    complete(&mut out, Ok(()));
    hand_over(socket.as_fd(), &out.0, &memory)?;
    Ok(buffer)
}

/// Carries out what a connection asks: what it answers with is appended to `out`, or fills the connection's buffer.
async fn carry_out(
    shared: &Shared,
    signer: Option<&Arc<dyn Signer>>,
    session: &Session,
    asked: Result<Asked<'_>, DecodeError>,
    (buffer, out): (&mut Option<SharedBuffer>, &mut Writer),
) -> Result<(), Errno> {
    let asked = asked?;
    match (&asked.request, buffer) {
        (&Request::ReadShared { handle, offset, length }, Some(buffer)) => {
            let mut filling = Filling::new(buffer);
            session.read(&shared.files, handle, (offset, length), &mut filling).await?;
            out.u32(u32::try_from(filling.length).unwrap_or(u32::MAX));
            Ok(())
        }
        (&Request::WriteShared { handle, offset, length }, Some(buffer)) => {
            let data = usize::try_from(length).ok().and_then(|length| buffer.copy(length)).ok_or(Errno::INVALID)?;
            session.write(&shared.files, handle, offset, data.into()).await
        }
        _ => session.answer(&shared.files, signer, asked, out).await,
    }
}

/// Writes an answer, for whose head there is room before `out` where it says anything.
async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, outcome: Result<(), Errno>, mut out: Writer) -> io::Result<()> {
    complete(&mut out, outcome);
    stream.write_all(&out.0).await?;
    // Of TLS, what was written may be waiting still.
    stream.flush().await
}

/// Puts the length and the error number before what is said, of which nothing stays where there is an error.
fn complete(out: &mut Writer, outcome: Result<(), Errno>) {
    let errno = match outcome {
        Ok(()) => 0,
        Err(Errno(number)) => {
            out.0.clear();
            u32::try_from(number).unwrap_or(u32::MAX)
        }
    };
    if out.0.len() < 8 {
        out.0.resize(8, 0);
    }
    let length = u32::try_from(out.0.len() - 4).unwrap_or(u32::MAX);
    for (slot, byte) in out.0.iter_mut().zip(length.to_le_bytes().into_iter().chain(errno.to_le_bytes())) {
        *slot = byte;
    }
}

/// Whether there was a frame before the end. One that comes from a `remote` machine comes soon, once it has begun.
async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S, frame: &mut Vec<u8>, remote: bool) -> io::Result<bool> {
    let length = match read_length(stream, frame, remote).await {
        Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    };
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let content = read_content(stream, frame, length);
    if remote {
        tokio::time::timeout(DISPATCH, content).await??;
    } else {
        content.await?;
    }
    Ok(true)
}

/// Waits for a frame's length, without room for its bytes where that takes long.
async fn read_length<S: AsyncRead + Unpin>(stream: &mut S, frame: &mut Vec<u8>, remote: bool) -> io::Result<u32> {
    let mut reading = pin!(stream.read_u32_le());
    if remote && frame.capacity() > QUIET_FRAME {
        if let Ok(length) = tokio::time::timeout(QUIET, &mut reading).await {
            return length;
        }
        *frame = Vec::new();
    }
    reading.await
}

/// Takes room for what is announced, and has the system make it memory as it comes.
async fn read_content<S: AsyncRead + Unpin>(stream: &mut S, frame: &mut Vec<u8>, length: usize) -> io::Result<()> {
    frame.clear();
    frame.reserve(length);
    while frame.len() < length {
        let left = u64::try_from(length - frame.len()).unwrap_or(u64::MAX);
        if (&mut *stream).take(left).read_buf(frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}
