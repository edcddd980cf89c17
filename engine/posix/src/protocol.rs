//! The bytes between a mount and the node.
//!
//! A frame is a `u32` length and as many bytes. A request's are the `u32` uid of who asks, a `u8` verb and its fields; an
//! answer's are a `u32` error number, 0 for none, and what the verb answers with. Integers are little-endian. A connection
//! has one request under way; a mount opens as many connections as it needs, all of one session, which ends with the last of
//! them. Each begins with a greeting, [`Request::Hello`] without a uid. Both ends are of one release: its version says so.

use packstone_store::codec::{DecodeError, Reader, Writer};

/// Raised with every change of what is below.
pub const VERSION: u16 = 6;
/// The most bytes of one read or write.
pub const MAX_DATA: usize = 1 << 20;
/// The longest frame.
pub const MAX_FRAME: usize = MAX_DATA + (128 << 10);

/// What `setattr` changes, `None` leaves it; times in Unix nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub mtime: Option<i64>,
}

/// Who makes a file, and what it may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maker {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// The numbers of a device's node.
    pub device: u32,
}

/// The version in a greeting, of whatever release.
#[must_use]
pub fn greeted(bytes: &[u8]) -> Option<u16> {
    let mut from = Reader(bytes);
    from.u8().ok().filter(|verb| *verb == 1).and_then(|_| from.u16().ok())
}

/// A request, and the uid that it is made for. What goes by a handle is asked of nobody: who opened it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    pub uid: u32,
    pub request: Request<'a>,
}

impl<'a> Asked<'a> {
    pub fn encode(&self, out: &mut Writer) {
        out.u32(self.uid);
        self.request.encode(out);
    }

    /// # Errors
    /// As [`Request::decode`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(bytes);
        Ok(Self { uid: from.u32()?, request: Request::decode(from.0)? })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// `user` is the name of whom the mount speaks for where a uid is nobody's, empty for root. With `exclusive`, no other
    /// mount may there be.
    Hello {
        version: u16,
        session: u128,
        user: &'a [u8],
        exclusive: bool,
    },
    Lookup {
        parent: u64,
        name: &'a [u8],
    },
    Attributes {
        inode: u64,
    },
    /// An answer, and from then on what the mount is to forget, each as [`Request::Unlink`] names it, and the inode: of
    /// what it was told in the last `believed` milliseconds.
    Watch {
        believed: u32,
    },
    /// With a `handle`, of a file that is open to be written, who opened it was asked.
    Change {
        inode: u64,
        handle: Option<u64>,
        change: Change,
    },
    /// What stands in a directory behind `after`, which an entry gave, or is empty; at most `limit` entries.
    List {
        inode: u64,
        after: &'a [u8],
        limit: u32,
    },
    MakeDirectory {
        parent: u64,
        name: &'a [u8],
        maker: Maker,
    },
    RemoveDirectory {
        parent: u64,
        name: &'a [u8],
    },
    Unlink {
        parent: u64,
        name: &'a [u8],
    },
    /// With `keep`, what has the new name already stays.
    Rename {
        parent: u64,
        name: &'a [u8],
        new_parent: u64,
        new_name: &'a [u8],
        keep: bool,
    },
    Link {
        parent: u64,
        name: &'a [u8],
        target: &'a [u8],
        maker: Maker,
    },
    ReadLink {
        inode: u64,
    },
    /// Gives a file one more name.
    HardLink {
        inode: u64,
        parent: u64,
        name: &'a [u8],
    },
    /// With `exclusive`, it must not be there; with `empty`, what is there is truncated.
    Create {
        parent: u64,
        name: &'a [u8],
        maker: Maker,
        /// Whether it is to be read as well as written.
        read: bool,
        exclusive: bool,
        empty: bool,
        /// Whether it must be durable when it is answered.
        at_once: bool,
    },
    /// With `empty`, it is truncated; only with `write`. The answer ends with the whole content of a small file that is
    /// only read.
    Open {
        inode: u64,
        read: bool,
        write: bool,
        empty: bool,
    },
    Read {
        handle: u64,
        offset: u64,
        length: u32,
    },
    Write {
        handle: u64,
        offset: u64,
        data: &'a [u8],
    },
    /// An answer, and with it memory that both sides map from then on ([`crate::shared_buffer`]): this connection's, and only
    /// on this machine.
    Share,
    /// [`Self::Read`], whose bytes stand in the shared memory: the answer is their number, a `u32`.
    ReadShared {
        handle: u64,
        offset: u64,
        length: u32,
    },
    /// [`Self::Write`], of as many bytes that stand in the shared memory.
    WriteShared {
        handle: u64,
        offset: u64,
        length: u32,
    },
    /// Everything written is visible to every face, and durable soon, or with `at_once` when it is answered.
    Publish {
        handle: u64,
        at_once: bool,
    },
    Release {
        handle: u64,
    },
    Space,
    /// Names in a directory, and its times, are durable when it is answered.
    SyncDirectory {
        inode: u64,
    },
    SetExtended {
        inode: u64,
        name: &'a [u8],
        value: &'a [u8],
        flags: u32,
    },
    Extended {
        inode: u64,
        name: &'a [u8],
    },
    ListExtended {
        inode: u64,
    },
    RemoveExtended {
        inode: u64,
        name: &'a [u8],
    },
}

