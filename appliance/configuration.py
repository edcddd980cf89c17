"""What a node is told: every key, its default and its meaning.

`docs/configuration.md` is rendered from this model by `scripts/document_configuration.py`. How the values are found
and put together is `configuration_sources`' matter.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from appliance.quantity import GIB, MIB, Address, Age, Duration, ErasureProfile, ListenAddress, Profile, Size

DriveClass = Literal["ssd", "hdd"]
StorageClass = Literal["STANDARD", "STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
NfsVersion = Literal["3", "4.0", "4.1"]
ObjectOwnership = Literal["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _TlsSection(_Section):
    tls_certificate: Path | None = None
    """PEM file with the certificate chain. Set together with `tls_key`; read again on SIGHUP on the S3 side."""

    tls_key: Path | None = None
    """PEM file with the certificate's private key."""

    @model_validator(mode="after")
    def _certificate_comes_with_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key must be set together")
        return self


class S3Section(_TlsSection):
    """How the S3 front listens."""

    address: ListenAddress = Address("127.0.0.1", 9000)
    """HOST:PORT on which S3 is served; port 0 lets the system choose."""

    region: str = Field(default="us-east-1", min_length=1)
    """The region that clients must sign for."""

    domains: list[str] = []
    """Domains under which virtual-host style requests (`BUCKET.DOMAIN`) arrive; without any, all are path style."""

    object_ownership: ObjectOwnership = "BucketOwnerEnforced"
    """Who owns what is written to buckets that are made without saying so: `BucketOwnerEnforced`, as on AWS;
    `BucketOwnerPreferred` or `ObjectWriter` for applications that set ACLs without asking for them to count."""

    access_log: Path | None = None
    """File that takes one line a request; none: no access log."""

    log_interval: Duration = 300.0
    """How long lines are collected of a bucket with server access logging, before they are put into its target."""

    issuer_authorities: Path | None = None
    """PEM file with authorities for the certificates of OpenID Connect issuers, beside those of the system."""

    header_timeout: Duration = 30.0
    """How long a client may take to send a request's headers."""

    body_timeout: Duration = 60.0
    """How long a client may stall while it sends a body or takes an answer."""

    drain_timeout: Duration = 30.0
    """How long requests under way may take to end after SIGTERM."""

    threads: int = Field(default=0, ge=0, le=1024)
    """Threads that serve S3; 0: one a core."""


class ControlSection(_TlsSection):
    """How health and metrics are served; administration goes through the data directory's socket only."""

    address: ListenAddress = Address("127.0.0.1", 9001)
    """HOST:PORT of `/health/live`, `/health/ready` and `/metrics`; other than loopback only with TLS."""

    @model_validator(mode="after")
    def _reachable_only_with_tls(self) -> Self:
        if not self.address.is_loopback and self.tls_certificate is None:
            raise ValueError(
                f"address {self.address} can be reached from other machines: "
                "set tls_certificate and tls_key, or listen on 127.0.0.1"
            )
        return self


