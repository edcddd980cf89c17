//! Extended attributes: `user.*` is the files' own, and under `user.s3.` stands what S3 says of the object, to be read.

use packstone_access::Action;
use packstone_store::object::{AttributeChange, Mode, Version, VersionId};

use crate::caller::{Caller, Said};
use crate::tree::{DEVICE, File, Node};
use crate::{Errno, Files};

/// What S3 says of an object.
const S3: &str = "user.s3.";

/// A name that a file's own attribute may have.
fn own(name: &[u8]) -> Result<&str, Errno> {
    let name = std::str::from_utf8(name).map_err(|_| Errno::NOT_SUPPORTED)?;
    match name.strip_prefix("user.") {
        None => Err(Errno::NOT_SUPPORTED),
        Some("") => Err(Errno::INVALID),
        Some(_) if name.len() > 255 => Err(Errno::RANGE),
        Some(_) => Ok(name),
    }
}

impl Files {
    pub(crate) async fn set_extended(
        &self,
        caller: &Caller,
        inode: u64,
        name: &[u8],
        (value, flags): (&[u8], u32),
    ) -> Result<(), Errno> {
        let name = own(name)?;
        if name.starts_with(S3) {
            return Err(Errno::NOT_PERMITTED);
        }
        let held = self.has_extended(inode, name)?;
        let flags = i32::try_from(flags).unwrap_or(0);
        if held && flags & libc::XATTR_CREATE != 0 {
            return Err(Errno::EXISTS);
        }
        if !held && flags & libc::XATTR_REPLACE != 0 {
            return Err(Errno::NO_ATTRIBUTE);
        }
        let change = AttributeChange::Extended(name.to_owned(), Some(value.to_vec()));
        self.change_extended(caller, inode, change).await
    }

    pub(crate) async fn remove_extended(&self, caller: &Caller, inode: u64, name: &[u8]) -> Result<(), Errno> {
        let name = own(name)?;
        if name.starts_with(S3) {
            return Err(Errno::NOT_PERMITTED);
        }
        if !self.has_extended(inode, name)? {
            return Err(Errno::NO_ATTRIBUTE);
        }
        self.change_extended(caller, inode, AttributeChange::Extended(name.to_owned(), None)).await
    }

