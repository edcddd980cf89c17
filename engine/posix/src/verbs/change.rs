//! `setattr`: size, mode, owner and times.

use std::sync::Arc;

use packstone_access::{Action, Grant};
use packstone_store::object::{AttributeChange, FileChange, PERMISSIONS, Version};

use crate::caller::Caller;
use crate::content::{OpenFile, now};
use crate::protocol::{Attributes, Change};
use crate::tree::{Directory, File, Node, attributes_of_open};
use crate::{Errno, Files};

impl Files {
    /// Without a `caller`, who opened the file to write it was asked.
    pub(crate) async fn change(
        &self,
        caller: Option<&Caller>,
        inode: u64,
        change: Change,
    ) -> Result<Attributes, Errno> {
        if let Some(open) = self.open.get(inode).filter(|open| open.seen().orphan) {
            return self.change_orphan(&open, change).await;
        }
        let mode = change.mode.map(|mode| mode & PERMISSIONS);
        let said = FileChange { uid: change.uid, gid: change.gid, mode, mtime: change.mtime };
        match self.node(inode)? {
            Node::Root => return Err(Errno::NOT_PERMITTED),
            Node::View(_) => return Err(Errno::READ_ONLY),
            Node::Directory(_) if change.size.is_some() => return Err(Errno::IS_DIRECTORY),
            Node::Directory(_) => self.change_directory(caller, inode, said).await?,
            Node::File(file) => {
                let grant = self.ask_to_describe(caller, &file)?;
                let mut said = said;
                if let Some(size) = change.size {
                    caller.map_or(Ok(()), |caller| self.ask_to_encrypt(caller, &file.bucket, Some(&file.version)))?;
                    let held = self.attributes_of(&file.version)?.size;
                    self.resize(&file, size).await?;
                    // It counts as a change even where nothing is another.
                    said.mtime = said.mtime.or_else(|| (held == size).then(now));
                }
                if said != FileChange::default() {
                    self.describe_file(&grant, &file, said).await?;
                }
            }
        }
        self.told(inode)
    }

    async fn change_directory(&self, caller: Option<&Caller>, inode: u64, said: FileChange) -> Result<(), Errno> {
        let _held = self.lock_names(inode, inode).await;
        let directory = self.directory(inode)?;
        let grant = self.ask_to_amend(caller, &directory)?;
        let mtime = said.mtime.or(self.names_changed(&directory));
        // What S3 put in the directory's place is no directory's yet, and its mode counts for nothing.
        let mode = said.mode.map(|mode| libc::S_IFDIR | mode);
        let marker = self.marker(&directory).await?;
        let said = FileChange { mode, mtime, ..said };
        let marker = self.amend(&grant, &marker, AttributeChange::File(said)).await?;
        self.times.settle(inode, marker.file.ctime);
        Ok(())
    }

    async fn change_orphan(&self, open: &Arc<OpenFile>, change: Change) -> Result<Attributes, Errno> {
        if let Some(size) = change.size {
            open.truncate(self, size).await?;
        }
        let mut version = open.seen().version;
        let file = &mut version.file;
        file.mode = change.mode.map_or(file.mode, |mode| file.mode & !PERMISSIONS | mode & PERMISSIONS);
        (file.uid, file.gid) = (change.uid.unwrap_or(file.uid), change.gid.unwrap_or(file.gid));
        (file.mtime, file.ctime) = (change.mtime.unwrap_or(file.mtime), now());
        open.describe(version);
        Ok(attributes_of_open(&open.seen()))
    }

    /// Gives a file another length, and publishes it with what was written to it.
    async fn resize(&self, file: &File, size: u64) -> Result<(), Errno> {
        self.settle_file(file).await?;
        let open = self.open_file(file, true)?;
        if let Ok(object) = self.object(&file.place()) {
            open.renew(object).await;
        }
        let mut outcome = open.truncate(self, size).await;
        if outcome.is_ok() {
            let mut content = open.content().await;
            outcome = open.publish(self, &mut content).await.and_then(|()| content.expect_placed());
        }
        self.open.close(&open, true);
        outcome
    }

    async fn describe_file(&self, grant: &Grant, file: &File, said: FileChange) -> Result<(), Errno> {
        let open = self.open.get(file.version.file.inode);
        let content = match &open {
            // The commit of what was written would be the later change of its time, or come too late for a lock.
            Some(open) if said.mtime.is_some() || file.version.attributes.pending.is_some() => {
                let mut content = open.content().await;
                if let FileChange { mtime: Some(mtime), uid: None, gid: None, mode: None } = said
                    && file.version.attributes.pending.is_none()
                    && self.store.expect_unlocked(&file.version).is_ok()
                    && open.say_changed(&mut content, mtime)
                {
                    return Ok(());
                }
                open.publish(self, &mut content).await?;
                Some(content)
            }
            _ => None,
        };
        let version = self.amend(grant, &file.version, AttributeChange::File(said)).await?;
        if let Some(open) = &open {
            open.describe(version);
        }
        drop(content);
        Ok(())
    }

    /// Leave to change what is said of a file.
    pub(super) fn ask_to_describe(&self, caller: Option<&Caller>, file: &File) -> Result<Grant, Errno> {
        let bucket = &file.bucket.bucket.name;
        let Some(caller) = caller else { return self.may(Action::PutObject, bucket, &file.key) };
        self.ask_to_change(caller, file)
    }

    /// Leave to change what is said of a directory; nothing can be said of a bucket.
    pub(super) fn ask_to_amend(&self, caller: Option<&Caller>, directory: &Directory) -> Result<Grant, Errno> {
        if directory.path.is_empty() {
            return Err(Errno::NOT_PERMITTED);
        }
        let (bucket, path) = (directory.bucket_name(), &directory.path);
        caller.map_or_else(
            || self.may(Action::PutObject, bucket, path),
            |caller| self.ask(caller, Action::PutObject, bucket, path),
        )
    }

    /// Changes what is said of a version that none holds locked.
    pub(super) async fn amend(
        &self,
        grant: &Grant,
        version: &Version,
        change: AttributeChange,
    ) -> Result<Version, Errno> {
        self.store.expect_unlocked(version)?;
        Ok(self.store.amend(grant, None, change, None).await?)
    }
}
