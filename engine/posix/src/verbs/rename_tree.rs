//! Renaming a directory, with all that is below it, at once.
//!
//! Directories that nothing but keys tells of get markers first, so that they keep their numbers: a crash between leaves
//! these and nothing else.

use packstone_access::Action;
use packstone_store::Error;
use packstone_store::object::{ListEntry, ListQuery, MAX_TREE, Version};

use super::rename::{elsewhere, expect_renamable};
use crate::content::Place;
use crate::tree::{Directory, Node};
use crate::{Errno, Files, name};

/// How often a rename is tried anew when keys come or go under it.
const TRIES: usize = 8;

impl Files {
    pub(super) async fn rename_directory(
        &self,
        (parent, name): (u64, &str),
        (new_parent, new_name): (u64, &str),
        keep: bool,
    ) -> Result<(), Errno> {
        // Whoever works below it must find it where it is afterwards.
        let _held = self.hold_all_names().await;
        let (from, to) = (self.directory(parent)?, self.directory(new_parent)?);
        if from.bucket.bucket.id != to.bucket.bucket.id {
            return Err(Errno::CROSS_BUCKET);
        }
        let Node::Directory(source) = self.child(&from, name)? else { return Err(Errno::STALE) };
        let path = [&name::key(&to.path, new_name)?, "/"].concat();
        if path == source.path {
            return Ok(());
        }
        if path.starts_with(&source.path) {
            return Err(Errno::INVALID);
        }
        match self.child(&to, new_name) {
            Ok(_) if keep => return Err(Errno::EXISTS),
            Ok(Node::File(_)) => return Err(Errno::NOT_DIRECTORY),
            Ok(Node::View(_)) => return Err(Errno::READ_ONLY),
            Ok(_) | Err(Errno::NOT_FOUND) => {}
            Err(error) => return Err(error),
        }
        for _ in 0..TRIES {
            match self.rename_all(&from, &source, &path).await {
                Err(Errno::STALE) => {}
                outcome => {
                    self.note_change(&from);
                    self.note_change(&to);
                    return outcome;
                }
            }
        }
        Err(Errno::STALE)
    }

    async fn rename_all(&self, from: &Directory, source: &Directory, path: &str) -> Result<(), Errno> {
        for (_, version) in self.all_below(source)? {
            self.store.expect_unlocked(&version)?;
        }
        expect_renamable(&source.bucket)?;
        self.mark_all(source).await?;
        let below = self.all_below(source)?;
        self.keep_beside(from, source).await?;
        let bucket = source.bucket_name();
        let mut grants = Vec::with_capacity(below.len());
        for (key, _) in &below {
            let to = [path, key.get(source.path.len()..).unwrap_or_default()].concat();
            grants.push((self.may(Action::DeleteObject, bucket, key)?, self.may(Action::PutObject, bucket, &to)?));
        }
        let mut open: Vec<_> = below.iter().filter_map(|(_, version)| self.open.get(version.file.inode)).collect();
        let contents = self.settle(&mut open).await?;
        match self.store.rename_tree(&source.path, path, &grants).await {
            Ok(()) => {}
            Err(Error::InvalidKey) => return Err(Errno::NAME_TOO_LONG),
            Err(error) => return Err(elsewhere(error)),
        }
        for (open, mut content) in contents {
            let Some(place) = content.place.clone() else { continue };
            if let Some(rest) = place.key.strip_prefix(&source.path) {
                let key = [path, rest].concat();
                self.follow(open, &mut content, Place { key, ..place });
            }
        }
        Ok(())
    }

    /// Everything below a directory, itself first.
    ///
    /// # Errors
    /// [`Errno::CROSS_BUCKET`] for more than are renamed at once: programs copy then.
    fn all_below(&self, directory: &Directory) -> Result<Vec<(String, Version)>, Errno> {
        let grant = self.may(Action::ListBucket, directory.bucket_name(), "")?;
        let query = ListQuery { prefix: directory.path.clone(), limit: MAX_TREE + 1, ..ListQuery::default() };
        let page = self.store.list(&grant, &query)?;
        if page.entries.len() > MAX_TREE {
            return Err(Errno::CROSS_BUCKET);
        }
        let object = |entry| match entry {
            ListEntry::Object { key, version } => Some((key, version)),
            ListEntry::Prefix(_) => None,
        };
        Ok(page.entries.into_iter().filter_map(object).collect())
    }

    /// Gives every directory below one a marker, and that one.
    async fn mark_all(&self, directory: &Directory) -> Result<(), Errno> {
        let below = self.all_below(directory)?;
        let mut paths = std::collections::BTreeSet::from([directory.path.clone()]);
        for (key, _) in &below {
            let slashes = key.match_indices('/').map(|(at, _)| at + 1).filter(|end| *end > directory.path.len());
            paths.extend(slashes.filter_map(|end| key.get(..end)).map(str::to_owned));
        }
        for path in paths {
            if let Some(found) = self.directory_at(&directory.bucket, &path)? {
                self.marker(&found).await?;
            }
        }
        Ok(())
    }

    /// Sees to it that a directory stays when one in it goes.
    async fn keep_beside(&self, parent: &Directory, leaving: &Directory) -> Result<(), Errno> {
        if !parent.path.is_empty() && parent.marker.is_none() && leaving.path.starts_with(&parent.path) {
            self.marker(parent).await?;
        }
        Ok(())
    }
}
