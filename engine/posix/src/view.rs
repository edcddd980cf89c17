//! What has no place of its own among files, to be read: `.versions/` and `.keys/` at the top of every bucket.
//!
//! | path in the bucket | what it is |
//! |---|---|
//! | `.versions/PATH/` | the directories that keys make, of all keys that have versions, current ones or not; a key is one of them |
//! | `.versions/PATH/ID` | a version of the key `PATH`, by the id that S3 gives it |
//! | `.keys/NAME` | the current version of a key that has no place, the whole key percent-encoded |
//!
//! Neither is listed with the bucket, so that nobody walks into them who didn't ask. Nothing here can be changed. A number
//! is a hash of what it stands for, so that it stays; it leads back as long as it is among those that were told lately, and
//! is told again when the path is looked up.

use std::sync::Arc;

use packstone_access::Action;
use packstone_store::object::{BucketState, ListEntry, ListQuery, Version, VersionEntry, VersionId, VersionQuery};
use packstone_store::time::from_system_time;
use packstone_store::{Error, Object};
use quick_cache::sync::Cache;
use tokio::task::block_in_place;

use crate::caller::{Caller, Said};
use crate::number::VIEW;
use crate::protocol::{Attributes, Entry};
use crate::tree::{Node, attributes_of};
use crate::{Errno, Files, name, number};

const VERSIONS: &str = ".versions";
const KEYS: &str = ".keys";
/// Bits of a mode that a view leaves of a file's.
const READABLE: u32 = 0o444;
/// Places whose numbers are remembered.
const REMEMBERED: usize = 200_000;
/// How many numbers a place may come to.
const PROBES: u64 = 16;
/// So much of an encoded key stands in its name where not all of it does, in bytes.
const BEGINNING: usize = 200;
/// Between the beginning of an encoded key and the hash of all of it: no key is encoded so.
const CUT: &str = "%~";
/// Keys that are looked at for one piece of a listing.
const PIECE: usize = 1000;

/// Where something stands in a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A directory below `.versions/`, without a slash at its end: empty for that itself.
    Versions(String),
    Version(String, VersionId),
    Keys,
    Key(String),
}

/// Something in a view.
#[derive(Clone, Debug)]
pub struct View {
    pub bucket: Arc<BucketState>,
    pub place: Place,
    pub inode: u64,
    /// What it shows; `None` for a directory.
    pub version: Option<Version>,
}

/// Places by their numbers.
pub struct Numbers(Cache<u64, (u32, Arc<Place>)>);

impl Default for Numbers {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Numbers {
    fn number(&self, bucket: u32, place: &Place) -> Result<u64, Errno> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bucket.to_le_bytes());
        match place {
            Place::Versions(path) => hasher.update(b"d").update(path.as_bytes()),
            Place::Version(key, version) => hasher.update(b"v").update(&version.0.to_le_bytes()).update(key.as_bytes()),
            Place::Keys => hasher.update(b"K"),
            Place::Key(key) => hasher.update(b"k").update(key.as_bytes()),
        };
        let first = hasher.finalize().as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        for probe in 0..PROBES {
            let number = VIEW + (first.wrapping_add(probe) & (VIEW - 1));
            match self.0.get(&number) {
                Some((held, other)) if (held, &*other) != (bucket, place) => {}
                Some(_) => return Ok(number),
                None => {
                    self.0.insert(number, (bucket, Arc::new(place.clone())));
                    return Ok(number);
                }
            }
        }
        Err(Errno::IO)
    }
}

impl View {
    pub fn attributes(&self) -> Attributes {
        let made = from_system_time(self.bucket.bucket.created);
        match &self.version {
            Some(version) => {
                let held = attributes_of(version);
                // Of a device's node, and of a pipe's, it is the object.
                let kind = if self.is_link() { libc::S_IFLNK } else { libc::S_IFREG };
                Attributes { inode: self.inode, mode: kind | held.mode & READABLE, device: 0, ..held }
            }
            None => Attributes {
                inode: self.inode,
                mode: libc::S_IFDIR | 0o555,
                links: 2,
                uid: 0,
                gid: 0,
                size: 0,
                mtime: made,
                ctime: made,
                device: 0,
                content: 0,
            },
        }
    }

