//! Making, opening and unlinking files; symbolic links.
//!
//! A file is an empty object from the moment it is made, so that every face sees the name. A symbolic link is an object
//! whose content is where it leads.

use std::sync::Arc;

use packstone_access::{Action, Grant};
use packstone_store::Object;
use packstone_store::object::{Attributes as ObjectAttributes, Etag, Precondition};
use packstone_store::record::Posix;

use super::{expect_free, heir};
use crate::caller::Caller;
use crate::content::{OpenFile, Place, Which, now};
use crate::protocol::{Attributes, Maker};
use crate::session::Opening;
use crate::told::{Standing, Told};
use crate::tree::{Directory, File, Node, attributes_of_open};
use crate::{Errno, Files, name, number};
use md5::{Digest, Md5};

/// The longest target of a symbolic link, in bytes.
const MAX_TARGET: usize = 4095;
/// Types that a file may be made as, beside a regular one.
const TYPES: [u32; 5] = [libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFCHR, libc::S_IFBLK];

impl Files {
    /// Makes a file, or finds it, and opens it.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        (parent, name): (u64, &[u8]),
        maker: Maker,
        opening: Opening,
        exclusive: bool,
        told: &Told,
    ) -> Result<(Attributes, Arc<OpenFile>), Errno> {
        let name = name::parse(name)?;
        let _held = self.lock_names(parent, parent).await;
        let directory = self.directory(parent)?;
        let place = Place { bucket: directory.bucket_name().to_owned(), key: name::key(&directory.path, name)? };
        self.arrive(Which::Key(&place.bucket, &place.key)).await;
        let grant = self.ask(caller, Action::PutObject, &place.bucket, &place.key)?;
        if opening.read {
            self.ask(caller, Action::GetObject, &place.bucket, &place.key)?;
        }
        self.ask_to_encrypt(caller, &directory.bucket, None)?;
        match self.child(&directory, name) {
            Ok(_) if exclusive => return Err(Errno::EXISTS),
            Ok(Node::File(file)) => return self.open(caller, file.version.file.inode, opening).await,
            Ok(_) => return Err(Errno::IS_DIRECTORY),
            Err(Errno::NOT_FOUND) => {}
            Err(error) => return Err(error),
        }
        let Maker { mode, uid, gid, device } = heir(&directory, maker);
        let kind = if mode & libc::S_IFMT == 0 { libc::S_IFREG } else { mode & libc::S_IFMT };
        if !TYPES.contains(&kind) {
            return Err(Errno::NOT_PERMITTED);
        }
        let posix = Posix { inode: 0, uid, gid, mode: kind | mode & 0o7777, mtime: 0 };
        if kind == libc::S_IFREG && !opening.at_once && self.may_arrive_later(&directory.bucket) {
            let key = place.key.clone();
            let file = self.make_later(&grant, place, posix).await?;
            self.note_change(&directory);
            note(told, &directory, &key, file.inode);
            return Ok((attributes_of_open(&file.seen()), file));
        }
        let is_device = matches!(kind, libc::S_IFCHR | libc::S_IFBLK);
        let version = self.make(&grant, &place, posix, is_device.then_some(device)).await?;
        self.note_change(&directory);
        let object = self.object(&place)?;
        if object.version.record != version.record {
            return Err(Errno::STALE);
        }
        note(told, &directory, &place.key, object.version.file.inode);
        Ok((self.attributes_of(&version)?, self.open.open(object, place, true, true)))
    }

    /// Opens a file that the index comes to know later.
    async fn make_later(&self, grant: &Grant, place: Place, posix: Posix) -> Result<Arc<OpenFile>, Errno> {
        let posix = Posix { inode: self.draw()?, ..posix };
        let object = self.store.unmade(grant, posix, now())?;
        let file = self.open.open(object, place, true, true);
        file.make_as(posix).await;
        if let Err(error) = self.arrives_later(&file).await {
            self.open.close(&file, true);
            return Err(error);
        }
        Ok(file)
    }

    /// An inode number that no file has.
    fn draw(&self) -> Result<u64, Errno> {
        let grant = self.may_of_node(Action::ListAllMyBuckets)?;
        loop {
            let mut lot = [0; 8];
            getrandom::fill(&mut lot).map_err(|_| Errno::IO)?;
            let inode = number::drawn(u64::from_le_bytes(lot));
            if self.open.get(inode).is_none() && self.store.inode(&grant, inode)?.is_none() {
                return Ok(inode);
            }
        }
    }

    /// Opens a file that is there.
    pub(crate) async fn open(
        &self,
        caller: &Caller,
        inode: u64,
        Opening { read, write, empty, .. }: Opening,
    ) -> Result<(Attributes, Arc<OpenFile>), Errno> {
        match self.node(inode)? {
            Node::File(file) => {
                if read {
                    self.ask_to_read(caller, Action::GetObject, &file)?;
                    self.ask_to_decrypt(caller, &file.version)?;
                }
                if write {
                    self.ask_to_change(caller, &file)?;
                    self.ask_to_encrypt(caller, &file.bucket, Some(&file.version))?;
                }
                self.opened(&file, write, empty).await
            }
            Node::View(_) => Err(Errno::READ_ONLY),
            Node::Root | Node::Directory(_) => Err(Errno::IS_DIRECTORY),
        }
    }

    async fn opened(&self, file: &File, write: bool, empty: bool) -> Result<(Attributes, Arc<OpenFile>), Errno> {
        if write {
            self.settle_file(file).await?;
        }
        let open = self.open_file(file, write)?;
        if write && let Ok(object) = self.object(&file.place()) {
            open.renew(object).await;
        }
        if write
            && empty
            && let Err(error) = open.empty(self).await
        {
            self.open.close(&open, write);
            return Err(error);
        }
        Ok((self.attributes_of(&file.version)?, open))
    }

    /// Sees to it that what is written next goes on with the version that is there.
    pub(crate) async fn settle_file(&self, file: &File) -> Result<(), Errno> {
        let grant = self.may(Action::PutObject, &file.bucket.bucket.name, &file.key)?;
        Ok(self.store.settle(&grant).await?)
    }

    pub(crate) fn open_file(&self, file: &File, write: bool) -> Result<Arc<OpenFile>, Errno> {
        if write {
            self.store.expect_unlocked(&file.version)?;
        }
        let place = file.place();
        let object = self.object(&place)?;
        if object.version.file.inode != file.version.file.inode {
            return Err(Errno::STALE);
        }
        Ok(self.open.open(object, place, write, false))
    }

    pub(crate) async fn unlink(&self, caller: &Caller, parent: u64, name: &[u8]) -> Result<(), Errno> {
        let name = name::parse(name)?;
        let _held = self.hold_names(parent, parent).await;
        let directory = self.directory(parent)?;
        let file = match self.child(&directory, name)? {
            Node::File(file) => file,
            Node::View(_) => return Err(Errno::READ_ONLY),
            Node::Root | Node::Directory(_) => return Err(Errno::IS_DIRECTORY),
        };
        let grant = self.ask(caller, Action::DeleteObject, directory.bucket_name(), &file.key)?;
        self.store.expect_unlocked(&file.version)?;
        self.keep(&directory, &file.key).await?;
        let open = self.open.get(file.version.file.inode);
        let content = match &open {
            Some(open) => Some(open.settled(self).await?),
            None => None,
        };
        self.store.unlink(&grant).await?;
        let left = self.name_left(&file).await?;
        if let (Some(open), Some(mut content)) = (&open, content) {
            self.go_on(open, &mut content, left);
        }
        self.note_change(&directory);
        Ok(())
    }

    pub(crate) async fn link(
        &self,
        caller: &Caller,
        (parent, name): (u64, &[u8]),
        target: &[u8],
        maker: Maker,
    ) -> Result<Attributes, Errno> {
        let name = name::parse(name)?;
        if target.is_empty() || target.len() > MAX_TARGET {
            return Err(Errno::NAME_TOO_LONG);
        }
        let _held = self.hold_names(parent, parent).await;
        let directory = self.directory(parent)?;
        let place = Place { bucket: directory.bucket_name().to_owned(), key: name::key(&directory.path, name)? };
        let grant = self.ask(caller, Action::PutObject, &place.bucket, &place.key)?;
        self.ask_to_encrypt(caller, &directory.bucket, None)?;
        expect_free(self.child(&directory, name))?;
        let Maker { uid, gid, .. } = heir(&directory, maker);
        let posix = Posix { inode: 0, uid, gid, mode: libc::S_IFLNK | 0o777, mtime: 0 };
        let cipher = self.cipher(&place).await?;
        let mut writer = self.store.file_maker(&grant, posix, Some(target.len() as u64), cipher)?;
        writer.write(target.to_vec().into()).await?;
        let etag = Etag { md5: Md5::digest(target).into(), parts: 0 };
        let attributes = ObjectAttributes { etag, ..ObjectAttributes::default() };
        let version = writer.commit(attributes, Precondition::Absent).await?;
        self.note_change(&directory);
        self.attributes_of(&version)
    }

    pub(crate) async fn read_link(&self, caller: &Caller, inode: u64) -> Result<Vec<u8>, Errno> {
        let object = match self.node(inode)? {
            Node::File(file) if file.is_link() => {
                self.ask_to_read(caller, Action::GetObject, &file)?;
                self.ask_to_decrypt(caller, &file.version)?;
                self.object(&file.place())?
            }
            Node::View(view) if view.is_link() => Object::clone(&*self.open_view(caller, &view)?),
            _ => return Err(Errno::INVALID),
        };
        let size = object.version.size;
        if size > MAX_TARGET as u64 {
            return Err(Errno::INVALID);
        }
        let mut reader = object.read(0..size);
        let mut target = Vec::new();
        while let Some(piece) = reader.next().await {
            target.extend_from_slice(&piece?);
        }
        Ok(target)
    }
}

/// Notes that a mount has made a file.
fn note(told: &Told, directory: &Directory, key: &str, inode: u64) {
    let (_, name) = name::split(key);
    let (bucket, parent) = (directory.bucket.bucket.id, directory.inode);
    told.note_made(Standing { bucket, key, parent, name: name.as_bytes(), inode });
}