impl<'a> Request<'a> {
    /// Whether it may be asked again when nobody knows if it was carried out.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Self::Hello { .. }
                | Self::Lookup { .. }
                | Self::Attributes { .. }
                | Self::List { .. }
                | Self::ReadLink { .. }
                | Self::Read { .. }
                | Self::ReadShared { .. }
                | Self::Space
                | Self::Extended { .. }
                | Self::ListExtended { .. }
        )
    }

    pub fn encode(&self, out: &mut Writer) {
        match *self {
            Self::Hello { version, session, user, exclusive } => {
                out.u8(1);
                out.u16(version);
                out.u128(session);
                out.short(user);
                out.u8(u8::from(exclusive));
            }
            Self::Lookup { parent, name } => named(2, parent, name, out),
            Self::Attributes { inode } => of_inode(3, inode, out),
            Self::Change { inode, handle, change } => {
                of_inode(4, inode, out);
                out.u8(u8::from(handle.is_some()));
                out.u64(handle.unwrap_or(0));
                change.encode(out);
            }
            Self::List { inode, after, limit } => {
                named(5, inode, after, out);
                out.u32(limit);
            }
            Self::MakeDirectory { parent, name, maker } => {
                named(6, parent, name, out);
                maker.encode(out);
            }
            Self::RemoveDirectory { parent, name } => named(7, parent, name, out),
            Self::Unlink { parent, name } => named(8, parent, name, out),
            Self::Rename { parent, name, new_parent, new_name, keep } => {
                named(9, parent, name, out);
                out.u64(new_parent);
                out.short(new_name);
                out.u8(u8::from(keep));
            }
            Self::Link { parent, name, target, maker } => {
                named(10, parent, name, out);
                out.short(target);
                maker.encode(out);
            }
            Self::ReadLink { inode } => of_inode(11, inode, out),
            Self::Create { parent, name, maker, read, exclusive, empty, at_once } => {
                named(12, parent, name, out);
                maker.encode(out);
                [read, exclusive, empty, at_once].into_iter().for_each(|flag| out.u8(u8::from(flag)));
            }
            Self::Open { inode, read, write, empty } => {
                of_inode(13, inode, out);
                [read, write, empty].into_iter().for_each(|flag| out.u8(u8::from(flag)));
            }
            Self::Read { handle, offset, length } => ranged(14, handle, (offset, length), out),
            Self::Write { handle, offset, data } => {
                of_inode(15, handle, out);
                out.u64(offset);
                out.long(data);
            }
            Self::Publish { handle, at_once } => {
                of_inode(16, handle, out);
                out.u8(u8::from(at_once));
            }
            Self::Release { handle } => of_inode(17, handle, out),
            Self::Space => out.u8(18),
            Self::SyncDirectory { inode } => of_inode(28, inode, out),
            Self::Watch { believed } => {
                out.u8(24);
                out.u32(believed);
            }
            Self::Share => out.u8(25),
            Self::ReadShared { handle, offset, length } => ranged(26, handle, (offset, length), out),
            Self::WriteShared { handle, offset, length } => ranged(27, handle, (offset, length), out),
            Self::SetExtended { inode, name, value, flags } => {
                named(19, inode, name, out);
                out.long(value);
                out.u32(flags);
            }
            Self::Extended { inode, name } => named(20, inode, name, out),
            Self::ListExtended { inode } => of_inode(21, inode, out),
            Self::RemoveExtended { inode, name } => named(22, inode, name, out),
            Self::HardLink { inode, parent, name } => {
                named(23, parent, name, out);
                out.u64(inode);
            }
        }
    }

    /// # Errors
    /// Bytes that are no request, or more than one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(bytes);
        let verb = from.u8()?;
        let request = match verb {
            1 => Self::Hello {
                version: from.u16()?,
                session: from.u128()?,
                user: from.short()?,
                exclusive: flag(&mut from)?,
            },
            2 => Self::Lookup { parent: from.u64()?, name: from.short()? },
            3 => Self::Attributes { inode: from.u64()? },
            4 => Self::Change { inode: from.u64()?, handle: optional(&mut from)?, change: Change::decode(&mut from)? },
            5 => Self::List { inode: from.u64()?, after: from.short()?, limit: from.u32()? },
            6 => Self::MakeDirectory { parent: from.u64()?, name: from.short()?, maker: Maker::decode(&mut from)? },
            7 => Self::RemoveDirectory { parent: from.u64()?, name: from.short()? },
            8 => Self::Unlink { parent: from.u64()?, name: from.short()? },
            9 => Self::Rename {
                parent: from.u64()?,
                name: from.short()?,
                new_parent: from.u64()?,
                new_name: from.short()?,
                keep: flag(&mut from)?,
            },
            10 => Self::Link {
                parent: from.u64()?,
                name: from.short()?,
                target: from.short()?,
                maker: Maker::decode(&mut from)?,
            },
            11 => Self::ReadLink { inode: from.u64()? },
            12 => Self::Create {
                parent: from.u64()?,
                name: from.short()?,
                maker: Maker::decode(&mut from)?,
                read: flag(&mut from)?,
                exclusive: flag(&mut from)?,
                empty: flag(&mut from)?,
                at_once: flag(&mut from)?,
            },
            13 => Self::Open {
                inode: from.u64()?,
                read: flag(&mut from)?,
                write: flag(&mut from)?,
                empty: flag(&mut from)?,
            },
            other => Self::decode_content(other, &mut from)?,
        };
        if from.is_empty() { Ok(request) } else { Err(DecodeError::Inconsistent("a request with more behind it")) }
    }

    fn decode_content(verb: u8, from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match verb {
            14 => Self::Read { handle: from.u64()?, offset: from.u64()?, length: from.u32()? },
            15 => Self::Write { handle: from.u64()?, offset: from.u64()?, data: from.long()? },
            16 => Self::Publish { handle: from.u64()?, at_once: flag(from)? },
            17 => Self::Release { handle: from.u64()? },
            18 => Self::Space,
            28 => Self::SyncDirectory { inode: from.u64()? },
            24 => Self::Watch { believed: from.u32()? },
            25 => Self::Share,
            26 => Self::ReadShared { handle: from.u64()?, offset: from.u64()?, length: from.u32()? },
            27 => Self::WriteShared { handle: from.u64()?, offset: from.u64()?, length: from.u32()? },
            19 => {
                Self::SetExtended { inode: from.u64()?, name: from.short()?, value: from.long()?, flags: from.u32()? }
            }
            20 => Self::Extended { inode: from.u64()?, name: from.short()? },
            21 => Self::ListExtended { inode: from.u64()? },
            22 => Self::RemoveExtended { inode: from.u64()?, name: from.short()? },
            23 => Self::HardLink { parent: from.u64()?, name: from.short()?, inode: from.u64()? },
            other => return Err(DecodeError::Unknown("verb", other)),
        })
    }
}