    pub fn is_link(&self) -> bool {
        self.version.as_ref().is_some_and(|version| version.file.mode & libc::S_IFMT == libc::S_IFLNK)
    }

    pub fn key(&self) -> Option<(&str, Option<VersionId>)> {
        match &self.place {
            Place::Version(key, version) => Some((key, Some(*version))),
            Place::Key(key) => Some((key, None)),
            Place::Versions(_) | Place::Keys => None,
        }
    }
}

/// Whether a name at the top of a bucket is a view's.
pub fn is_view(name: &str) -> bool {
    matches!(name, VERSIONS | KEYS)
}

/// A key as one name: nothing in it is a slash, nothing it is is `.` or `..`, and what may stand plainly does.
fn encode(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let only_dots = matches!(key, "." | "..");
    for character in key.chars() {
        if matches!(character, '/' | '%') || character.is_control() || only_dots {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(character);
        }
    }
    if out.len() <= name::MAX_NAME {
        return out;
    }
    let mut cut = BEGINNING;
    // Neither a character nor an encoded byte comes apart.
    while !out.is_char_boundary(cut) || out.get(cut.saturating_sub(2)..cut).is_some_and(|end| end.contains('%')) {
        cut -= 1;
    }
    let hash = blake3::hash(key.as_bytes()).to_hex();
    [out.get(..cut).unwrap_or_default(), CUT, hash.get(..32).unwrap_or_default()].concat()
}

