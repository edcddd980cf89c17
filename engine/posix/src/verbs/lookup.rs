//! Looking names up.
//!
//! Directories are told to everybody: policies can't say of one whether somebody has business below it. Whoever may do
//! nothing about a key that another name stands for learns nothing of it, and not whether it is there: it is told to who may
//! list it, alone or with what stands beside it, and to who may read, write or delete it.

use packstone_access::Action;
use packstone_store::object::VersionId;

use crate::caller::{Caller, Said, or};
use crate::protocol::Attributes;
use crate::told::{Standing, Told};
use crate::tree::Node;
use crate::view::{self, View};
use crate::{Errno, Files, name};

impl Files {
    pub(crate) fn lookup(&self, caller: &Caller, parent: u64, name: &[u8], told: &Told) -> Result<Attributes, Errno> {
        if matches!(name, b"." | b"..") {
            return self.attributes(&self.named(parent, name)?);
        }
        let mark = told.mark();
        let above = self.node(parent)?;
        let found = self.below(&above, name);
        match (&found, &above) {
            (Ok(Node::File(file)), _) => self.ask_to_see(caller, &file.bucket.bucket.name, &file.key)?,
            (Ok(Node::View(view)), _) => self.ask_to_see_view(caller, view)?,
            (Err(Errno::NOT_FOUND), Node::Directory(directory)) => {
                let key = name::key(&directory.path, name::parse(name)?)?;
                let bucket = directory.bucket_name();
                // A directory may be made of the name.
                let seen = self.ask_to_see(caller, bucket, &key);
                or(seen, || self.ask(caller, Action::PutObject, bucket, &[&key, "/"].concat()).map(drop))?;
            }
            (Err(Errno::NOT_FOUND), Node::View(view)) => self.ask_to_see_in_view(caller, view, name)?,
            (Ok(Node::Root | Node::Directory(_)) | Err(_), _) => {}
        }
        let found = found?;
        let attributes = self.attributes(&found)?;
        if let Some((bucket, key)) = found.key() {
            told.note(Standing { bucket, key, parent, name, inode: attributes.inode }, mark);
        }
        Ok(attributes)
    }

    /// That somebody could have come by an inode's number through a name.
    pub(crate) fn ask_to_know(&self, caller: &Caller, inode: u64) -> Result<(), Errno> {
        match self.node(inode)? {
            Node::Root | Node::Directory(_) => Ok(()),
            Node::View(view) => self.ask_to_see_view(caller, &view),
            Node::File(file) => {
                let mut seen = Err(Errno::ACCESS);
                for (bucket, key) in self.names_of(&file)? {
                    seen = or(seen, || self.ask_to_see(caller, &bucket, &key));
                }
                seen
            }
        }
    }

    /// That somebody may know whether a key is there, and what is said of it.
    fn ask_to_see(&self, caller: &Caller, bucket: &str, key: &str) -> Result<(), Errno> {
        // In the order of what is likely: one is enough.
        let mut seen = self.ask(caller, Action::GetObject, bucket, key).map(drop);
        let (directory, _) = name::split(key);
        seen = or(seen, || self.ask_to_list(caller, Action::ListBucket, bucket, directory).map(drop));
        seen = or(seen, || self.ask_for_prefix(caller, Action::ListBucket, bucket, key));
        seen = or(seen, || self.ask(caller, Action::PutObject, bucket, key).map(drop));
        or(seen, || self.ask(caller, Action::DeleteObject, bucket, key).map(drop))
    }

    /// Leave to list a key alone.
    fn ask_for_prefix(&self, caller: &Caller, action: Action, bucket: &str, key: &str) -> Result<(), Errno> {
        let said = Said { prefix: Some(key), ..Said::default() };
        self.ask_saying(caller, action, bucket, "", said).map(drop)
    }

    /// The same of the versions of a key, or of one.
    fn ask_to_see_versions(
        &self,
        caller: &Caller,
        bucket: &str,
        key: &str,
        version: Option<VersionId>,
    ) -> Result<(), Errno> {
        let said = Said { version, ..Said::default() };
        let mut seen = self.ask_saying(caller, Action::GetObjectVersion, bucket, key, said).map(drop);
        for directory in [name::split(key).0, &[key, "/"].concat()] {
            seen = or(seen, || self.ask_to_list(caller, Action::ListBucketVersions, bucket, directory).map(drop));
        }
        or(seen, || self.ask_for_prefix(caller, Action::ListBucketVersions, bucket, key))
    }

    fn ask_to_see_view(&self, caller: &Caller, view: &View) -> Result<(), Errno> {
        let bucket = &*view.bucket.bucket.name;
        match &view.place {
            view::Place::Keys => Ok(()),
            view::Place::Key(key) => self.ask_to_see_apart(caller, bucket, key),
            view::Place::Version(key, version) => self.ask_to_see_versions(caller, bucket, key, Some(*version)),
            // What is nothing but a directory is told as any.
            view::Place::Versions(path) if path.is_empty() || self.has_versions_below(view)? => Ok(()),
            view::Place::Versions(path) => self.ask_to_see_versions(caller, bucket, path, None),
        }
    }

    /// The same of a name in a view that leads nowhere.
    fn ask_to_see_in_view(&self, caller: &Caller, view: &View, name: &[u8]) -> Result<(), Errno> {
        let (bucket, name) = (&*view.bucket.bucket.name, std::str::from_utf8(name).map_err(|_| Errno::NOT_TEXT)?);
        match &view.place {
            view::Place::Keys => self.ask_to_see_apart(caller, bucket, &view::decode(name).unwrap_or_default()),
            view::Place::Versions(path) => {
                let seen = self.ask_to_see_versions(caller, bucket, &view::join(path, name), None);
                match name.parse() {
                    Ok(version) => or(seen, || self.ask_to_see_versions(caller, bucket, path, Some(version))),
                    Err(_) => seen,
                }
            }
            view::Place::Version(..) | view::Place::Key(_) => Ok(()),
        }
    }

    /// The same of a key that has no place among files: also to who may list the whole bucket.
    fn ask_to_see_apart(&self, caller: &Caller, bucket: &str, key: &str) -> Result<(), Errno> {
        let all = self.ask(caller, Action::ListBucket, bucket, "").map(drop);
        if key.is_empty() { all } else { or(all, || self.ask_to_see(caller, bucket, key)) }
    }
}