fn of_inode(verb: u8, inode: u64, out: &mut Writer) {
    out.u8(verb);
    out.u64(inode);
}

fn ranged(verb: u8, handle: u64, (offset, length): (u64, u32), out: &mut Writer) {
    of_inode(verb, handle, out);
    out.u64(offset);
    out.u32(length);
}

fn named(verb: u8, inode: u64, name: &[u8], out: &mut Writer) {
    of_inode(verb, inode, out);
    out.short(name);
}

fn flag(from: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match from.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(DecodeError::Unknown("flag", other)),
    }
}

fn optional(from: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    let given = flag(from)?;
    let number = from.u64()?;
    Ok(Some(number).filter(|_| given))
}

impl Maker {
    fn encode(self, out: &mut Writer) {
        out.u32(self.mode);
        out.u32(self.uid);
        out.u32(self.gid);
        out.u32(self.device);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { mode: from.u32()?, uid: from.u32()?, gid: from.u32()?, device: from.u32()? })
    }
}

impl Change {
    fn encode(self, out: &mut Writer) {
        let Self { mode, uid, gid, size, mtime } = self;
        let given = [mode.is_some(), uid.is_some(), gid.is_some(), size.is_some(), mtime.is_some()];
        out.u8(given.iter().rev().fold(0, |bits, given| bits << 1 | u8::from(*given)));
        out.u32(self.mode.unwrap_or(0));
        out.u32(self.uid.unwrap_or(0));
        out.u32(self.gid.unwrap_or(0));
        out.u64(self.size.unwrap_or(0));
        out.i64(self.mtime.unwrap_or(0));
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bits = from.u8()?;
        if bits >= 1 << 5 {
            return Err(DecodeError::Unknown("change", bits));
        }
        let given = |at: u32| bits >> at & 1 == 1;
        Ok(Self {
            mode: Some(from.u32()?).filter(|_| given(0)),
            uid: Some(from.u32()?).filter(|_| given(1)),
            gid: Some(from.u32()?).filter(|_| given(2)),
            size: Some(from.u64()?).filter(|_| given(3)),
            mtime: Some(from.i64()?).filter(|_| given(4)),
        })
    }
}

