//! Files with several names.

use packstone_access::Action;
use packstone_store::object::{AttributeChange, FileChange};

use super::expect_free;
use crate::caller::Caller;
use crate::content::{Content, OpenFile, Place};
use crate::protocol::Attributes;
use crate::tree::{File, Node};
use crate::{Errno, Files, name};

impl Files {
    /// Gives a file one more name in its bucket.
    pub(crate) async fn hard_link(
        &self,
        caller: &Caller,
        inode: u64,
        (parent, name): (u64, &[u8]),
    ) -> Result<Attributes, Errno> {
        let name = name::parse(name)?;
        let _held = self.hold_names(parent, parent).await;
        let directory = self.directory(parent)?;
        let file = match self.node(inode) {
            Ok(Node::File(file)) => file,
            Ok(Node::View(_)) => return Err(Errno::READ_ONLY),
            Ok(Node::Root | Node::Directory(_)) => return Err(Errno::NOT_PERMITTED),
            // Its last name is gone.
            Err(Errno::STALE) => return Err(Errno::NOT_FOUND),
            Err(error) => return Err(error),
        };
        if file.bucket.bucket.id != directory.bucket.bucket.id {
            return Err(Errno::CROSS_BUCKET);
        }
        let (bucket, key) = (directory.bucket_name(), name::key(&directory.path, name)?);
        // It is a change of the file, and what is done by the new name is done to the others.
        self.ask_to_change(caller, &file)?;
        let destination = self.ask_to_bring(caller, bucket, (&file.key, &key), &file.version)?;
        self.store.expect_unlocked(&file.version)?;
        expect_free(self.child(&directory, name))?;
        let open = self.open.get(inode);
        // Nothing is published between counting the names that there are and adding one.
        let content = match &open {
            Some(open) => Some(open.settled(self).await?),
            None => None,
        };
        let source = self.ask(caller, Action::GetObject, bucket, &file.key)?;
        let version = self.store.link(&source, &destination, inode).await?;
        drop(content);
        self.note_change(&directory);
        self.attributes_of(&version)
    }

    /// Where a file still is that has lost a name, which is a change of it.
    pub(super) async fn name_left(&self, file: &File) -> Result<Option<Place>, Errno> {
        if file.version.attributes.file.is_none() {
            return Ok(None);
        }
        let may = self.may_of_node(Action::ListAllMyBuckets)?;
        let Some((bucket, key)) = self.store.inode(&may, file.version.file.inode)? else { return Ok(None) };
        let grant = self.may(Action::PutObject, &bucket, &key)?;
        // The name is gone, even if there is no room to note the time.
        let _ = self.store.amend(&grant, None, AttributeChange::File(FileChange::default()), None).await;
        Ok(Some(Place { bucket, key }))
    }

    /// An open file is at that place, or at none any more.
    pub(super) fn go_on(&self, open: &OpenFile, content: &mut Content, place: Option<Place>) {
        match place {
            Some(place) => self.follow(open, content, place),
            None => open.orphan(content),
        }
    }
}
