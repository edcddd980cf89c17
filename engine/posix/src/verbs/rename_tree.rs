//! Renaming a directory, with all that is below it, at once.
//!
//! Up to a number of keys it is one batch. What is larger is renamed by a redirect: it is there at once, and its keys move
//! afterwards. Directories that nothing but keys tells of get markers first, so that they keep their numbers, in a
//! large one those whose numbers somebody was told: a crash between leaves these and nothing else.

use std::time::{Duration, Instant};

use packstone_access::Action;
use packstone_store::object::{ListEntry, ListQuery, MAX_TREE, Version, Versioning};
use tokio::sync::MutexGuard;

use super::rename::{elsewhere, expect_renamable};
use crate::content::{Content, OpenFile, Place};
use crate::tree::{Directory, Node};
use crate::{Errno, Files, name};

/// How often a rename is tried anew when keys come or go under it.
const TRIES: usize = 8;
/// How long one waits for an earlier one that is still being carried out, in steps.
const PATIENCE: Duration = Duration::from_secs(25);
const STEP: Duration = Duration::from_millis(50);

impl Files {
    pub(super) async fn rename_directory(
        &self,
        source: (u64, &str),
        destination: (u64, &str),
        keep: bool,
    ) -> Result<(), Errno> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_rename_directory(source, destination, keep).await {
                Err(Errno::BUSY) if Instant::now() < deadline => tokio::time::sleep(STEP).await,
                outcome => return outcome,
            }
        }
    }

    async fn try_rename_directory(
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
            let outcome = match self.rename_all(&from, &source, &path).await {
                Err(Errno::CROSS_BUCKET) if source.bucket.versioning() == Versioning::Never => {
                    self.redirect(&from, &source, &path).await
                }
                outcome => outcome,
            };
            if outcome != Err(Errno::STALE) {
                self.note_change(&from);
                self.note_change(&to);
                return outcome;
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
        self.store.rename_tree(&source.path, path, &grants).await.map_err(elsewhere)?;
        self.follow_all(contents, &source.path, path);
        Ok(())
    }

    /// Renames a directory that has too much in it for one batch.
    async fn redirect(&self, from: &Directory, source: &Directory, path: &str) -> Result<(), Errno> {
        let told = self.implicit.below(source.bucket.bucket.id, &source.path);
        for below in told.iter().map(|told| &**told).chain([source.path.as_str()]) {
            if let Some(found) = self.directory_at(&source.bucket, below)? {
                self.marker(&found).await?;
            }
        }
        self.keep_beside(from, source).await?;
        let bucket = source.bucket_name();
        let source_grant = self.may(Action::DeleteObject, bucket, &source.path)?;
        let destination = self.may(Action::PutObject, bucket, path)?;
        let mut open = self.open.below(bucket, &source.path);
        let contents = self.settle(&mut open).await?;
        self.store.redirect(&source_grant, &destination).await.map_err(elsewhere)?;
        for (_, content) in &contents {
            // What is written to it next goes on with the version that is there.
            let key = content.place.as_ref().and_then(|place| place.key.strip_prefix(&source.path));
            if let Some(rest) = key {
                // It is renamed already: what can't be read now can't be changed, but read as far as it goes.
                let _ = self.store.settle(&self.may(Action::PutObject, bucket, &[path, rest].concat())?).await;
            }
        }
        self.follow_all(contents, &source.path, path);
        Ok(())
    }

    /// Open files below a path stand below another one.
    fn follow_all(&self, contents: Vec<(&OpenFile, MutexGuard<'_, Content>)>, from: &str, to: &str) {
        for (open, mut content) in contents {
            let Some(place) = content.place.clone() else { continue };
            if let Some(rest) = place.key.strip_prefix(from) {
                let key = [to, rest].concat();
                self.follow(open, &mut content, Place { key, ..place });
            }
        }
    }

    /// Everything below a directory, itself first.
    ///
    /// # Errors
    /// [`Errno::CROSS_BUCKET`] for more than are renamed in one batch.
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
