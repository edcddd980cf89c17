//! What a mount may ask for, one file a family.

mod change;
mod directory;
mod extended;
mod file;
mod hard_link;
mod list;
mod lookup;
mod rename;
mod rename_tree;
mod space;

use std::sync::Arc;

use packstone_access::{Action, Grant};
use packstone_store::object::{Attributes as ObjectAttributes, Etag, Precondition, Version};
use packstone_store::record::Posix;
use tokio::sync::MutexGuard;

use crate::content::{Content, OpenFile, Place, Seen, Which};
use crate::protocol::Maker;
use crate::tree::{DEVICE, Directory, Node, attributes_of_open};
use crate::{Errno, Files, STRIPES, protocol};

/// The MD5 of no bytes, the tag of an empty object.
const EMPTY: Etag = Etag {
    md5: [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e],
    parts: 0,
};

impl Files {
    /// What is said of an inode.
    ///
    /// # Errors
    /// [`Errno::STALE`].
    pub(crate) fn told(&self, inode: u64) -> Result<protocol::Attributes, Errno> {
        let held = self.open.get(inode).map(|open| open.seen());
        match held {
            Some(seen) if seen.orphan || seen.unmade => Ok(attributes_of_open(&seen)),
            held => match (self.node(inode), held) {
                // S3 has put another object in its place, and who has it open goes on.
                (Err(Errno::STALE), Some(seen)) => Ok(attributes_of_open(&Seen { orphan: true, ..seen })),
                (node, _) => self.attributes(&node?),
            },
        }
    }

    /// Keeps the names of directories as they are for everybody else, once all that is on its way has come.
    async fn hold_names(&self, one: u64, other: u64) -> [Option<MutexGuard<'_, ()>>; 2] {
        let held = self.lock_names(one, other).await;
        self.arrive(Which::All).await;
        held
    }

    /// The same, whatever is on its way.
    async fn lock_names(&self, one: u64, other: u64) -> [Option<MutexGuard<'_, ()>>; 2] {
        let stripe = |inode: u64| usize::try_from(inode % STRIPES as u64).unwrap_or(0);
        let (first, second) = (stripe(one).min(stripe(other)), stripe(one).max(stripe(other)));
        let mut held = [None, None];
        for (slot, (at, wanted)) in held.iter_mut().zip([(first, true), (second, first != second)]) {
            if let Some(lock) = self.names.get(at).filter(|_| wanted) {
                *slot = Some(lock.lock().await);
            }
        }
        held
    }

    /// Keeps all names as they are for everybody else.
    async fn hold_all_names(&self) -> Vec<MutexGuard<'_, ()>> {
        let mut held = Vec::with_capacity(STRIPES);
        for lock in &self.names {
            held.push(lock.lock().await);
        }
        self.arrive(Which::All).await;
        held
    }

    /// Takes the content of open files, in order of their inodes: two who need several never wait for each other.
    async fn settle<'f>(
        &self,
        open: &'f mut Vec<Arc<OpenFile>>,
    ) -> Result<Vec<(&'f OpenFile, MutexGuard<'f, Content>)>, Errno> {
        open.sort_unstable_by_key(|open| open.inode);
        let mut held = Vec::with_capacity(open.len());
        for open in &*open {
            held.push((&**open, open.settled(self).await?));
        }
        Ok(held)
    }

    /// Makes an object without bytes where none is.
    async fn make(&self, grant: &Grant, place: &Place, posix: Posix, device: Option<u32>) -> Result<Version, Errno> {
        let cipher = self.cipher(place).await?;
        let writer = self.store.file_maker(grant, posix, Some(0), cipher)?;
        let extended = device.map(|device| (DEVICE.to_owned(), device.to_le_bytes().to_vec()));
        let extended = extended.into_iter().collect();
        let attributes = ObjectAttributes { etag: EMPTY, extended, ..ObjectAttributes::default() };
        Ok(writer.commit(attributes, Precondition::Absent).await?)
    }

    /// The version that stands for a directory, made where none does.
    async fn marker(&self, directory: &Directory) -> Result<Version, Errno> {
        if let Some(marker) = &directory.marker {
            return Ok(marker.clone());
        }
        if directory.path.is_empty() {
            // A bucket has nothing to say it on.
            return Err(Errno::NOT_PERMITTED);
        }
        let held = directory.attributes();
        let mtime = self.names_changed(directory).unwrap_or(held.mtime);
        let posix = Posix { inode: directory.inode, uid: held.uid, gid: held.gid, mode: held.mode, mtime };
        let place = Place { bucket: directory.bucket_name().to_owned(), key: directory.path.clone() };
        let grant = self.may(Action::PutObject, &place.bucket, &place.key)?;
        self.make(&grant, &place, posix, None).await
    }

    /// Sees to it that a directory stays when a key in it goes: without that, nothing may tell of it any more.
    async fn keep(&self, directory: &Directory, without: &str) -> Result<(), Errno> {
        if directory.path.is_empty() || directory.marker.is_some() {
            return Ok(());
        }
        let mut other = self.first_below(&directory.bucket, &directory.path, "")?;
        if other.as_ref().is_some_and(|entry| crate::tree::place_of(entry) == without) {
            other = self.first_below(&directory.bucket, &directory.path, without)?;
        }
        if other.is_none() {
            self.marker(directory).await?;
        }
        Ok(())
    }
}

/// Who owns what is made in a directory: where it has the set-group-id bit, its group does.
fn heir(directory: &Directory, maker: Maker) -> Maker {
    let held = directory.attributes();
    if held.mode & libc::S_ISGID == 0 { maker } else { Maker { gid: held.gid, ..maker } }
}

/// That a name leads nowhere.
fn expect_free(found: Result<Node, Errno>) -> Result<(), Errno> {
    match found {
        Ok(_) => Err(Errno::EXISTS),
        Err(Errno::NOT_FOUND) => Ok(()),
        Err(error) => Err(error),
    }
}