/// The key of a name, or where the name is cut, what the key begins with.
pub fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.split(CUT).next()?.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'%' {
            let (digits, behind) = rest.split_first_chunk::<2>()?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = behind;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether each component of a key can be a name, and none of them is a view's.
fn has_place(key: &str) -> bool {
    let bare = key.strip_suffix('/').unwrap_or(key);
    let mut components = bare.split('/');
    components.clone().all(name::is_shown) && !components.next().is_some_and(is_view)
}

impl Files {
    /// The view of that name, at the top of a bucket.
    pub(crate) fn view(&self, bucket: &Arc<BucketState>, name: &str) -> Result<Option<View>, Errno> {
        match name {
            VERSIONS => self.viewed(bucket, Place::Versions(String::new()), None).map(Some),
            KEYS => self.viewed(bucket, Place::Keys, None).map(Some),
            _ => Ok(None),
        }
    }

    fn viewed(&self, bucket: &Arc<BucketState>, place: Place, version: Option<Version>) -> Result<View, Errno> {
        let inode = self.views.number(bucket.bucket.id, &place)?;
        Ok(View { bucket: bucket.clone(), place, inode, version })
    }

    /// What a number of a view leads to.
    ///
    /// # Errors
    /// [`Errno::STALE`] for one that was not told lately, or whose version is gone.
    pub(crate) fn view_of(&self, inode: u64) -> Result<View, Errno> {
        let (bucket, place) = self.views.0.get(&inode).ok_or(Errno::STALE)?;
        let bucket = self.store.bucket_of_id(bucket).ok_or(Errno::STALE)?;
        self.view_at(&bucket, Place::clone(&place))?.ok_or(Errno::STALE)
    }

    /// What stands at a place, if anything does.
    fn view_at(&self, bucket: &Arc<BucketState>, place: Place) -> Result<Option<View>, Errno> {
        let version = match &place {
            Place::Keys => None,
            Place::Versions(path) if path.is_empty() => None,
            Place::Versions(path) => {
                let below = [path, "/"].concat();
                if self.versions(bucket, &below, "", None, 1)?.is_empty() && self.first_version(bucket, path)?.is_none()
                {
                    return Ok(None);
                }
                None
            }
            Place::Version(key, version) => {
                let grant = self.may(Action::GetObjectVersion, &bucket.bucket.name, key)?;
                match self.store.describe(&grant, Some(*version)) {
                    Ok(version) => Some(version),
                    Err(Error::NoSuchKey | Error::NoSuchVersion | Error::DeleteMarker { .. } | Error::InvalidKey) => {
                        return Ok(None);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Place::Key(key) => match self.version(bucket, key)? {
                Some(version) if self.is_apart(bucket, key)? => Some(version),
                _ => return Ok(None),
            },
        };
        self.viewed(bucket, place, version).map(Some)
    }

    /// Whether a directory of versions has anything below it.
    pub(crate) fn has_versions_below(&self, view: &View) -> Result<bool, Errno> {
        let Place::Versions(path) = &view.place else { return Ok(false) };
        Ok(!self.versions(&view.bucket, &[path, "/"].concat(), "", None, 1)?.is_empty())
    }

    /// Whether a key has no place among files.
    fn is_apart(&self, bucket: &BucketState, key: &str) -> Result<bool, Errno> {
        if !has_place(key) {
            return Ok(true);
        }
        if key.ends_with('/') {
            return Ok(false);
        }
        Ok(self.first_below(bucket, &[key, "/"].concat(), "")?.is_some())
    }

    pub(crate) fn view_child(&self, parent: &View, name: &[u8]) -> Result<Node, Errno> {
        let name = std::str::from_utf8(name).map_err(|_| Errno::NOT_TEXT)?;
        if name.len() > name::MAX_NAME {
            return Err(Errno::NAME_TOO_LONG);
        }
        let found = match &parent.place {
            Place::Version(..) | Place::Key(_) => return Err(Errno::NOT_DIRECTORY),
            Place::Keys => match self.key_of(&parent.bucket, name)? {
                Some(key) => self.view_at(&parent.bucket, Place::Key(key))?,
                None => None,
            },
            Place::Versions(path) => {
                let version = name.parse().ok().filter(|_| !path.is_empty());
                let version = match version {
                    Some(version) => self.view_at(&parent.bucket, Place::Version(path.clone(), version))?,
                    None => None,
                };
                match version {
                    Some(version) => Some(version),
                    None if name::is_shown(name) && !name.contains('/') => {
                        self.view_at(&parent.bucket, Place::Versions(join(path, name)))?
                    }
                    None => None,
                }
            }
        };
        found.map(Node::View).ok_or(Errno::NOT_FOUND)
    }

    /// The key that a name in `.keys/` stands for.
    fn key_of(&self, bucket: &BucketState, name: &str) -> Result<Option<String>, Errno> {
        let Some(key) = decode(name) else { return Ok(None) };
        if !name.contains(CUT) {
            return Ok(Some(key).filter(|key| encode(key) == name));
        }
        let grant = self.may(Action::ListBucket, &bucket.bucket.name, "")?;
        let mut query = ListQuery { prefix: key, limit: PIECE, ..ListQuery::default() };
        block_in_place(|| {
            loop {
                let page = self.store.list(&grant, &query)?;
                let keys = page.entries.iter().map(crate::tree::place_of);
                if let Some(found) = keys.clone().find(|key| encode(key) == name) {
                    return Ok(Some(found.to_owned()));
                }
                match keys.last() {
                    Some(last) if page.truncated => last.clone_into(&mut query.after),
                    _ => return Ok(None),
                }
            }
        })
    }

    pub(crate) fn view_above(&self, view: &View) -> Result<Node, Errno> {
        let path = match &view.place {
            Place::Keys => None,
            Place::Versions(path) if path.is_empty() => None,
            Place::Key(_) => return Ok(Node::View(self.viewed(&view.bucket, Place::Keys, None)?)),
            Place::Version(key, _) => Some(key.as_str()),
            Place::Versions(path) => Some(path.rsplit_once('/').map_or("", |(above, _)| above)),
        };
        match path {
            None => self.node(number::of_bucket(&view.bucket)),
            Some(path) => Ok(Node::View(self.viewed(&view.bucket, Place::Versions(path.to_owned()), None)?)),
        }
    }

    /// The entries of a view behind a place that an entry gave.
    pub(crate) fn list_view(
        &self,
        caller: &Caller,
        view: &View,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Entry>, Errno> {
        let bucket = &view.bucket.bucket.name;
        match &view.place {
            Place::Version(..) | Place::Key(_) => Err(Errno::NOT_DIRECTORY),
            Place::Keys => {
                self.ask_saying(caller, Action::ListBucket, bucket, "", Said::default())?;
                block_in_place(|| self.list_keys(view, after, limit))
            }
            Place::Versions(path) => {
                let prefix = if path.is_empty() { String::new() } else { [path, "/"].concat() };
                self.ask_to_list(caller, Action::ListBucketVersions, bucket, &prefix)?;
                block_in_place(|| self.list_versions(view, path, after, limit))
            }
        }
    }

    /// All keys that have no place; the place of an entry is its key.
    fn list_keys(&self, view: &View, after: &str, limit: usize) -> Result<Vec<Entry>, Errno> {
        let grant = self.may(Action::ListBucket, &view.bucket.bucket.name, "")?;
        let mut query = ListQuery { after: after.to_owned(), limit: PIECE, ..ListQuery::default() };
        let mut entries = Vec::new();
        loop {
            let page = self.store.list(&grant, &query)?;
            for entry in &page.entries {
                let ListEntry::Object { key, version } = entry else { continue };
                if !self.is_apart(&view.bucket, key)? {
                    continue;
                }
                let found = self.viewed(&view.bucket, Place::Key(key.clone()), Some(version.clone()))?;
                entries.push(Entry { name: encode(key), place: key.clone(), attributes: found.attributes() });
                if entries.len() == limit {
                    return Ok(entries);
                }
            }
            match page.entries.last() {
                Some(last) if page.truncated => crate::tree::place_of(last).clone_into(&mut query.after),
                _ => return Ok(entries),
            }
        }
    }

    /// The versions of the key `path`, newest first, then the directories below it. The place of a version is its id
    /// behind a `v`, that of a directory the last key that was seen of it behind a `d`.
    fn list_versions(&self, view: &View, path: &str, after: &str, limit: usize) -> Result<Vec<Entry>, Errno> {
        let (kind, after) = after.split_at_checked(1).unwrap_or_default();
        let mut entries = Vec::new();
        if kind != "d" && !path.is_empty() {
            let behind = after.parse::<VersionId>().ok().map(|version| (path.to_owned(), Some(version)));
            self.versions_of(view, path, behind, limit, &mut entries)?;
        }
        if entries.len() < limit {
            let after = if kind == "d" { after } else { "" };
            self.directories_below(view, path, after, limit, &mut entries)?;
        }
        Ok(entries)
    }

    fn versions_of(
        &self,
        view: &View,
        of: &str,
        mut behind: Option<(String, Option<VersionId>)>,
        limit: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Errno> {
        loop {
            let page = self.versions(&view.bucket, of, "", behind.take(), PIECE)?;
            for entry in &page {
                match entry {
                    VersionEntry::Version { key, version } if key == of => {
                        let (id, place) = (version.version, Place::Version(key.clone(), version.version));
                        let found = self.viewed(&view.bucket, place, Some(version.clone()))?;
                        let name = id.to_string();
                        entries.push(Entry { place: format!("v{name}"), name, attributes: found.attributes() });
                        behind = Some((of.to_owned(), Some(id)));
                    }
                    VersionEntry::Marker { key, version, .. } if key == of => {
                        behind = Some((of.to_owned(), Some(*version)));
                    }
                    _ => return Ok(()),
                }
                if entries.len() == limit {
                    return Ok(());
                }
            }
            if page.len() < PIECE {
                return Ok(());
            }
        }
    }

    fn directories_below(
        &self,
        view: &View,
        path: &str,
        after: &str,
        limit: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Errno> {
        let prefix = if path.is_empty() { String::new() } else { [path, "/"].concat() };
        let mut behind = Some(after).filter(|after| !after.is_empty()).map(|key| (key.to_owned(), None));
        loop {
            // One at a time: all versions of a key are passed at once.
            let Some(entry) = self.versions(&view.bucket, &prefix, "/", behind.take(), 1)?.pop() else {
                return Ok(());
            };
            let (key, is_path) = match &entry {
                VersionEntry::Version { key, .. } | VersionEntry::Marker { key, .. } => (key, false),
                VersionEntry::Prefix(path) => (path, true),
            };
            let name = key.get(prefix.len()..).unwrap_or_default();
            let name = if is_path { name.strip_suffix('/').unwrap_or(name) } else { name };
            behind = Some((key.clone(), None));
            let inner = join(path, name);
            // The versions of a key came before those of what is below it.
            let is_told = is_path && self.first_version(&view.bucket, &inner)?.is_some();
            let is_empty = !is_path && self.first_version(&view.bucket, &inner)?.is_none();
            if is_told || is_empty || !name::is_shown(name) {
                continue;
            }
            let found = self.viewed(&view.bucket, Place::Versions(inner), None)?;
            let attributes = found.attributes();
            entries.push(Entry { name: name.to_owned(), place: format!("d{key}"), attributes });
            if entries.len() == limit {
                return Ok(());
            }
        }
    }

    fn versions(
        &self,
        bucket: &BucketState,
        prefix: &str,
        delimiter: &str,
        after: Option<(String, Option<VersionId>)>,
        limit: usize,
    ) -> Result<Vec<VersionEntry>, Errno> {
        let grant = self.may(Action::ListBucketVersions, &bucket.bucket.name, "")?;
        let query = VersionQuery { prefix: prefix.to_owned(), delimiter: delimiter.to_owned(), after, limit };
        Ok(self.store.list_versions(&grant, &query)?.entries)
    }

    /// A version of a key, if it has any beside delete markers.
    fn first_version(&self, bucket: &BucketState, of: &str) -> Result<Option<VersionId>, Errno> {
        let mut behind = None;
        loop {
            match self.versions(bucket, of, "", behind.take(), 1)?.pop() {
                Some(VersionEntry::Version { key, version }) if key == of => return Ok(Some(version.version)),
                Some(VersionEntry::Marker { key, version, .. }) if key == of => behind = Some((key, Some(version))),
                _ => return Ok(None),
            }
        }
    }

    /// What a file of a view shows, ready to be read.
    pub(crate) fn open_view(&self, caller: &Caller, view: &View) -> Result<Arc<Object>, Errno> {
        let Some((key, version)) = view.key() else { return Err(Errno::IS_DIRECTORY) };
        let action = if version.is_some() { Action::GetObjectVersion } else { Action::GetObject };
        let said = Said { version, ..Said::default() };
        let grant = self.ask_saying(caller, action, &view.bucket.bucket.name, key, said)?;
        let object = self.store.get(&grant, version)?;
        self.ask_to_decrypt(caller, &object.version)?;
        Ok(Arc::new(object.unlocked(None)?))
    }
}

pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { [path, "/", name].concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_key_is_a_name_and_leads_back() {
        let long = "ü/".repeat(400);
        for key in ["a//b", "/", ".", "..", "a/../b", "%", "100%/x", "%2F", "tab\t\0", "plain", &long, &"%".repeat(300)]
        {
            let name = encode(key);
            assert_eq!(name::parse(name.as_bytes()), Ok(name.as_str()), "{key}");
            match name.contains(CUT) {
                true => assert!(key.starts_with(&decode(&name).unwrap()), "{key}"),
                false => assert_eq!(decode(&name).as_deref(), Some(key)),
            }
        }
        assert_eq!(encode("a//b"), "a%2F%2Fb");
        assert_eq!(encode("."), "%2E");
        assert_ne!(encode(&[&long, "1"].concat()), encode(&[&long, "2"].concat()));
        for name in ["%", "%2", "%zz", "%FF"] {
            assert_eq!(decode(name), None, "{name}");
        }
    }

    #[test]
    fn keys_have_a_place_or_not() {
        for key in ["a", "a/b", "a/b/", ".hidden/x", "a/.keys/b"] {
            assert!(has_place(key), "{key}");
        }
        for key in ["a//b", "/a", "./a", ".keys/a", ".versions", ".versions/", "//"] {
            assert!(!has_place(key), "{key}");
        }
    }
}