class EngineSection(_Section):
    """How the engine uses drives and memory."""

    journal_size: Size = Field(default=32 * MIB, ge=MIB, le=4 * GIB)
    """Size of one journal file, which becomes one segment when it is sealed."""

    stream_size: Size = Field(default=GIB, ge=MIB, le=64 * GIB)
    """Size at which a stream segment, which takes large objects, is closed and the next one opened."""

    small_limit: Size = Field(default=MIB, ge=0, le=MIB)
    """Objects up to this size, 1 MiB at most, go through the journal; larger ones stream into segments."""

    cache_size: Size = Field(default=64 * MIB, ge=0)
    """Memory for the cache of small objects, as stored; 0: none."""

    dead_share: float = Field(default=0.25, gt=0, lt=1)
    """Share of dead bytes in a segment above which compaction rewrites it."""

    space_reserve: Size = Field(default=GIB, ge=0)
    """Free space on a device below which only deletes, sealing and compaction are served."""

    dictionaries: bool = True
    """Whether small objects are compressed with dictionaries that are trained from others like them."""

    io_timeout: Duration = 10.0
    """How long a drive may take for one call before it counts as failed. Reads turn to others after a twentieth."""

    retry_failed: Duration = 60.0
    """How long a drive that failed is left alone before it is tried again; twice as long each time after that."""

    background_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the time that healing (with draining and scrubbing), checkpoints and compaction (with moving) may each
    keep drives busy; they yield to requests beyond that."""

    scrub_period: Age = 14 * 86400.0
    """Every segment is read and checked once in so long, such as `"14 d"`; 0 or `"never"`: none is."""

    checkpoint_period: Age = 3600.0
    """A checkpoint of the index is stored in the pool this often, such as `"1 h"`, where enough has changed; 0 or
    `"never"`: none is."""


class UploadsSection(_Section):
    """What becomes of uploads in parts."""

    abandoned_after: Age = 7 * 86400.0
    """Age at which an upload that nobody completed or aborted is aborted, counted from when it was opened, such as
    `"7 d"`; 0 or `"never"`: none is."""


class FilesSection(_Section):
    """What mounts see and do."""

    lock_after: Duration = Field(default=300.0, ge=1, le=30 * 86400)
    """In a bucket with default retention, a file that was written through a mount is locked when nothing was written to
    it for so long, and nobody has it open to write; `chmod a-w` locks it at once. 1 s to 30 d."""

    remote_connections: int = Field(default=1024, ge=0, le=1 << 16)
    """How many connections mounts on other machines may have, together; half of them with one access key. A mount has
    one for each question under way, 41 at most. Each may take 2 MiB of memory. 0: no such mount is served."""

    merge_from: float = Field(default=0.5, ge=0, le=1)
    """A large file that is changed in many places comes to stand in many pieces, 8,192 at most. Of those that it may
    have beyond whole ones, the share from which on short ones are merged in the background. 0: always; 1: never, so
    that an `fsync` has to."""


class PoolSection(_Section):
    """A pool: drives of one class under one erasure profile."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    """The pool's name: 1 to 32 lower-case letters, digits and hyphens."""

    drive_class: DriveClass = Field(alias="class")
    """`ssd` or `hdd`."""

    profile: ErasureProfile
    """Erasure profile k+m: any m drives of the pool may be lost. 1 to 16 data and 0 to 8 parity shards."""

    drives: list[Path] = Field(min_length=1)
    """One mounted directory a drive, at least k+m of them."""

    storage_classes: list[StorageClass] = []
    """Objects of these storage classes are kept in the pool. What no pool names: `STANDARD` goes to the fastest drives,
    `STANDARD_IA`, `GLACIER_IR`, `GLACIER` and `DEEP_ARCHIVE` to the slowest."""

    @model_validator(mode="after")
    def _enough_distinct_drives(self) -> Self:
        if len(set(self.drives)) != len(self.drives):
            raise ValueError("a drive is named twice")
        if len(self.drives) < sum(self.profile):
            raise ValueError(f"profile {self.profile} takes at least {sum(self.profile)} drives")
        return self


class EnclosureSection(_Section):
    """An enclosure: drives that go at once, with the shelf, controller or power supply that they share."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    """The enclosure's name: 1 to 32 lower-case letters, digits and hyphens."""

    drives: list[Path] = Field(min_length=1)
    """The drives in it, of whatever pools. A drive that no enclosure names goes by itself."""


