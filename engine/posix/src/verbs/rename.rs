//! Renaming within a bucket.

use packstone_access::Action;
use packstone_store::Error;
use packstone_store::object::{BucketState, Conditions, NamedTag, RenameTerms, Versioning};

use crate::content::{Content, OpenFile, Place};
use crate::tree::{Directory, File, Node};
use crate::{Errno, Files, name};

impl Files {
    /// What has the new name gives way to it, unless it is to be kept.
    pub(crate) async fn rename(
        &self,
        (parent, name): (u64, &[u8]),
        (new_parent, new_name): (u64, &[u8]),
        keep: bool,
    ) -> Result<(), Errno> {
        let (name, new_name) = (name::parse(name)?, name::parse(new_name)?);
        if let Node::Directory(_) = self.named(parent, name.as_bytes())? {
            return self.rename_directory((parent, name), (new_parent, new_name), keep).await;
        }
        let _held = self.hold_names(parent, new_parent).await;
        let (from, to) = (self.directory(parent)?, self.directory(new_parent)?);
        if from.bucket.bucket.id != to.bucket.bucket.id {
            return Err(Errno::CROSS_BUCKET);
        }
        let source = self.child(&from, name)?;
        let replaced = match self.child(&to, new_name) {
            Ok(_) if keep => return Err(Errno::EXISTS),
            Ok(node) => Some(node),
            Err(Errno::NOT_FOUND) => None,
            Err(error) => return Err(error),
        };
        let key = name::key(&to.path, new_name)?;
        match (source, replaced) {
            (Node::File(source), None) => self.rename_file(&from, &source, None, key, keep).await?,
            // Two names of one file both stay.
            (Node::File(source), Some(Node::File(replaced)))
                if source.version.file.inode == replaced.version.file.inode =>
            {
                return Ok(());
            }
            (Node::File(source), Some(Node::File(replaced))) => {
                self.rename_file(&from, &source, Some(&replaced), key, keep).await?;
            }
            (Node::View(_), _) | (_, Some(Node::View(_))) => return Err(Errno::READ_ONLY),
            (Node::File(_), Some(_)) => return Err(Errno::IS_DIRECTORY),
            // It came to be one meanwhile.
            (Node::Directory(_) | Node::Root, _) => return Err(Errno::STALE),
        }
        self.note_change(&from);
        self.note_change(&to);
        Ok(())
    }

    async fn rename_file(
        &self,
        from: &Directory,
        source: &File,
        replaced: Option<&File>,
        key: String,
        keep: bool,
    ) -> Result<(), Errno> {
        self.store.expect_unlocked(&source.version)?;
        let (moved, mut ended) = (source.version.file.inode, None);
        if let Some(replaced) = replaced {
            self.store.expect_unlocked(&replaced.version)?;
            ended = Some(replaced.version.file.inode);
        }
        expect_renamable(&from.bucket)?;
        self.keep(from, &source.key).await?;
        let mut open: Vec<_> = [Some(moved), ended].into_iter().flatten().filter_map(|at| self.open.get(at)).collect();
        let contents = self.settle(&mut open).await?;
        let bucket = from.bucket_name();
        let source_grant = self.may(Action::DeleteObject, bucket, &source.key)?;
        let destination = self.may(Action::PutObject, bucket, &key)?;
        let none_match = keep.then_some(NamedTag::Any);
        let destination_is = Conditions { none_match, ..Conditions::default() };
        let terms = RenameTerms { destination: destination_is, is_of_files: true, ..RenameTerms::default() };
        self.store.rename(&source_grant, &destination, terms).await.map_err(elsewhere)?;
        let left = match replaced {
            Some(replaced) => self.name_left(replaced).await?,
            None => None,
        };
        for (open, mut content) in contents {
            if open.inode == moved {
                self.follow_renamed(open, &mut content, (&source.key, &key));
            } else {
                self.go_on(open, &mut content, left.clone());
            }
        }
        Ok(())
    }

    /// An open file whose name was renamed: it may stand under another one.
    fn follow_renamed(&self, open: &OpenFile, content: &mut Content, (from, to): (&str, &str)) {
        if let Some(place) = content.place.clone().filter(|place| place.key == from) {
            self.follow(open, content, Place { key: to.to_owned(), ..place });
        }
    }

    /// An open file stands under another key.
    pub(super) fn follow(&self, open: &OpenFile, content: &mut Content, place: Place) {
        match self.object(&place) {
            Ok(object) if object.version.file.inode == open.inode => open.move_to(content, place, object),
            // Something took the new name at once.
            _ => open.orphan(content),
        }
    }
}

/// Where versions are kept nothing is renamed: programs copy, as they do from one file system to another. To be asked
/// when nothing is locked: that is no reason to copy.
pub(super) fn expect_renamable(bucket: &BucketState) -> Result<(), Errno> {
    if bucket.versioning() == Versioning::Never { Ok(()) } else { Err(Errno::CROSS_BUCKET) }
}

/// The same where the engine says so, and of what is too much for one batch.
pub(super) fn elsewhere(error: Error) -> Errno {
    match error {
        Error::InvalidBucketState(_) | Error::TooLarge { .. } => Errno::CROSS_BUCKET,
        other => other.into(),
    }
}