/// What is said of a file; times in Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub inode: u64,
    /// With the type.
    pub mode: u32,
    pub links: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: i64,
    pub ctime: i64,
    /// The numbers of a device's node.
    pub device: u32,
    /// Another where the content is another: what was cached of it holds as long as this stays. 0 for a directory.
    pub content: u64,
}

impl Attributes {
    pub fn encode(&self, out: &mut Writer) {
        out.u64(self.inode);
        out.u32(self.mode);
        out.u32(self.links);
        out.u32(self.uid);
        out.u32(self.gid);
        out.u64(self.size);
        out.i64(self.mtime);
        out.i64(self.ctime);
        out.u32(self.device);
        out.u64(self.content);
    }

    /// # Errors
    /// [`DecodeError::Short`], as for every answer.
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            inode: from.u64()?,
            mode: from.u32()?,
            links: from.u32()?,
            uid: from.u32()?,
            gid: from.u32()?,
            size: from.u64()?,
            mtime: from.i64()?,
            ctime: from.i64()?,
            device: from.u32()?,
            content: from.u64()?,
        })
    }
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// What to list `after` in the same directory, to go on behind it, whatever has come or gone meanwhile.
    pub place: String,
    pub attributes: Attributes,
}

impl Entry {
    pub fn encode(&self, out: &mut Writer) {
        out.short(self.name.as_bytes());
        out.short(self.place.as_bytes());
        self.attributes.encode(out);
    }

    /// # Errors
    /// As [`Attributes::decode`].
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { name: from.short_str()?, place: from.short_str()?, attributes: Attributes::decode(from)? })
    }
}

/// What there is room for, in bytes of files, and how many files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub free: u64,
    pub files: u64,
}

impl Space {
    pub fn encode(&self, out: &mut Writer) {
        out.u64(self.total);
        out.u64(self.free);
        out.u64(self.files);
    }

    /// # Errors
    /// As [`Attributes::decode`].
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { total: from.u64()?, free: from.u64()?, files: from.u64()? })
    }
}