class NfsSection(_Section):
    """How `packstone nfs serve` serves NFS."""

    address: ListenAddress = Address("127.0.0.1", 2049)
    """HOST:PORT on which NFS is served."""

    versions: list[NfsVersion] = Field(default=["3", "4.0", "4.1"], min_length=1)
    """Versions of NFS that are served. `"3"` needs rpcbind to run, the others nothing."""

    mount_port: int = Field(default=20048, ge=0, lt=1 << 16)
    """Port of NFS 3's mount protocol, for firewalls; 0 lets the system choose."""

    # Of a shorter one, and of a lease as short, NFS-Ganesha 4.3 never sees the end: it looks every half lease, in whole
    # seconds.
    grace_period: Duration = Field(default=90.0, ge=2)
    """How long clients of NFS 4 may take after a restart to reclaim what they had open, while nobody opens anything
    new, 2 seconds at least;
    it ends early when all have, and there is none where nobody had."""

    directory: Path = Path("/run/packstone-nfs")
    """Directory for the mount that is exported, which must stay outside of the data directory, and what is made at each
    start."""


class LogSection(_Section):
    """What the process writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe events that are logged."""

    format: Literal["text", "json"] = "text"
    """`text` for people, `json` (one object a line) for collectors."""


class Configuration(BaseSettings):
    """Everything one node is told. A relative path, but for `data` itself, starts at the data directory."""

    model_config = SettingsConfigDict(
        env_prefix="PACKSTONE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    data: Path = Path("data")
    """The data directory: local socket, credentials, master key, index, and `packstone.toml` where there is one."""

    index: Path = Path("index")
    """Directory of the index; it belongs on the fastest drive."""

    s3: S3Section = S3Section()
    control: ControlSection = ControlSection()
    engine: EngineSection = EngineSection()
    uploads: UploadsSection = UploadsSection()
    files: FilesSection = FilesSection()
    nfs: NfsSection = NfsSection()
    log: LogSection = LogSection()

    pools: list[PoolSection] = []
    """The pools; without any, the embedded default: `drives/1` to `drives/4` in the data directory, profile 3+1."""

    enclosures: list[EnclosureSection] = []
    """Which drives go at once: shards and copies are spread over them. None: each drive goes by itself."""

    @model_validator(mode="after")
    def _enclosures_of_configured_drives(self) -> Self:
        names = [enclosure.name for enclosure in self.enclosures]
        inside = [drive for enclosure in self.enclosures for drive in enclosure.drives]
        if len(set(names)) != len(names):
            raise ValueError("two enclosures have one name")
        if len(set(inside)) != len(inside):
            raise ValueError("a drive is in two enclosures")
        drives = {drive for pool in self.effective_pools for drive in pool.drives}
        if unknown := next((drive for drive in inside if drive not in drives), None):
            raise ValueError(f"{unknown} is in an enclosure and in no pool")
        return self

    @field_validator("pools")
    @classmethod
    def _distinct_pools(cls, pools: list[PoolSection]) -> list[PoolSection]:
        names = [pool.name for pool in pools]
        drives = [drive for pool in pools for drive in pool.drives]
        if len(set(names)) != len(names):
            raise ValueError("two pools have one name")
        if len(set(drives)) != len(drives):
            raise ValueError("a drive belongs to two pools")
        classes = [storage_class for pool in pools for storage_class in pool.storage_classes]
        if len(set(classes)) != len(classes):
            raise ValueError("two pools are for one storage class")
        return pools

    @property
    def files_socket(self) -> Path:
        """Where the node serves files to mounts."""
        return self.data / "files.sock"

    @property
    def nfs_state(self) -> Path:
        """Where NFS keeps what outlives its restarts."""
        return self.data.absolute() / "nfs"

    @property
    def is_embedded(self) -> bool:
        """Whether no pool is configured, so that the node keeps its drives inside the data directory."""
        return not self.pools

    @property
    def effective_pools(self) -> list[PoolSection]:
        """The configured pools, or the embedded default."""
        return self.pools or [EMBEDDED_POOL]

    def path(self, path: Path) -> Path:
        """A configured path as an absolute one; a relative one starts at the data directory."""
        return self.data.absolute() / path


EMBEDDED_POOL = PoolSection.model_validate(
    {"name": "embedded", "class": "ssd", "profile": Profile(3, 1), "drives": [f"drives/{n}" for n in range(1, 5)]}
)
