//! What a store should hold, said as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use packstone_store::object::{AttributeChange, DefaultRetention, Mode, Period, Retention, Versioning};

pub type Content = Arc<Vec<u8>>;

/// Seconds that a retention may differ by: clocks go on between the model and the store.
const TURN: i64 = 1000;

#[derive(Clone, Debug)]
pub struct Version {
    /// What a history calls it; the store knows nothing of it.
    pub tag: u64,
    /// The same for all names of a file.
    pub file: u64,
    pub null: bool,
    /// `None` for a delete marker.
    pub content: Option<Content>,
    pub tags: Vec<(String, String)>,
    pub retention: Option<Retention>,
    pub legal_hold: bool,
    /// The lock that it waits for.
    pub pending: Option<DefaultRetention>,
    /// Whether a mount made it.
    pub made: bool,
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        let turn = |version: &Self| version.retention.map(|held| (held.mode, held.until / TURN));
        (self.null, &self.content, &self.tags, self.legal_hold, self.pending, turn(self))
            == (other.null, &other.content, &other.tags, other.legal_hold, other.pending, turn(other))
    }
}

impl Version {
    fn new(tag: u64, null: bool, content: Option<Content>) -> Self {
        let (tags, retention, legal_hold, pending) = (Vec::new(), None, false, None);
        Self { tag, file: tag, null, content, tags, retention, legal_hold, pending, made: false }
    }

    fn may_end(&self, now: i64, bypass: bool) -> bool {
        let held = self.retention.filter(|held| held.until > now && !(held.mode == Mode::Governance && bypass));
        !self.legal_hold && held.is_none()
    }
}

/// Which version of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    Null,
    Tag(u64),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bucket {
    pub versioning: Versioning,
    pub lock: Option<Option<DefaultRetention>>,
    pub documents: BTreeMap<String, Vec<u8>>,
    /// Of each key that has any, oldest first.
    pub versions: BTreeMap<String, Vec<Version>>,
    /// Parts by (key, upload).
    pub uploads: BTreeMap<(String, u128), BTreeMap<u16, Content>>,
}

impl Bucket {
    /// The current version of a key.
    pub fn current(&self, key: &str) -> Option<&Content> {
        self.versions.get(key)?.last()?.content.as_ref()
    }

    pub fn objects(&self) -> impl Iterator<Item = (&String, &Content)> {
        self.versions.iter().filter_map(|(key, held)| Some((key, held.last()?.content.as_ref()?)))
    }

    /// A version or delete marker comes; `None` where what it would end is locked.
    fn bring(&mut self, key: &str, tag: u64, (content, file): (Option<Content>, bool), now: i64) -> Option<()> {
        let mut version = Version::new(tag, self.versioning != Versioning::Enabled, content);
        version.made = file;
        self.hold(&mut version, now);
        let held = self.versions.entry(key.to_owned()).or_default();
        if version.null {
            held.iter().all(|held| !held.null || held.may_end(now, false)).then_some(())?;
            held.retain(|held| !held.null);
        }
        held.push(version);
        Some(())
    }

    /// What comes is locked, or waits for that.
    fn hold(&self, version: &mut Version, now: i64) {
        match (&version.content, self.lock.flatten()) {
            (Some(_), Some(default)) if version.made => version.pending = Some(default),
            (Some(_), Some(default)) => version.retention = Some(default.from(now)),
            _ => {}
        }
    }

    fn find(&mut self, key: &str, which: Which) -> Option<usize> {
        let is = |version: &Version| match which {
            Which::Null => version.null,
            Which::Tag(tag) => version.tag == tag,
        };
        self.versions.get(key)?.iter().position(is)
    }

    fn end(&mut self, key: &str, which: Which, now: i64, bypass: bool) -> Option<()> {
        let Some(at) = self.find(key, which) else { return Some(()) };
        let held = self.versions.get_mut(key)?;
        held[at].may_end(now, bypass).then_some(())?;
        held.remove(at);
        if held.is_empty() {
            self.versions.remove(key);
        } else if self.versioning != Versioning::Never && self.names(key) > 1 {
            self.number_anew(key);
        }
        Some(())
    }

    /// What comes back is another file than the one that has its number now.
    fn number_anew(&mut self, key: &str) {
        if let Some(version) = self.versions.get_mut(key).and_then(|held| held.last_mut()) {
            version.file = version.file.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ version.tag;
        }
    }

    /// How many keys have the file that the current version of a key is.
    pub fn names(&self, key: &str) -> usize {
        let file = |held: &Vec<Version>| held.last().map(|version| version.file);
        let Some(own) = self.versions.get(key).and_then(file) else { return 0 };
        self.versions.values().filter(|held| file(held) == Some(own)).count()
    }

    pub fn has_links(&self) -> bool {
        self.versions.keys().any(|key| self.names(key) > 1)
    }

