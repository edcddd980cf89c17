//! Renaming a directory, with all that is below it, at once.
//!
//! Up to a number of keys it is one batch. What is larger is renamed by a redirect: it is there at once, and its keys move
//! afterwards. Directories that nothing but keys tells of get markers first, so that they keep their numbers, in a
//! large one those whose numbers somebody was told: a crash between leaves these and nothing else. In a bucket that keeps or
//! kept versions a directory is renamed in which nothing is: its marker is, as a file would be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use packstone_access::{Action, Grant};
use packstone_store::Error;
use packstone_store::object::{BucketState, ListEntry, ListQuery, MAX_TREE, RenameTerms, Version, Versioning};
use tokio::sync::MutexGuard;

use crate::caller::Caller;
use crate::content::{Content, OpenFile, Place};
use crate::tree::{Directory, Node};
use crate::{Errno, Files, name};

/// How often a rename is tried anew when keys come or go under it.
const TRIES: usize = 8;
/// How long one waits for an earlier one that is still being carried out, in steps.
const PATIENCE: Duration = Duration::from_secs(25);
const STEP: Duration = Duration::from_millis(200);

impl Files {
    pub(super) async fn rename_directory(
        &self,
        caller: &Caller,
        source: (u64, &str),
        destination: (u64, &str),
        keep: bool,
    ) -> Result<(), Errno> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_rename_directory(caller, source, destination, keep).await {
                Err(Errno::BUSY) if Instant::now() < deadline => tokio::time::sleep(STEP).await,
                outcome => return outcome,
            }
        }
    }

    async fn try_rename_directory(
        &self,
        caller: &Caller,
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
            let outcome = match self.rename_all(caller, &from, &source, &path).await {
                Err(Errno::CROSS_BUCKET) if may_redirect(caller, &source.bucket) => {
                    self.redirect(&from, &source, &path).await
                }
                outcome => outcome,
            };
            if outcome.is_ok() {
                self.note_change(&from);
                self.note_change(&to);
            }
            if outcome != Err(Errno::STALE) {
                return outcome;
            }
        }
        Err(Errno::STALE)
    }

    async fn rename_all(&self, caller: &Caller, from: &Directory, source: &Directory, path: &str) -> Result<(), Errno> {
        // Nothing is changed before all was asked: what comes under it meanwhile is asked for below.
        for (key, version) in self.all_below(source)? {
            self.ask_to_move(caller, source, (&key, path), &version)?;
            self.store.expect_unlocked(&version)?;
        }
        if source.bucket.versioning() != Versioning::Never {
            return self.rename_empty(from, source, path).await;
        }
        self.mark_all(source).await?;
        let below = self.all_below(source)?;
        self.keep_beside(from, source).await?;
        let mut grants = Vec::with_capacity(below.len());
        for (key, version) in &below {
            grants.push(self.ask_to_move(caller, source, (key, path), version)?);
        }
        let mut open: Vec<_> = below.iter().filter_map(|(_, version)| self.open.get(version.file.inode)).collect();
        let contents = self.settle(&mut open).await?;
        self.store.rename_tree(&source.path, path, &grants).await.map_err(elsewhere)?;
        self.follow_all(contents, source.bucket_name(), (&source.path, path)).await;
        Ok(())
    }

    /// Renames a directory that has too much in it for one batch, and for policies to be asked about each key.
    async fn redirect(&self, from: &Directory, source: &Directory, path: &str) -> Result<(), Errno> {
        let bucket = source.bucket_name();
        if self.store.is_renaming(source.bucket.bucket.id, &[&source.path, path]) {
            return Err(Errno::BUSY);
        }
        let told = self.implicit.below(source.bucket.bucket.id, &source.path);
        for below in told.iter().take(MAX_TREE).map(|told| &**told).chain([source.path.as_str()]) {
            if let Some(found) = self.directory_at(&source.bucket, below)? {
                self.marker(&found).await?;
            }
        }
        self.keep_beside(from, source).await?;
        let leaving = self.may(Action::DeleteObject, bucket, &source.path)?;
        let coming = self.may(Action::PutObject, bucket, path)?;
        let open = self.open.all();
        let contents = self.settle_below(&open, bucket, &source.path).await?;
        self.store.redirect(&leaving, &coming).await.map_err(elsewhere)?;
        self.follow_all(contents, bucket, (&source.path, path)).await;
        // Who opened a file of it meanwhile did so by the former path. The directory is renamed: what can't be published of such a
        // file is told to its writer, who is looked for by its number.
        let open = self.open.all();
        let contents = self.settle_below(&open, bucket, &source.path).await.unwrap_or_default();
        self.follow_all(contents, bucket, (&source.path, path)).await;
        Ok(())
    }

    /// Takes the content of those open files that stand below a path.
    async fn settle_below<'f>(
        &self,
        open: &'f [Arc<OpenFile>],
        bucket: &str,
        path: &str,
    ) -> Result<Vec<(&'f OpenFile, MutexGuard<'f, Content>)>, Errno> {
        let mut held = Vec::new();
        for file in open {
            let is_below = |at: &Place| at.bucket == bucket && at.key.starts_with(path);
            if file.content().await.place.as_ref().is_some_and(is_below) {
                held.push((&**file, file.settled(self).await?));
            }
        }
        Ok(held)
    }

    /// Open files below a path stand below another one. What is written to them next goes on with the versions that are
    /// there.
    async fn follow_all(
        &self,
        contents: Vec<(&OpenFile, MutexGuard<'_, Content>)>,
        bucket: &str,
        (from, to): (&str, &str),
    ) {
        for (open, mut content) in contents {
            let Some(place) = content.place.clone().filter(|place| place.bucket == bucket) else { continue };
            if let Some(rest) = place.key.strip_prefix(from) {
                let key = [to, rest].concat();
                if let Ok(grant) = self.may(Action::PutObject, bucket, &key) {
                    // It is renamed already: what can't be read now can't be changed, but read as far as it goes.
                    let _ = self.store.settle(&grant).await;
                }
                self.follow(open, &mut content, Place { key, ..place });
            }
        }
    }

    /// Renames the marker of a directory in which nothing is. Of one with keys in it programs copy, when nothing there is
    /// locked: that is no reason to.
    async fn rename_empty(&self, from: &Directory, source: &Directory, path: &str) -> Result<(), Errno> {
        if self.first_below(&source.bucket, &source.path, &source.path)?.is_some() {
            return Err(Errno::CROSS_BUCKET);
        }
        if self.first_below(&source.bucket, path, path)?.is_some() {
            return Err(Errno::NOT_EMPTY);
        }
        self.keep_beside(from, source).await?;
        let bucket = source.bucket_name();
        let grant = self.may(Action::DeleteObject, bucket, &source.path)?;
        let terms = RenameTerms { is_of_files: true, ..RenameTerms::default() };
        self.store.rename(&grant, &self.may(Action::PutObject, bucket, path)?, terms).await?;
        Ok(())
    }

    /// Leave to have a key below a directory stand below another path.
    fn ask_to_move(
        &self,
        caller: &Caller,
        source: &Directory,
        (key, path): (&str, &str),
        version: &Version,
    ) -> Result<(Grant, Grant), Errno> {
        let bucket = source.bucket_name();
        let to = [path, key.get(source.path.len()..).unwrap_or_default()].concat();
        let from = self.ask(caller, Action::DeleteObject, bucket, key)?;
        Ok((from, self.ask_to_bring(caller, bucket, (key, &to), version)?))
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

/// Whether a directory with too much in it for one batch may be renamed: no policy has a say about single keys of it, and no
/// version would stay.
fn may_redirect(caller: &Caller, bucket: &BucketState) -> bool {
    let has_policy = bucket.documents("policy").next().is_some();
    caller.is_root() && !has_policy && bucket.versioning() == Versioning::Never
}

/// That something can't be done here is a reason to copy, and so is what is too much for one batch.
fn elsewhere(error: Error) -> Errno {
    match error {
        Error::InvalidBucketState(_) | Error::TooLarge { .. } => Errno::CROSS_BUCKET,
        other => other.into(),
    }
}
