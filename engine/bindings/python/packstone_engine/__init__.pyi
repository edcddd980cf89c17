"""The native engine of one Packstone node, as Python sees it.

Every call that touches a drive releases the GIL. Nothing here speaks S3's or the command line's language: it takes
typed settings and gives typed facts.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar, final

__version__: str

_T = TypeVar("_T")
_FileAttributes: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int]

class EngineError(Exception):
    """A fault of the engine or of what lies under it: the message says what and where."""

class OperatorError(EngineError):
    """Something that the operator can mend: one line that says what is wrong and what to do."""

@final
class PoolSettings:
    """A pool: drives of one class under one erasure profile `data`+`parity`."""

    name: str
    drive_class: Literal["ssd", "hdd"]
    data: int
    parity: int
    drives: list[str]
    storage_classes: list[str]
    def __new__(
        cls,
        name: str,
        drive_class: Literal["ssd", "hdd"],
        data: int,
        parity: int,
        drives: list[str],
        storage_classes: list[str] = ...,
    ) -> PoolSettings: ...

@final
class EngineSettings:
    """What one node's engine is opened with; sizes in bytes, durations in seconds, None for never.

    Without a master key nothing is encrypted. `enclosures` are names with the paths of the drives in them.
    """

    def __new__(
        cls,
        index: str,
        pools: list[PoolSettings],
        *,
        journal_size: int = 33554432,
        stream_size: int = 1073741824,
        small_limit: int = 1048576,
        cache_size: int = 67108864,
        dead_share: float = 0.25,
        space_reserve: int = 1073741824,
        io_timeout: float = 10.0,
        abandoned_after: float | None = None,
        scrub_period: float | None = None,
        checkpoint_period: float | None = None,
        retry_failed: float = 60.0,
        background_share: float = 1.0,
        dictionaries: bool = True,
        master_key: bytes | None = None,
        enclosures: list[tuple[str, list[str]]] = ...,
    ) -> EngineSettings: ...

@final
class S3Settings:
    """How the S3 front listens and whom it knows; the master key is 32 bytes.

    `previous_root` are credentials that were replaced: access key, secret key, and the second since 1970 at which they end.
    """

    def __new__(
        cls,
        address: str,
        access_key: str,
        secret_key: str,
        master_key: bytes,
        *,
        previous_root: tuple[str, str, int | None] | None = None,
        region: str = "us-east-1",
        domains: list[str] = ...,
        object_ownership: Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] = "BucketOwnerEnforced",
        tls_certificate: str | None = None,
        tls_key: str | None = None,
        access_log: str | None = None,
        log_interval: float = 300.0,
        issuer_authorities: str | None = None,
        header_timeout: float = 30.0,
        body_timeout: float = 60.0,
        threads: int = 0,
    ) -> S3Settings: ...

@final
class DriveStatus:
    number: int
    path: str
    uuid: str
    pool: str
    enclosure: str | None  # where it sits together with others
    drive_class: str
    state: Literal["online", "stale", "failed", "missing"]
    reason: str  # empty while online
    total: int
    free: int
    slow: bool  # whether it is passed over for being much slower than others
    leaving: bool  # whether it is to be emptied
    files: int  # shards and journals that are named there
    used: int  # bytes of these

@final
class PoolStatus:
    name: str
    drive_class: str
    data: int
    parity: int
    drives: int
    online: int
    segments: int
    bytes: int  # payload bytes, without parity
    dead: int  # of these, bytes that no live record claims
    degraded: int  # segments that lack a shard, or have one on a drive that is out of use
    crowded: int  # segments of which one enclosure has more shards than parity makes good
    storage_classes: list[str]
    room: bool  # whether it takes new data

@final
class MovingStatus:
    """Moving between pools: whether the index is looked through, rows of it, bytes to be moved, and bytes that were."""

    looking: bool
    looked: int
    displaced: int
    moved: int

@final
class HealingStatus:
    """What healing has to do, and did since start: shards, their bytes, and places in them that too few others had.

    `lost_objects` counts the objects that can't be read because of these now.
    """

    open: int  # known to be missing, with a drive to go to
    stuck: int  # of these, could not be made lately
    healed: int
    bytes: int
    lost: int
    lost_objects: int

@final
class ScrubStatus:
    """How far verification came: bytes of shards in this pass, when the last ended (0: never), counts since start."""

    done: int
    total: int
    last_ended: float
    segments: int
    faults: int

@final
class CheckpointStatus:
    """Checkpoints of the index: how many, their bytes, the LSN and time (0: none) of the newest, and what it lacks."""

    kept: int
    bytes: int  # without parity
    lsn: int
    taken: float
    unseen: int  # entries that a start without an index would read beside it
    failures: int  # since start

@final
class JournalStatus:
    epoch: int
    lsn: int  # the newest durable one
    files: int  # journal files not yet sealed, the current one included
    bytes: int  # in them
    copies: list[str]  # paths of the drives the current journal file stands on

@final
class BucketUsage:
    name: str
    objects: int
    bytes: int

@final
class ClockStatus:
    compliance: float  # the time that retention goes by, in seconds since 1970
    lag: float  # seconds that it is behind the machine's clock; negative where it is ahead

@final
class Status:
    appliance: str
    clock: ClockStatus
    drives: list[DriveStatus]
    pools: list[PoolStatus]
    healing: HealingStatus
    moving: MovingStatus
    scrubbing: ScrubStatus
    checkpoints: CheckpointStatus
    journal: JournalStatus
    buckets: list[BucketUsage]
    segments: int
    objects: int
    bytes: int
    warnings: list[str]

@final
class VerifyReport:
    segments: int
    records: int
    bytes: int
    faults: list[str]  # one line each: what is wrong, and where
    lost: list[str]  # objects that can't be read any more, as bucket/key

@final
class LostObject:
    """An object that too few shards are left of; its bucket is empty and its version None for a part of an upload."""

    bucket: str
    key: str
    version: str | None
    bytes: int  # stored ones in the segment, of which not all can be read
    segment: str

@final
class RebuildReport:
    segments: int
    objects: int
    bytes: int

@final
class LockableBucket:
    """A bucket with object lock, and its default retention: a mode with either days or years, or nothing."""

    name: str
    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    days: int | None
    years: int | None  # of 365 days

@final
class LockedVersion:
    """A version that may not end: until `retain_until`, or while `legal_hold` is set; seconds since 1970."""

    key: str
    version: str
    size: int
    modified: float
    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    retain_until: int | None
    legal_hold: bool

@final
class LockedPage:
    versions: list[LockedVersion]
    next: tuple[str, str] | None  # what the next page is asked for with; None after the last

@final
class LedgerEvent:
    """Who loosened what held a version, or had the compliance clock go on; what a deed has nothing to say of is None.

    Seconds since 1970: `at` when it was committed, `compliance` the compliance clock's.
    """

    lsn: int
    actor: str
    at: float
    compliance: int
    deed: Literal["ended", "loosened", "released", "approved", "agreed"]
    bucket: str | None
    key: str | None
    version: str | None
    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None  # what held it
    retain_until: int | None
    new_mode: Literal["GOVERNANCE", "COMPLIANCE"] | None  # what it was loosened to
    new_retain_until: int | None
    time: int | None  # what the compliance clock is to go on to

@final
class PosixAttributes:
    """Whose an object is on a mount, and who may do what with it there."""

    uid: int
    gid: int
    mode: int  # permission bits

@final
class Quota:
    """How much there may be, None for any number, and how much there is."""

    bytes: int | None
    objects: int | None
    used_bytes: int
    used_objects: int

def initialise(settings: EngineSettings, *, allow_no_parity: bool = False) -> str:
    """Write superblocks to empty drives and return the new appliance's id.

    Raises OperatorError when a drive isn't empty, belongs to an appliance already, or a profile can't be met.
    """

def is_initialised(settings: EngineSettings) -> bool:
    """Whether any of the drives carries a superblock."""

def rebuild_index(settings: EngineSettings, progress: Callable[[int, int], None] | None = None) -> RebuildReport:
    """Make the index anew from journals and TOCs, with the node stopped. `progress(done, total)` counts segments."""

def replace_drive(settings: EngineSettings, path: str) -> int:
    """Give an empty directory the place of the missing drive that is configured there, with the node stopped; its number.

    Raises OperatorError when no drive is configured there, the one that is answers, or the directory isn't empty.
    """

@final
class Answer(Generic[_T]):
    """What a node answers, or will; given once."""

    def is_here(self) -> bool:
        """Whether `wait` has nothing to wait for."""
    def fileno(self) -> int:
        """What is readable once more of the answer has come; -1 where `wait` has to wait for a node that is away."""
    def wait(self) -> _T:
        """Wait for it. Raises OSError with the error number; a node that is away is waited for, for 30 s."""

@final
class Content:
    """What was read, in memory that is shared with the node until this is gone: a buffer, read-only."""

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

@final
class Files:
    """A mount's side of the connections that a node serves files on; any thread may call.

    `uid` is whose process asks: what it may do is decided by the policies of the user whose uid it is, else of `user`, by
    name, and without one of root. What goes by a handle was decided when that was opened.

    Attributes are (inode, mode, links, uid, gid, size, mtime, ctime, device, content): times in Unix nanoseconds, `content`
    another number where the content is another, 0 for a directory. `made` is (mode, uid, gid, device). Names are bytes without
    a slash. Every method sends its question and waits for a moment alone: what it returns is the answer, or will be.
    """

    @staticmethod
    def connect(socket: str, user: str = "", *, exclusive: bool = False) -> Files:
        """Raises OSError, with ENOKEY where there is no such user, EBUSY where one of two mounts is to be the only one."""
    @staticmethod
    def connect_remote(
        endpoint: str, access_key: str, secret_key: str, token: str | None = None, *, authorities: str | None = None
    ) -> Files:
        """By the S3 endpoint of another machine, for whom the credentials are, whatever `uid` a question names.

        `endpoint` is `https://HOST:PORT`, or `http://` for this machine; `authorities` a PEM file of who vouches for its
        certificate, in place of those of the system. Raises OSError: EINVAL for what is no such URL or file, EKEYREJECTED for
        a certificate that isn't trusted, EACCES where the credentials aren't taken, EOPNOTSUPP where nothing there serves
        files, EPROTONOSUPPORT where that is of another release.
        """
    def watch(self, believed: float) -> Watch:
        """Ask to be told what is no more as it was told, of what the kernel believes so many seconds. Raises OSError."""
    def lookup(self, uid: int, parent: int, name: bytes) -> Answer[_FileAttributes]: ...
    def attributes(self, inode: int) -> Answer[_FileAttributes]: ...
    def change(
        self,
        caller: int,
        inode: int,
        *,
        handle: int | None = None,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        size: int | None = None,
        mtime: int | None = None,
    ) -> Answer[_FileAttributes]:
        """`caller` is whose process asks. With the `handle` of a file that is open to be written, its length is changed
        without asking again."""
    def list(self, uid: int, inode: int, after: bytes, limit: int) -> Answer[Sequence[tuple[bytes, bytes, _FileAttributes]]]:
        """(name, place, attributes) of the entries behind a place, b"" at the beginning; an empty list at the end."""
    def make_directory(self, uid: int, parent: int, name: bytes, made: tuple[int, int, int, int]) -> Answer[_FileAttributes]: ...
    def remove_directory(self, uid: int, parent: int, name: bytes) -> Answer[None]: ...
    def unlink(self, uid: int, parent: int, name: bytes) -> Answer[None]: ...
    def rename(
        self, uid: int, parent: int, name: bytes, new_parent: int, new_name: bytes, keep: bool
    ) -> Answer[None]: ...
    def link(
        self, uid: int, parent: int, name: bytes, target: bytes, made: tuple[int, int, int, int]
    ) -> Answer[_FileAttributes]:
        """Make a symbolic link."""
    def hard_link(self, uid: int, inode: int, parent: int, name: bytes) -> Answer[_FileAttributes]:
        """Give a file one more name in its bucket."""
    def read_link(self, uid: int, inode: int) -> Answer[bytes]: ...
    def create(
        self, uid: int, parent: int, name: bytes, made: tuple[int, int, int, int], how: tuple[bool, bool, bool, bool]
    ) -> Answer[tuple[_FileAttributes, int, bytes]]:
        """Make a file, or find it, and open it to be written: attributes and handle, and no bytes.

        `how` is (read, exclusive, empty, at_once): whether it is read as well, must not be there, is truncated where it is,
        and must be durable when it is answered.
        """
    def open(self, uid: int, inode: int, how: tuple[bool, bool, bool]) -> Answer[tuple[_FileAttributes, int, bytes]]:
        """`how` is (read, write, empty): with the last, it is truncated. What is small and only read is told with it, whole."""
    def read(self, handle: int, offset: int, length: int) -> Answer[bytes | Content]:
        """So many bytes, fewer at the end alone; of many, from a node on this machine, nothing is copied."""
    def write(self, handle: int, offset: int, data: bytes) -> Answer[None]: ...
    def publish(self, handle: int, at_once: bool) -> Answer[None]:
        """Make what was written visible on every face, and durable soon; with `at_once`, before it is answered."""
    def release(self, handle: int) -> Answer[None]: ...
    def leave(self, handle: int) -> bool:
        """Release, and wait for nothing; False where that isn't done, since the node is on another machine."""
    def space(self) -> Answer[tuple[int, int, int]]:
        """Bytes that there is room for, how many of them are free, and how many files there are."""
    def sync_directory(self, inode: int) -> Answer[None]:
        """Make names in a directory durable, and its times."""
    def set_extended(self, uid: int, inode: int, name: bytes, value: bytes, flags: int) -> Answer[None]: ...
    def extended(self, uid: int, inode: int, name: bytes) -> Answer[bytes]: ...
    def list_extended(self, uid: int, inode: int) -> Answer[Sequence[str]]: ...
    def remove_extended(self, uid: int, inode: int, name: bytes) -> Answer[None]: ...

