//! Extended attributes: `user.*` is the files' own, and under `user.s3.` stands what S3 says of the object, to be read.

use packstone_store::object::{AttributeChange, Mode, Version};

use crate::tree::{DEVICE, Node};
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
    pub(crate) async fn set_extended(&self, inode: u64, name: &[u8], value: &[u8], flags: u32) -> Result<(), Errno> {
        let name = own(name)?;
        if name.starts_with(S3) {
            return Err(Errno::NOT_PERMITTED);
        }
        let held = self.extended_of(inode)?.iter().any(|(held, _)| held == name);
        let flags = i32::try_from(flags).unwrap_or(0);
        if held && flags & libc::XATTR_CREATE != 0 {
            return Err(Errno::EXISTS);
        }
        if !held && flags & libc::XATTR_REPLACE != 0 {
            return Err(Errno::NO_ATTRIBUTE);
        }
        self.change_extended(inode, AttributeChange::Extended(name.to_owned(), Some(value.to_vec()))).await
    }

    pub(crate) async fn remove_extended(&self, inode: u64, name: &[u8]) -> Result<(), Errno> {
        let name = own(name)?;
        if name.starts_with(S3) {
            return Err(Errno::NOT_PERMITTED);
        }
        if !self.extended_of(inode)?.iter().any(|(held, _)| held == name) {
            return Err(Errno::NO_ATTRIBUTE);
        }
        self.change_extended(inode, AttributeChange::Extended(name.to_owned(), None)).await
    }

    async fn change_extended(&self, inode: u64, change: AttributeChange) -> Result<(), Errno> {
        match self.node(inode)? {
            Node::Root => return Err(Errno::NOT_SUPPORTED),
            Node::View(_) => return Err(Errno::READ_ONLY),
            Node::Directory(directory) => {
                let marker = self.marker(&directory).await?;
                self.amend(&directory.bucket, &directory.path, &marker, change).await?;
            }
            Node::File(file) => {
                let version = self.amend(&file.bucket, &file.key, &file.version, change).await?;
                if let Some(open) = self.open.get(version.file.inode) {
                    open.describe(version);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn extended(&self, inode: u64, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let name = own(name)?;
        let found = self.extended_of(inode)?.into_iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value).ok_or(Errno::NO_ATTRIBUTE)
    }

    pub(crate) fn list_extended(&self, inode: u64) -> Result<Vec<String>, Errno> {
        Ok(self.extended_of(inode)?.into_iter().map(|(name, _)| name).collect())
    }

    fn extended_of(&self, inode: u64) -> Result<Vec<(String, Vec<u8>)>, Errno> {
        if let Some(seen) = self.open.get(inode).map(|open| open.seen()).filter(|seen| seen.orphan) {
            return Ok(seen.version.attributes.extended);
        }
        match self.node(inode)? {
            Node::Root => Ok(Vec::new()),
            Node::Directory(directory) => Ok(directory.marker.map_or_else(Vec::new, |marker| said(&marker))),
            Node::File(file) => Ok(said(&file.version)),
            Node::View(view) => Ok(view.version.as_ref().map_or_else(Vec::new, said)),
        }
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
