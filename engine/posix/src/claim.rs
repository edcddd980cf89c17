//! What a mount on another machine may say.
//!
//! The kernel of a mount's machine checks mode bits, and what it lets nobody but root do there, it does not ask for. On the
//! node's own machine that kernel is believed, for it is the node's. Another machine's is not, nor is it known to be a
//! kernel at all: whoever has credentials may say what they like. So of what is said by other credentials than root's
//!
//! - nothing is made, or given away, in the name of root or of somebody else: a user who has a uid makes files as that, one
//!   who has none as any uid that is nobody's, and what is said in another's name is made as [`NOBODY`];
//! - no program comes to run with the rights of its owner or group, and no device is made;
//! - an inode's number is not enough: what is said of it is told to who could look it up, or has it open.
//!
//! Mode bits themselves are the other kernel's affair: policies decide alone for who does without one.

use std::sync::Arc;

use packstone_access::{Actor, PosixIds};

use crate::caller::{Caller, Holder, Signer};
use crate::content::Which;
use crate::protocol::{Change, Maker, Request};
use crate::session::Session;
use crate::{Errno, Files};

/// Whose what is made in another's name is, by uid and gid.
pub const NOBODY: u32 = 65534;
/// A program with these bits runs as its owner, or with its group.
const ELEVATING: u32 = libc::S_ISUID | libc::S_ISGID;

/// A request as it is carried out, or why it isn't.
///
/// # Errors
/// [`Errno::NOT_PERMITTED`] for what takes root's credentials, and what stands against a question about an inode.
pub async fn bounded<'r>(
    session: &Session,
    files: &Files,
    signer: &Arc<dyn Signer>,
    request: Request<'r>,
) -> Result<Request<'r>, Errno> {
    // What is open needs no credentials that are good still.
    if matches!(
        request,
        Request::Read { .. } | Request::Write { .. } | Request::Publish { .. } | Request::Release { .. }
    ) {
        return Ok(request);
    }
    let caller = files.caller(&session.credential, Some(signer), 0);
    if let Request::Attributes { inode } = request {
        let known = caller.and_then(|caller| files.ask_to_know(&caller, inode));
        return known.or_else(|errno| held(session, inode, false, errno)).map(|()| request);
    }
    let caller = caller?;
    if let Request::Change { inode, .. } = request
        && files.is_orphan(inode)
    {
        held(session, inode, true, Errno::STALE)?;
    }
    let Actor::Principal(identity) = caller.actor().clone() else { return Ok(request) };
    let owner = Owner { files, posix: identity.posix.as_ref() };
    match request {
        Request::MakeDirectory { parent, name, maker } => {
            let maker = owner.of(Maker { mode: maker.mode & !libc::S_ISUID, ..maker });
            Ok(Request::MakeDirectory { parent, name, maker })
        }
        Request::Link { parent, name, target, maker } => {
            Ok(Request::Link { parent, name, target, maker: owner.of(maker) })
        }
        Request::Create { parent, name, maker, read, exclusive, empty, at_once } => {
            if matches!(maker.mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK) {
                return Err(Errno::NOT_PERMITTED);
            }
            files.arrive(Which::Name(name)).await;
            if let Ok(found) = files.lookup(&caller, parent, name, &session.told) {
                files.demote(&caller, found.inode).await?;
            }
            let maker = owner.of(Maker { mode: maker.mode & !ELEVATING, ..maker });
            Ok(Request::Create { parent, name, maker, read, exclusive, empty, at_once })
        }
        Request::Open { inode, write, empty, .. } if write || empty => {
            files.demote(&caller, inode).await?;
            Ok(request)
        }
        Request::Change { inode, change, .. } => {
            owner.expect(change)?;
            if change.mode.is_some_and(|mode| mode & files.elevating(inode) != 0) {
                return Err(Errno::NOT_PERMITTED);
            }
            if change.size.is_some() && change.mode.is_none() {
                files.demote(&caller, inode).await?;
            }
            Ok(request)
        }
        _ => Ok(request),
    }
}

/// That a session has it open, and to write it where that is what counts.
fn held(session: &Session, inode: u64, write: bool, errno: Errno) -> Result<(), Errno> {
    if session.has_open(inode, write) { Ok(()) } else { Err(errno) }
}

/// In whose name somebody may make files.
struct Owner<'a> {
    files: &'a Files,
    posix: Option<&'a PosixIds>,
}

impl Owner<'_> {
    fn of(&self, maker: Maker) -> Maker {
        let (uid, gid) = match self.posix {
            Some(own) if own.gids.contains(&maker.gid) => (own.uid, maker.gid),
            Some(own) => (own.uid, own.gids.first().copied().unwrap_or(NOBODY)),
            None if self.is_nobodys(maker.uid) => (maker.uid, if maker.gid == 0 { NOBODY } else { maker.gid }),
            None => (NOBODY, NOBODY),
        };
        Maker { uid, gid, ..maker }
    }

    fn is_nobodys(&self, uid: u32) -> bool {
        uid != 0 && matches!(self.files.authority.holder(uid), Holder::Nobody)
    }

    /// That nothing is given to anybody else.
    fn expect(&self, Change { uid, gid, .. }: Change) -> Result<(), Errno> {
        let own = |uid: u32| self.posix.map_or_else(|| self.is_nobodys(uid), |own| own.uid == uid);
        let belongs = |gid: u32| self.posix.map_or(gid != 0, |own| own.gids.contains(&gid));
        let may = uid.is_none_or(own) && gid.is_none_or(belongs);
        if may { Ok(()) } else { Err(Errno::NOT_PERMITTED) }
    }
}

impl Files {
    /// Bits that nobody but root may set: of a directory, files made in it have its group by one of them, and it runs not.
    fn elevating(&self, inode: u64) -> u32 {
        let is_directory = self.told(inode).is_ok_and(|held| held.mode & libc::S_IFMT == libc::S_IFDIR);
        if is_directory { libc::S_ISUID } else { ELEVATING }
    }

    /// Has a file that is to be written run as nobody but who runs it, as a kernel does when it is written.
    async fn demote(&self, caller: &Caller, inode: u64) -> Result<(), Errno> {
        let Ok(held) = self.told(inode) else { return Ok(()) };
        if held.mode & libc::S_IFMT != libc::S_IFREG || held.mode & ELEVATING == 0 {
            return Ok(());
        }
        let mode = Some(held.mode & 0o7777 & !ELEVATING);
        self.change(Some(caller), inode, Change { mode, ..Change::default() }).await.map(drop)
    }

    /// Whether a file has no name any more, and is there for who has it open.
    fn is_orphan(&self, inode: u64) -> bool {
        self.open.get(inode).is_some_and(|open| open.seen().orphan)
    }
}