    /// A key becomes one more name of a file.
    fn link(&mut self, from: &str, to: &str) -> Option<()> {
        (self.versioning == Versioning::Never && !self.versions.contains_key(to)).then_some(())?;
        let held = self.versions.get(from)?.clone();
        self.versions.insert(to.to_owned(), held);
        Some(())
    }

    /// The content of a file changes under all its names.
    fn rewrite(&mut self, key: &str, content: &Content) -> Option<()> {
        let file = self.versions.get(key)?.last()?.file;
        let named = self.versions.values_mut().filter_map(|held| held.last_mut());
        named.filter(|version| version.file == file).for_each(|version| version.content = Some(content.clone()));
        Some(())
    }

    /// The version of a key becomes that of another one, as it is where versions were never kept.
    fn rename(&mut self, (from, to): (&str, &str), tags: (u64, u64), file: bool, now: i64) -> Option<()> {
        self.current(from)?;
        for key in [from, to] {
            let last = self.versions.get(key).and_then(|held| held.last());
            last.is_none_or(|last| last.content.is_none() || last.may_end(now, false)).then_some(())?;
        }
        match self.versioning {
            _ if from == to => (file || self.versioning == Versioning::Never).then_some(()),
            Versioning::Never => {
                let held = self.versions.remove(from)?;
                self.versions.insert(to.to_owned(), held);
                Some(())
            }
            _ => file.then_some(()).and_then(|()| self.rename_version((from, to), tags, now)),
        }
    }

    /// The newest version of a key comes as one of another key, and its own key ends as by a delete.
    fn rename_version(&mut self, (from, to): (&str, &str), (tag, marker): (u64, u64), now: i64) -> Option<()> {
        let enabled = self.versioning == Versioning::Enabled;
        let ends = |version: &Version, newest: u64| match enabled {
            true => version.tag == newest && version.pending.is_some(),
            false => version.null,
        };
        for key in [from, to] {
            let mut held = self.versions.get(key).into_iter().flatten();
            held.all(|version| enabled || !version.null || version.may_end(now, false)).then_some(())?;
        }
        let renamed = self.versions.get(from)?.last()?.clone();
        let mut version = Version { tag, null: !enabled, retention: None, legal_hold: false, ..renamed.clone() };
        if version.pending.is_none() {
            self.hold(&mut version, now);
        }
        for key in [from, to] {
            let held = self.versions.entry(key.to_owned()).or_default();
            let newest = held.last().map_or(0, |version| version.tag);
            held.retain(|version| !ends(version, newest));
        }
        self.versions.get_mut(to)?.push(version);
        let left = self.versions.get_mut(from)?;
        if renamed.pending.is_none() || left.last().is_some_and(|version| version.content.is_some()) {
            left.push(Version::new(marker, !enabled, None));
        }
        if left.is_empty() {
            self.versions.remove(from);
        }
        Some(())
    }

    /// All versions below one path become those below another.
    fn redirect(&mut self, from: &str, to: &str) -> Option<()> {
        (self.versioning == Versioning::Never).then_some(())?;
        (!self.versions.keys().any(|key| key.starts_with(to) && key != to)).then_some(())?;
        let below: Vec<String> = self.versions.keys().filter(|key| key.starts_with(from)).cloned().collect();
        (!below.is_empty()).then_some(())?;
        self.versions.remove(to);
        for key in below {
            let held = self.versions.remove(&key)?;
            self.versions.insert([to, &key[from.len()..]].concat(), held);
        }
        Some(())
    }

