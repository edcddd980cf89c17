//! Making and removing directories; at the top, buckets.

use packstone_access::Action;
use packstone_store::object::ListEntry;
use packstone_store::record::Posix;

use super::{expect_free, heir};
use crate::caller::Caller;
use crate::content::Place;
use crate::protocol::{Attributes, Maker};
use crate::tree::Node;
use crate::{Errno, Files, name, number};

impl Files {
    pub(crate) async fn make_directory(
        &self,
        caller: &Caller,
        parent: u64,
        name: &[u8],
        maker: Maker,
    ) -> Result<Attributes, Errno> {
        let name = name::parse(name)?;
        if parent == number::ROOT {
            self.store.create_bucket(&self.ask(caller, Action::CreateBucket, name, "")?, Vec::new()).await?;
            return self.attributes(&self.named(parent, name.as_bytes())?);
        }
        let _held = self.hold_names(parent, parent).await;
        let directory = self.directory(parent)?;
        let key = name::key(&directory.path, name)?;
        let place = Place { bucket: directory.bucket_name().to_owned(), key: [&key, "/"].concat() };
        let grant = self.ask(caller, Action::PutObject, &place.bucket, &place.key)?;
        self.ask_to_encrypt(caller, &directory.bucket, None)?;
        expect_free(self.child(&directory, name))?;
        let Maker { mode, uid, gid, .. } = heir(&directory, maker);
        let inherited = directory.attributes().mode & libc::S_ISGID;
        let mode = libc::S_IFDIR | mode & 0o7777 | inherited;
        self.make(&grant, &place, Posix { inode: 0, uid, gid, mode, mtime: 0 }, None).await?;
        self.note_change(&directory);
        self.attributes(&self.child(&directory, name)?)
    }

    pub(crate) async fn remove_directory(&self, caller: &Caller, parent: u64, name: &[u8]) -> Result<(), Errno> {
        if parent == number::ROOT {
            let Node::Directory(bucket) = self.named(parent, name)? else { return Err(Errno::NOT_DIRECTORY) };
            let name = bucket.bucket_name();
            return Ok(self.store.delete_bucket(&self.ask(caller, Action::DeleteBucket, name, "")?).await?);
        }
        let name = name::parse(name)?;
        let target = self.named(parent, name.as_bytes())?;
        let target = match target {
            Node::Directory(target) => target,
            Node::View(_) => return Err(Errno::READ_ONLY),
            Node::Root | Node::File(_) => return Err(Errno::NOT_DIRECTORY),
        };
        let _held = self.hold_names(parent, target.inode).await;
        let directory = self.directory(parent)?;
        let grant = self.ask(caller, Action::DeleteObject, target.bucket_name(), &target.path)?;
        match self.first_below(&target.bucket, &target.path, &target.path)? {
            Some(ListEntry::Object { .. } | ListEntry::Prefix(_)) => return Err(Errno::NOT_EMPTY),
            None => {}
        }
        let marker = target.marker.as_ref().ok_or(Errno::NOT_FOUND)?;
        self.store.expect_unlocked(marker)?;
        self.keep(&directory, &target.path).await?;
        self.store.unlink(&grant).await?;
        self.note_change(&directory);
        Ok(())
    }
}
