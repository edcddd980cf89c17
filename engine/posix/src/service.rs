//! The socket that mounts speak to.
//!
//! One task a connection, one request at a time. Who connects is believed for whom it asks, root or any user: the socket is
//! its owner's alone.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use packstone_store::codec::Writer;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::protocol::{Asked, MAX_FRAME, Request, VERSION, greeted};
use crate::session::Session;
use crate::{Errno, Files, locker};

/// So long a request may still take when the service ends.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// So long publishing what is open may take then.
const ENDING: Duration = Duration::from_secs(30);

/// Serves mounts until it is stopped.
#[derive(Debug)]
pub struct Service {
    path: PathBuf,
    stop: watch::Sender<bool>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    files: Arc<Files>,
    sessions: Mutex<HashMap<u128, Arc<Session>>>,
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
        let shared = Arc::new(Shared { files, sessions: Mutex::default() });
        runtime.spawn(locker::run(shared.files.clone(), stopped.clone()));
        let accepting = runtime.spawn(accept(listener, shared, stopped));
        Ok(Self { path: path.to_owned(), stop, accepting: Mutex::new(Some(accepting)) })
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
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, shared.clone(), stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a mount could not connect");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(ENDING, ended).await.is_err() {
        tracing::warn!("files that mounts have open could not all be published in time");
    }
}

/// One connection, from the greeting to its end.
async fn serve(mut stream: UnixStream, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut frame = Vec::new();
    let greeted = tokio::select! {
        greeted = greet(&mut stream, &shared, &mut frame) => greeted,
        _ = stopped.changed() => return,
    };
    let Ok(session) = greeted else { return };
    while !*stopped.borrow() {
        tokio::select! {
            _ = stopped.changed() => break,
            read = read_frame(&mut stream, &mut frame) => if !matches!(read, Ok(true)) { break },
        }
        tokio::select! {
            exchanged = exchange(&mut stream, &shared, &session, &frame) => if exchanged.is_err() { break },
            // A mount that reads no answer keeps nobody waiting for longer.
            () = late(&mut stopped) => break,
        }
    }
    leave(&shared, &session).await;
}

/// A while after the end was asked for.
async fn late(stopped: &mut watch::Receiver<bool>) {
    // Where the sender is gone the end was asked for, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    tokio::time::sleep(LAST_ANSWER).await;
}

/// Takes a greeting, and the session that it names.
async fn greet(stream: &mut UnixStream, shared: &Shared, frame: &mut Vec<u8>) -> io::Result<Arc<Session>> {
    let refused = || io::Error::from(io::ErrorKind::InvalidData);
    if !read_frame(stream, frame).await? {
        return Err(refused());
    }
    if greeted(frame).is_some_and(|version| version != VERSION) {
        answer(stream, Err(Errno(libc::EPROTONOSUPPORT)), Writer::default()).await?;
        return Err(refused());
    }
    let greeting = Request::decode(frame).map_err(|_| refused())?;
    let Request::Hello { session, user, .. } = greeting else { return Err(refused()) };
    let Some(credential) = shared.files.credential(user) else {
        answer(stream, Err(Errno::NO_USER), Writer::default()).await?;
        return Err(refused());
    };
    let session = {
        let mut sessions = shared.sessions.lock();
        let session = sessions.entry(session).or_insert_with(|| Arc::new(Session::new(session, credential))).clone();
        session.connections.fetch_add(1, Ordering::Relaxed);
        session
    };
    match answer(stream, Ok(()), Writer::default()).await {
        Ok(()) => Ok(session),
        Err(error) => {
            leave(shared, &session).await;
            Err(error)
        }
    }
}

/// A connection of a session ends, and with the last one the session.
async fn leave(shared: &Shared, session: &Session) {
    let ends = {
        let mut sessions = shared.sessions.lock();
        let ends = session.connections.fetch_sub(1, Ordering::Relaxed) == 1;
        if ends {
            sessions.remove(&session.id);
        }
        ends
    };
    if ends {
        session.end(&shared.files).await;
    }
}

async fn exchange(
    stream: &mut UnixStream,
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    frame: &[u8],
) -> io::Result<()> {
    let mut out = Writer(vec![0; 8]);
    let outcome = match Asked::decode(frame) {
        Ok(asked) => session.answer(&shared.files, asked, &mut out).await,
        Err(error) => Err(error.into()),
    };
    answer(stream, outcome, out).await
}

/// Writes an answer, for whose head there is room before `out` where it says anything.
async fn answer(stream: &mut UnixStream, outcome: Result<(), Errno>, mut out: Writer) -> io::Result<()> {
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
    stream.write_all(&out.0).await
}

/// Whether there was a frame before the end.
async fn read_frame(stream: &mut UnixStream, frame: &mut Vec<u8>) -> io::Result<bool> {
    let length = match stream.read_u32_le().await {
        Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    };
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    frame.resize(length, 0);
    stream.read_exact(frame).await?;
    Ok(true)
}