    fn amend(
        &mut self,
        key: &str,
        which: Option<Which>,
        change: &AttributeChange,
        now: i64,
        bypass: bool,
    ) -> Option<()> {
        let lockable = self.lock.is_some();
        let at = match which {
            Some(which) => self.find(key, which)?,
            None => self.versions.get(key)?.len() - 1,
        };
        let version = self.versions.get_mut(key)?.get_mut(at)?;
        version.content.as_ref()?;
        match change {
            AttributeChange::Tags(tags) => version.tags.clone_from(tags),
            AttributeChange::LegalHold(on) => {
                lockable.then_some(())?;
                version.legal_hold = *on;
            }
            AttributeChange::Retention(to) => {
                lockable.then_some(())?;
                (to.is_none_or(|to| to.until > now)).then_some(())?;
                if let Some(held) = version.retention.filter(|held| held.until > now) {
                    let extends = to.is_some_and(|to| to.mode == held.mode && to.until >= held.until);
                    (extends || (held.mode == Mode::Governance && bypass)).then_some(())?;
                }
                let rule = version.pending.take();
                version.retention = to.or(rule.map(|rule| rule.from(now)));
            }
            AttributeChange::Lock => {
                lockable.then_some(())?;
                let rule = version.pending.take();
                version.retention = version.retention.or(rule.map(|rule| rule.from(now)));
            }
            AttributeChange::Acl(_)
            | AttributeChange::File(_)
            | AttributeChange::Names(_)
            | AttributeChange::Extended(..) => {}
        }
        Some(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub buckets: BTreeMap<String, Bucket>,
    /// Of the node.
    pub documents: BTreeMap<String, Vec<u8>>,
}

/// What an operation means.
#[derive(Clone, Debug)]
pub enum Effect {
    CreateBucket {
        name: String,
        lock: bool,
    },
    DeleteBucket(String),
    Versioning {
        bucket: String,
        to: Versioning,
    },
    Lock {
        bucket: String,
        default: Option<DefaultRetention>,
    },
    Document {
        bucket: Option<String>,
        name: String,
        value: Option<Vec<u8>>,
    },
    Put {
        bucket: String,
        key: String,
        tag: u64,
        content: Content,
        absent: bool,
        /// As a mount makes it.
        file: bool,
    },
    Delete {
        bucket: String,
        key: String,
        tag: u64,
    },
    Rename {
        bucket: String,
        from: String,
        to: String,
        /// Of what comes, and of the delete marker that is left, where versions are kept.
        tags: (u64, u64),
        /// As a mount does it.
        file: bool,
    },
    /// Of a directory; both end with a slash.
    Redirect {
        bucket: String,
        from: String,
        to: String,
    },
    /// To what is there, or to nothing; as a mount does where the file stays the same.
    Append {
        bucket: String,
        key: String,
        tag: u64,
        content: Content,
        stays: bool,
    },
    Link {
        bucket: String,
        from: String,
        to: String,
    },
    /// Content of a file that is there, in a bucket that never kept versions.
    Rewrite {
        bucket: String,
        key: String,
        content: Content,
    },
    DeleteVersion {
        bucket: String,
        key: String,
        which: Which,
        bypass: bool,
    },
    Amend {
        bucket: String,
        key: String,
        which: Option<Which>,
        change: AttributeChange,
        bypass: bool,
    },
    OpenUpload {
        bucket: String,
        key: String,
        upload: u128,
    },
    Part {
        bucket: String,
        key: String,
        upload: u128,
        number: u16,
        content: Content,
    },
    Complete {
        bucket: String,
        key: String,
        upload: u128,
        tag: u64,
        parts: Vec<u16>,
    },
    Abort {
        bucket: String,
        key: String,
        upload: u128,
    },
}

impl Model {
    /// Carries an operation out at `now`, in seconds; whether it is one that succeeds.
    pub fn apply(&mut self, effect: &Effect, now: i64) -> bool {
        self.try_apply(effect, now).is_some()
    }

    fn bucket(&mut self, name: &str) -> Option<&mut Bucket> {
        self.buckets.get_mut(name)
    }

    fn try_apply(&mut self, effect: &Effect, now: i64) -> Option<()> {
        match effect.clone() {
            Effect::CreateBucket { name, lock } => {
                let versioning = if lock { Versioning::Enabled } else { Versioning::Never };
                let bucket = Bucket { versioning, lock: lock.then_some(None), ..Bucket::default() };
                let free = !self.buckets.contains_key(&name);
                free.then(|| self.buckets.insert(name, bucket)).map(drop)
            }
            Effect::DeleteBucket(name) => {
                let held = self.buckets.get(&name)?;
                (held.versions.is_empty() && held.uploads.is_empty()).then(|| self.buckets.remove(&name)).map(drop)
            }
            Effect::Versioning { bucket, to } => {
                let held = self.bucket(&bucket)?;
                (to == Versioning::Never || !held.has_links()).then_some(())?;
                (to == Versioning::Enabled || held.lock.is_none()).then(|| held.versioning = to)
            }
            Effect::Lock { bucket, default } => {
                let held = self.bucket(&bucket)?;
                (held.versioning == Versioning::Enabled).then(|| held.lock = Some(default))
            }
            Effect::Document { bucket, name, value } => {
                let documents = match bucket {
                    Some(bucket) => &mut self.bucket(&bucket)?.documents,
                    None => &mut self.documents,
                };
                match value {
                    Some(value) => documents.insert(name, value),
                    None => documents.remove(&name),
                };
                Some(())
            }
            Effect::Put { bucket, key, tag, content, absent, file } => {
                let held = self.bucket(&bucket)?;
                (!absent || held.current(&key).is_none()).then_some(())?;
                held.bring(&key, tag, (Some(content), file), now)
            }
            Effect::Delete { bucket, key, tag } => {
                let held = self.bucket(&bucket)?;
                match held.versioning {
                    Versioning::Never => held.end(&key, Which::Null, now, false),
                    _ => held.bring(&key, tag, (None, false), now),
                }
            }
            Effect::Rename { bucket, from, to, tags, file } => {
                self.bucket(&bucket)?.rename((&from, &to), tags, file, now)
            }
            Effect::Redirect { bucket, from, to } => self.bucket(&bucket)?.redirect(&from, &to),
            Effect::Link { bucket, from, to } => self.bucket(&bucket)?.link(&from, &to),
            Effect::Rewrite { bucket, key, content } => self.bucket(&bucket)?.rewrite(&key, &content),
            Effect::Append { bucket, key, tag, content, stays } => {
                let held = self.bucket(&bucket)?;
                (held.versioning == Versioning::Never).then_some(())?;
                (stays || held.names(&key) < 2).then_some(())?;
                match held.versions.get_mut(&key).and_then(|held| held.last_mut()) {
                    Some(version) => {
                        let before = version.content.as_ref()?;
                        version.file = if stays { version.file } else { tag };
                        let content = Arc::new([&before[..], &content[..]].concat());
                        held.rewrite(&key, &content)
                    }
                    None => held.bring(&key, tag, (Some(content), false), now),
                }
            }
            Effect::DeleteVersion { bucket, key, which, bypass } => self.bucket(&bucket)?.end(&key, which, now, bypass),
            Effect::Amend { bucket, key, which, change, bypass } => {
                self.bucket(&bucket)?.amend(&key, which, &change, now, bypass)
            }
            other => self.apply_upload(other, now),
        }
    }

    fn apply_upload(&mut self, effect: Effect, now: i64) -> Option<()> {
        match effect {
            Effect::OpenUpload { bucket, key, upload } => {
                self.bucket(&bucket)?.uploads.insert((key, upload), BTreeMap::new());
                Some(())
            }
            Effect::Part { bucket, key, upload, number, content } => {
                self.bucket(&bucket)?.uploads.get_mut(&(key, upload))?.insert(number, content);
                Some(())
            }
            Effect::Complete { bucket, key, upload, tag, parts } => {
                let held = self.bucket(&bucket)?;
                let uploaded = held.uploads.get(&(key.clone(), upload))?;
                let named: Option<Vec<_>> = parts.iter().map(|number| uploaded.get(number)).collect();
                let whole: Vec<u8> = named?.into_iter().flat_map(|part| part.iter().copied()).collect();
                held.bring(&key, tag, (Some(Arc::new(whole)), false), now)?;
                held.uploads.remove(&(key, upload)).map(drop)
            }
            Effect::Abort { bucket, key, upload } => self.bucket(&bucket)?.uploads.remove(&(key, upload)).map(drop),
            _ => None,
        }
    }

    /// What this has that the other has not, or has otherwise; one line each.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut out = Vec::new();
        if self.documents != other.documents {
            out.push(format!("the node's documents: {:?} and {:?}", self.documents, other.documents));
        }
        let names: BTreeSet<_> = self.buckets.keys().chain(other.buckets.keys()).collect();
        for name in names {
            let (Some(a), Some(b)) = (self.buckets.get(name), other.buckets.get(name)) else {
                out.push(format!("bucket {name} is in one only"));
                continue;
            };
            let rules = |bucket: &Bucket| (bucket.versioning, bucket.lock, bucket.documents.clone());
            if rules(a) != rules(b) {
                out.push(format!("{name}: {:?} and {:?}", rules(a), rules(b)));
            }
            let keys: BTreeSet<_> = a.versions.keys().chain(b.versions.keys()).collect();
            for key in keys {
                let (x, y) = (a.versions.get(key), b.versions.get(key));
                if x != y {
                    out.push(format!(
                        "{name}/{key}: {:?} and {:?}",
                        x.map(|held| brief(held)),
                        y.map(|held| brief(held))
                    ));
                }
            }
            if a.uploads != b.uploads {
                let brief = |bucket: &Bucket| {
                    let of = |(key, parts): (&(String, u128), &BTreeMap<u16, Content>)| {
                        (key.clone(), parts.iter().map(|(number, part)| (*number, part.len())).collect::<Vec<_>>())
                    };
                    bucket.uploads.iter().map(of).collect::<Vec<_>>()
                };
                out.push(format!("{name}: uploads {:?} and {:?}", brief(a), brief(b)));
            }
        }
        out
    }
}

/// Versions in one line.
fn brief(versions: &[Version]) -> String {
    let of = |version: &Version| {
        let bytes = version.content.as_ref().map(|content| content.len());
        format!("({} {bytes:?} {:?} {:?} {})", version.null, version.tags, version.retention, version.legal_hold)
    };
    versions.iter().map(of).collect::<Vec<_>>().join(" ")
}

/// A default of some days.
pub fn default_of(mode: Mode, days: u32) -> DefaultRetention {
    DefaultRetention { mode, period: Period::Days(days) }
}
