//! Listing names.

use packstone_access::Action;
use packstone_store::object::{ListEntry, ListQuery};

use crate::caller::Caller;
use crate::protocol::Entry;
use crate::told::{Mark, Standing, Told};
use crate::tree::{Directory, Node, place_of};
use crate::view::is_view;
use crate::{Errno, Files, name};

/// Entries of one answer at most: as long as they may be, they fit into a frame.
const MOST: usize = 500;
/// The same of a view, whose places are keys.
const MOST_VIEWED: usize = 200;

impl Files {
    /// The entries behind a place, in order of their keys; fewer than `limit` at the end alone.
    pub(crate) fn list(
        &self,
        caller: &Caller,
        inode: u64,
        (after, limit): (&[u8], u32),
        told: &Told,
    ) -> Result<Vec<Entry>, Errno> {
        let after = std::str::from_utf8(after).map_err(|_| Errno::NOT_TEXT)?;
        let limit = usize::try_from(limit).unwrap_or(MOST).clamp(1, MOST);
        match self.node(inode)? {
            Node::Root => self.list_buckets(caller, inode, after, limit),
            Node::Directory(directory) => {
                let mark = told.mark();
                let entries = self.list_directory(caller, &directory, after, limit)?;
                note_all(told, mark, &directory, &entries);
                Ok(entries)
            }
            Node::View(view) => self.list_view(caller, &view, after, limit.min(MOST_VIEWED)),
            Node::File(_) => Err(Errno::NOT_DIRECTORY),
        }
    }

    fn list_buckets(&self, caller: &Caller, inode: u64, after: &str, limit: usize) -> Result<Vec<Entry>, Errno> {
        let buckets = self.store.buckets(&self.ask_for_buckets(caller)?)?;
        let mut entries = Vec::new();
        for bucket in buckets.into_iter().filter(|bucket| &*bucket.name > after).take(limit) {
            // One that went meanwhile is not there.
            let Ok(node) = self.named(inode, bucket.name.as_bytes()) else { continue };
            let name = bucket.name.to_string();
            entries.push(Entry { place: name.clone(), name, attributes: self.attributes(&node)? });
        }
        Ok(entries)
    }

    fn list_directory(
        &self,
        caller: &Caller,
        directory: &Directory,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Entry>, Errno> {
        let grant = self.ask_to_list(caller, Action::ListBucket, directory.bucket_name(), &directory.path)?;
        let prefix = directory.path.clone();
        let after = if after.is_empty() { String::new() } else { [&prefix, after].concat() };
        let mut query = ListQuery { prefix, delimiter: "/".into(), after, limit };
        let mut entries = Vec::new();
        loop {
            let page = self.store.list(&grant, &query)?;
            for (at, entry) in page.entries.iter().enumerate() {
                let next = page.entries.get(at + 1);
                if let Some(shown) = self.shown(directory, entry, next, page.truncated)? {
                    entries.push(shown);
                }
                if entries.len() == limit {
                    return Ok(entries);
                }
            }
            match page.entries.last() {
                Some(last) if page.truncated => place_of(last).clone_into(&mut query.after),
                _ => return Ok(entries),
            }
        }
    }

    /// An entry as a name, if it has one here.
    fn shown(
        &self,
        directory: &Directory,
        entry: &ListEntry,
        next: Option<&ListEntry>,
        truncated: bool,
    ) -> Result<Option<Entry>, Errno> {
        let key = place_of(entry);
        let place = key.get(directory.path.len()..).unwrap_or_default();
        let name = place.strip_suffix('/').unwrap_or(place);
        if !name::is_shown(name) || directory.path.is_empty() && is_view(name) {
            return Ok(None);
        }
        let attributes = match entry {
            ListEntry::Prefix(path) => match self.directory_at(&directory.bucket, path)? {
                Some(found) => self.attributes(&Node::Directory(found))?,
                None => return Ok(None),
            },
            ListEntry::Object { version, .. } => {
                if may_be_hidden(key, next, truncated) {
                    let below = [key, "/"].concat();
                    if self.first_below(&directory.bucket, &below, "")?.is_some() {
                        return Ok(None);
                    }
                }
                self.attributes_of(version)?
            }
        };
        Ok(Some(Entry { name: name.to_owned(), place: place.to_owned(), attributes }))
    }
}

/// Notes that a mount was told of entries.
fn note_all(told: &Told, mark: Mark, directory: &Directory, entries: &[Entry]) {
    if !told.is_watched() {
        return;
    }
    let (bucket, parent) = (directory.bucket.bucket.id, directory.inode);
    for Entry { name, place, attributes } in entries {
        let key = [directory.path.as_str(), place].concat();
        let standing = Standing { bucket, key: &key, parent, name: name.as_bytes(), inode: attributes.inode };
        told.note(standing, mark);
    }
}

/// Whether a directory of the same name may follow a key: nothing but keys that begin with it stand between, and none of
/// these is behind a slash.
fn may_be_hidden(key: &str, next: Option<&ListEntry>, truncated: bool) -> bool {
    match next.map(|next| place_of(next).strip_prefix(key)) {
        Some(Some(rest)) => rest.as_bytes().first().is_some_and(|first| *first <= b'/'),
        Some(None) => false,
        None => truncated,
    }
}