    async fn change_extended(&self, caller: &Caller, inode: u64, change: AttributeChange) -> Result<(), Errno> {
        match self.node(inode)? {
            Node::Root => return Err(Errno::NOT_SUPPORTED),
            Node::View(_) => return Err(Errno::READ_ONLY),
            Node::Directory(_) => {
                let _held = self.lock_names(inode, inode).await;
                let directory = self.directory(inode)?;
                let grant = self.ask_to_amend(Some(caller), &directory)?;
                // What is said now is later than that.
                if self.names_changed(&directory).is_some() {
                    self.write_time_of(inode).await?;
                }
                let marker = self.marker(&directory).await?;
                self.amend(&grant, &marker, change).await?;
            }
            Node::File(file) => {
                let grant = self.ask_to_describe(Some(caller), &file)?;
                let version = self.amend(&grant, &file.version, change).await?;
                if let Some(open) = self.open.get(version.file.inode) {
                    open.describe(version);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn extended(&self, caller: &Caller, inode: u64, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let name = own(name)?;
        let told = self.told_extended(caller, inode, Some(name))?;
        told.into_iter().next().map(|(_, value)| value).ok_or(Errno::NO_ATTRIBUTE)
    }

    pub(crate) fn list_extended(&self, caller: &Caller, inode: u64) -> Result<Vec<String>, Errno> {
        Ok(self.told_extended(caller, inode, None)?.into_iter().map(|(name, _)| name).collect())
    }

    /// What there is that the caller may know, of one name or of all. What S3 says of tags and locks has actions of its own:
    /// who asks for it by name is refused, and a list goes without.
    fn told_extended(&self, caller: &Caller, inode: u64, name: Option<&str>) -> Result<Vec<Attribute>, Errno> {
        let Some(subject) = self.subject(inode)? else { return Ok(Vec::new()) };
        self.ask_of(caller, &subject, subject.read())?;
        self.ask_to_decrypt(caller, &subject.held)?;
        let mut asked: Vec<(Action, bool)> = Vec::new();
        let mut told = Vec::new();
        for held in subject.said().into_iter().filter(|(held, _)| name.is_none_or(|name| held == name)) {
            let Some(action) = disclosing(&held.0, subject.version.is_some()) else {
                told.push(held);
                continue;
            };
            let known = asked.iter().find(|(asked, _)| *asked == action).map(|(_, may)| *may);
            let may = match known {
                Some(may) => may,
                None => match self.ask_of(caller, &subject, action) {
                    Err(Errno::ACCESS) => false,
                    asked => asked.map(|()| true)?,
                },
            };
            asked.push((action, may));
            match (may, name) {
                (true, _) => told.push(held),
                (false, Some(_)) => return Err(Errno::ACCESS),
                (false, None) => {}
            }
        }
        Ok(told)
    }

    fn has_extended(&self, inode: u64, name: &str) -> Result<bool, Errno> {
        Ok(self.subject(inode)?.is_some_and(|subject| subject.said().iter().any(|(held, _)| held == name)))
    }

    fn ask_of(&self, caller: &Caller, subject: &Subject, action: Action) -> Result<(), Errno> {
        match &subject.place {
            Place::Nowhere => Ok(()),
            Place::File(file) => self.ask_to_read(caller, action, file),
            Place::Key(bucket, key) => {
                let said = Said { version: subject.version, ..Said::default() };
                self.ask_saying(caller, action, bucket, key, said).map(drop)
            }
        }
    }

    /// What a number's attributes are said of, if anything is.
    fn subject(&self, inode: u64) -> Result<Option<Subject>, Errno> {
        if let Some(seen) = self.open.get(inode).map(|open| open.seen()).filter(|seen| seen.orphan) {
            return Ok(Some(Subject { place: Place::Nowhere, version: None, held: seen.version }));
        }
        Ok(match self.node(inode)? {
            Node::Root => None,
            Node::Directory(directory) => directory.marker.map(|held| {
                let place = Place::Key(directory.bucket.bucket.name.to_string(), directory.path);
                Subject { place, version: None, held }
            }),
            Node::File(file) => {
                let held = file.version.clone();
                Some(Subject { place: Place::File(Box::new(file)), version: None, held })
            }
            Node::View(view) => view.version.clone().and_then(|held| {
                let (key, version) = view.key()?;
                Some(Subject { place: Place::Key(view.bucket.bucket.name.to_string(), key.to_owned()), version, held })
            }),
        })
    }
}

type Attribute = (String, Vec<u8>);

/// Where that stands of which something is said.
enum Place {
    /// It was unlinked: nothing but what is open is left of it.
    Nowhere,
    File(Box<File>),
    Key(String, String),
}

/// A version, and what leave to know of it is asked for.
struct Subject {
    place: Place,
    /// Where it is named.
    version: Option<VersionId>,
    held: Version,
}

impl Subject {
    fn said(&self) -> Vec<Attribute> {
        match self.place {
            Place::Nowhere => self.held.attributes.extended.clone(),
            Place::File(_) | Place::Key(..) => said(&self.held),
        }
    }

    fn read(&self) -> Action {
        if self.version.is_some() { Action::GetObjectVersion } else { Action::GetObject }
    }
}

/// What S3 asks for beside leave to read, of an attribute that tells of it.
fn disclosing(name: &str, of_version: bool) -> Option<Action> {
    match name.strip_prefix(S3)? {
        told if told.starts_with("tag.") && of_version => Some(Action::GetObjectVersionTagging),
        told if told.starts_with("tag.") => Some(Action::GetObjectTagging),
        "lock-mode" | "retain-until" | "lock-pending" | "pending-since" => Some(Action::GetObjectRetention),
        "legal-hold" => Some(Action::GetObjectLegalHold),
        _ => None,
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => "GOVERNANCE",
        Mode::Compliance => "COMPLIANCE",
    }
}

/// A version's own attributes, then what S3 says of it.
fn said(version: &Version) -> Vec<(String, Vec<u8>)> {
    let attributes = &version.attributes;
    let own = attributes.extended.iter().filter(|(name, _)| name != DEVICE);
    let mut out: Vec<_> = own.cloned().collect();
    let mut tell = |name: &str, value: String| out.push(([S3, name].concat(), value.into_bytes()));
    for (name, value) in &attributes.user {
        tell(&format!("meta.{name}"), value.clone());
    }
    for (name, value) in &attributes.tags {
        tell(&format!("tag.{name}"), value.clone());
    }
    if !version.version.is_null() {
        tell("version-id", version.version.to_string());
    }
    if let Some(retention) = attributes.retention {
        tell("lock-mode", mode_name(retention.mode).to_owned());
        tell("retain-until", retention.until.to_string());
    }
    if let Some(pending) = attributes.pending {
        tell("lock-pending", mode_name(pending.rule.mode).to_owned());
        tell("pending-since", pending.since.to_string());
    }
    if attributes.legal_hold {
        tell("legal-hold", "ON".to_owned());
    }
    out
}