@final
class Watch:
    """What a node tells by itself."""

    def wait(self) -> tuple[int, bytes, int]:
        """Wait for the next name that the kernel is to forget: its directory's inode, itself, and its own inode.

        Raises OSError where the node is away.
        """

@final
class Node:
    """An open engine: recovered, with its native threads running."""

    @staticmethod
    def open(settings: EngineSettings) -> Node:
        """Recover and start. Raises OperatorError when another process has the data, or recovery must stop."""
    def serve_s3(self, settings: S3Settings) -> str:
        """Listen, and return the bound address as HOST:PORT. Raises OperatorError when the port is taken."""
    def serve_files(
        self, socket: str, lock_after: float, remote_connections: int = 0, merge_from: float = 0.5
    ) -> None:
        """Serve the namespace as files to mounts, on a Unix socket; S3 must be served already. In buckets with default
        retention a file is locked once nobody has written it for `lock_after` seconds. Mounts on other machines may have
        `remote_connections` to the address of S3, half of them with one access key. Short pieces of a file are merged in
        the background from `merge_from`, 0 to 1, of the pieces on that it may stand in beyond whole ones.

        Raises OperatorError when the socket can't be made.
        """
    def set_root(
        self, access_key: str, secret_key: str, previous: tuple[str, str, int | None] | None = None
    ) -> None:
        """Change the root credentials of the running S3 front, which takes `previous` beside them, as in `S3Settings`."""
    def explain(self, user: str, action: str, resource: str) -> str:
        """Say in one line which statement decides whether `user` may do `action` on `resource`.

        Raises OperatorError for a user or an action that there is not.
        """

    def configuration(self) -> str:
        """Buckets with their configurations, and all identities, as one text; secrets of access keys stand in it plain.

        Raises OperatorError while S3 isn't served.
        """
    def restore_configuration(self, configuration: str) -> tuple[int, int]:
        """Put such a text on a node without buckets and identities, or end a restore of it that was cut off.

        Returns how many buckets and how many identities stand. Raises OperatorError when the node isn't empty, or the
        text isn't what this version reads.
        """

    def reload_tls(self) -> None:
        """Read certificate and key again; the old ones stay in force when that fails."""
    def status(self) -> Status: ...
    def seal(self) -> int:
        """Seal every open journal and stream now; return how many segments that made."""
    def checkpoint(self) -> None:
        """Take a checkpoint of the index now."""
    def lost_objects(self) -> list[LostObject]:
        """The objects that too few shards are left of, as healing found them."""

    def verify(self, sample: float = 1.0, progress: Callable[[int, int], None] | None = None) -> VerifyReport:
        """Read and check shards and records; `sample` is the share of segments, 0 < sample <= 1."""
    def has_node_documents(self) -> bool:
        """Whether there are identities, keys or quotas: all that hangs on a master key is among them."""

    def create_kms_key(self, id: str) -> None: ...
    def kms_keys(self) -> list[tuple[str, float]]:
        """Ids, and when each was made."""

    def add_drive(self, path: str, pool: str) -> int:
        """Take an empty directory in as one more drive of a pool, and return its number. Raises OperatorError."""

    def replace_drive(self, path: str) -> int:
        """Give an empty directory the place of the drive that is gone from there, and return its number.

        Raises OperatorError.
        """

    def drain_drive(self, path: str, *, leaving: bool = True) -> None:
        """Have a drive be emptied, or kept after all. `DriveStatus.files` says what is left. Raises OperatorError."""

    def remove_drive(self, path: str) -> bool:
        """Have an emptied drive be none of the appliance's any more. Raises OperatorError."""

    def lockable_buckets(self) -> list[LockableBucket]:
        """The buckets with object lock, in order of their names."""
    def posix(self, bucket: str, key: str) -> PosixAttributes:
        """Of the current version of a key. Raises EngineError where there is none."""
    def locked(self, bucket: str, after: tuple[str, str] | None = None) -> LockedPage:
        """What is locked among the next versions of a bucket, by key, newest first. A page may be empty, not the last.

        Raises EngineError where there is no such bucket, ValueError for what is no version's id.
        """
    def worm_ledger(self, after: int) -> list[LedgerEvent]:
        """The next events of the WORM ledger behind an LSN, oldest first; none after the last one."""
    def bucket_quota(self, bucket: str) -> Quota:
        """Raises OperatorError where there is no such bucket."""
    def set_bucket_quota(self, bucket: str, bytes: int | None, objects: int | None) -> None:
        """Limit what a bucket may hold; None: any number. Raises OperatorError where there is no such bucket."""
    def placement(self, bucket: str) -> list[tuple[str, str]]:
        """Prefixes and the pools that their keys belong to. Raises OperatorError where there is no such bucket."""

    def place(self, bucket: str, prefix: str, pool: str | None) -> None:
        """Have the keys of a bucket that begin with a prefix belong to a pool; None: by their storage class.

        Raises OperatorError where there is no such bucket or pool, or the bucket has too many rules.
        """

    def exports(self) -> list[tuple[str, str, bytes]]:
        """(bucket, prefix, terms) of all exports, by bucket and prefix."""
    def set_export(self, bucket: str, prefix: str, terms: bytes | None) -> None:
        """Put the terms of an export in place of what is said of that prefix; None: take it away.

        Raises OperatorError where there is no such bucket, or it has too many documents.
        """

    def create_pool(self, settings: PoolSettings) -> int:
        """Make a pool of empty directories, or take in those that it lacks, and return how many those were.

        Raises OperatorError.
        """

    def user_quota(self, user: str) -> Quota:
        """Of all buckets that a user made. Raises OperatorError where there is no such user."""
    def set_user_quota(self, user: str, bytes: int | None, objects: int | None) -> None:
        """Limit what all buckets that a user made may hold together. Raises OperatorError as `user_quota`."""
    def metrics(
        self,
    ) -> list[tuple[str, str, Literal["counter", "gauge", "histogram"], list[tuple[str, dict[str, str], float]]]]:
        """(name, help, type, [(suffix of the name, labels, value)]) for Prometheus."""
    def drain(self, timeout: float) -> bool:
        """Stop accepting, let requests under way end; whether all did within `timeout` seconds."""
    def close(self) -> None:
        """Flush, seal streams, sync the index and release the data. Idempotent."""
