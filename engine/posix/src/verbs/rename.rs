//! Renaming within a bucket.
//!
//! Where versions are kept, or were, the file that is renamed may leave its version behind, and then its bytes are copied.
//! That takes as long as writing them, so it is done while names are nobody's alone; what changed meanwhile is copied
//! again.

use packstone_access::{Action, Grant};
use packstone_store::object::{Conditions, Copied, NamedTag, RenameTerms, Versioning};

use crate::caller::Caller;
use crate::content::{Content, OpenFile, Place};
use crate::tree::{Directory, File, Node};
use crate::{Errno, Files, name};

/// A file that is to have another name.
struct Move {
    from: Directory,
    to: Directory,
    source: File,
    /// What has the new name.
    replaced: Option<File>,
    /// That it comes to have.
    key: String,
}

impl Files {
    /// What has the new name gives way to it, unless it is to be kept.
    pub(crate) async fn rename(
        &self,
        caller: &Caller,
        (parent, name): (u64, &[u8]),
        (new_parent, new_name): (u64, &[u8]),
        keep: bool,
    ) -> Result<(), Errno> {
        let (name, new_name) = (name::parse(name)?, name::parse(new_name)?);
        if let Node::Directory(_) = self.named(parent, name.as_bytes())? {
            return self.rename_directory(caller, (parent, name), (new_parent, new_name), keep).await;
        }
        let (old, new) = ((parent, name), (new_parent, new_name));
        let copied = self.copied(caller, old, new, keep).await?;
        let _held = self.hold_names(parent, new_parent).await;
        let Some(found) = self.move_of(old, new, keep)? else { return Ok(()) };
        self.rename_file(caller, &found, keep, copied).await?;
        self.note_change(&found.from);
        self.note_change(&found.to);
        Ok(())
    }

    /// What is to be renamed; `None` for two names of one file, which both stay.
    ///
    /// # Errors
    /// Whatever stands against it.
    fn move_of(
        &self,
        (parent, name): (u64, &str),
        (new_parent, new_name): (u64, &str),
        keep: bool,
    ) -> Result<Option<Move>, Errno> {
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
        let (source, replaced) = match (source, replaced) {
            (Node::File(source), None) => (source, None),
            (Node::File(source), Some(Node::File(replaced)))
                if source.version.file.inode == replaced.version.file.inode =>
            {
                return Ok(None);
            }
            (Node::File(source), Some(Node::File(replaced))) => (source, Some(replaced)),
            (Node::View(_), _) | (_, Some(Node::View(_))) => return Err(Errno::READ_ONLY),
            (Node::File(_), Some(_)) => return Err(Errno::IS_DIRECTORY),
            // It came to be one meanwhile.
            (Node::Directory(_) | Node::Root, _) => return Err(Errno::STALE),
        };
        Ok(Some(Move { from, to, source, replaced, key }))
    }

    /// Leave for it: of policies first, and then of what is locked.
    fn leave(&self, caller: &Caller, found: &Move) -> Result<(Grant, Grant), Errno> {
        let Move { from, source, replaced, key, .. } = found;
        let bucket = from.bucket_name();
        let leaving = self.ask(caller, Action::DeleteObject, bucket, &source.key)?;
        let coming = self.ask_to_bring(caller, bucket, (&source.key, key), &source.version)?;
        self.store.expect_unlocked(&source.version)?;
        if let Some(replaced) = replaced {
            self.store.expect_unlocked(&replaced.version)?;
        }
        Ok((leaving, coming))
    }

    /// Copies what a rename has to copy, if it can be done as things stand.
    async fn copied(
        &self,
        caller: &Caller,
        old: (u64, &str),
        new: (u64, &str),
        keep: bool,
    ) -> Result<Option<Copied>, Errno> {
        if self.directory(old.0)?.bucket.versioning() == Versioning::Never {
            return Ok(None);
        }
        let Some(found) = self.move_of(old, new, keep)? else { return Ok(None) };
        let (leaving, _) = self.leave(caller, &found)?;
        if let Some(open) = self.open.get(found.source.version.file.inode) {
            drop(open.settled(self).await?);
        }
        Ok(self.store.copied(&leaving).await?)
    }

    async fn rename_file(
        &self,
        caller: &Caller,
        found: &Move,
        keep: bool,
        copied: Option<Copied>,
    ) -> Result<(), Errno> {
        let (leaving, coming) = self.leave(caller, found)?;
        let Move { from, source, replaced, key, .. } = found;
        let moved = source.version.file.inode;
        let ended = replaced.as_ref().map(|replaced| replaced.version.file.inode);
        self.keep(from, &source.key).await?;
        let mut open: Vec<_> = [Some(moved), ended].into_iter().flatten().filter_map(|at| self.open.get(at)).collect();
        let contents = self.settle(&mut open).await?;
        let none_match = keep.then_some(NamedTag::Any);
        let destination_is = Conditions { none_match, ..Conditions::default() };
        let terms = RenameTerms { destination: destination_is, is_of_files: true, ..RenameTerms::default() };
        self.store.rename_with(&leaving, &coming, terms, copied).await?;
        let left = match replaced {
            Some(replaced) => self.name_left(replaced).await?,
            None => None,
        };
        for (open, mut content) in contents {
            if open.inode == moved {
                self.follow_renamed(open, &mut content, (&source.key, key));
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
