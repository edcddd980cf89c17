"""What the control plane answers with; the command line reads the same documents, and `--json` prints them.

Sizes are bytes throughout.
"""

import json
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    # Numbers are seconds, of whatever time: by default those from the year 2603 on would be taken for milliseconds.
    model_config = ConfigDict(from_attributes=True, val_temporal_unit="seconds")


class DriveDocument(_Document):
    """One drive; `reason` is empty while it is online.

    `enclosure` names where it sits together with others, `slow` says whether it is passed over for being much slower
    than others, `leaving` whether it is to be emptied, `files` how many shards and journals are named there.
    """

    number: int
    path: str
    uuid: str
    pool: str
    enclosure: str | None
    drive_class: str
    state: Literal["online", "stale", "failed", "missing"]
    reason: str
    total: int
    free: int
    slow: bool
    leaving: bool
    files: int
    used: int


class PoolDocument(_Document):
    """One pool; `bytes` is payload without parity, `dead` the part of it that no live record claims.

    `degraded` counts segments that lack a shard, or have one on a drive that is out of use; `crowded` those of which
    one enclosure has more shards than parity makes good.
    """

    name: str
    drive_class: str
    data: int
    parity: int
    drives: int
    online: int
    segments: int
    bytes: int
    dead: int
    degraded: int
    crowded: int
    storage_classes: list[str]
    room: bool


class MovingDocument(_Document):
    """Moving between pools: bytes that stand elsewhere than they belong, and bytes that were moved since start.

    While the node is `looking` for the first, there may be more; `looked` counts rows of the index.
    """

    looking: bool
    looked: int
    displaced: int
    moved: int


class HealingDocument(_Document):
    """Shards to be made anew (`open`), those of them that could not be lately, and what was healed since start.

    `lost` counts places in these that too few others had, `lost_objects` what can't be read because of these now.
    """

    open: int
    stuck: int
    healed: int
    bytes: int
    lost: int
    lost_objects: int


class LostDocument(_Document):
    """An object that too few shards are left of; its bucket is empty and its version None for a part of an upload."""

    bucket: str
    key: str
    version: str | None
    bytes: int
    segment: str


class LossesDocument(_Document):
    """All of these."""

    objects: list[LostDocument]


class ScrubDocument(_Document):
    """Verification of all segments: bytes of shards in this pass, when the last one ended, and counts since start.

    `last_ended` is in seconds since 1970, 0 for never.
    """

    done: int
    total: int
    last_ended: float
    segments: int
    faults: int


class CheckpointDocument(_Document):
    """Checkpoints of the index: how many are kept, their bytes, and what the newest stands for and lacks.

    `taken` is in seconds since 1970, 0 for none; `unseen` counts entries, `failures` attempts since start.
    """

    kept: int
    bytes: int
    lsn: int
    taken: float
    unseen: int
    failures: int


class JournalDocument(_Document):
    """The journal; `lsn` is the newest durable one, `files` those not yet sealed, `copies` the drives it stands on."""

    epoch: int
    lsn: int
    files: int
    bytes: int
    copies: list[str]


class BucketDocument(_Document):
    """One bucket's usage."""

    name: str
    objects: int
    bytes: int


class ClockDocument(_Document):
    """The compliance clock, in seconds since 1970, and how many seconds it is behind the machine's."""

    compliance: float
    lag: float


class EngineDocument(_Document):
    """The engine's part of a status."""

    appliance: str
    clock: ClockDocument
    drives: list[DriveDocument]
    pools: list[PoolDocument]
    healing: HealingDocument
    moving: MovingDocument
    scrubbing: ScrubDocument
    checkpoints: CheckpointDocument
    journal: JournalDocument
    buckets: list[BucketDocument]
    segments: int
    objects: int
    bytes: int
    warnings: list[str]


class StatusDocument(EngineDocument):
    """What `packstone status` shows: the process, and what its engine says."""

    pid: int
    version: str
    data: str
    s3: str


class ConnectionDocument(_Document):
    """How the data directory's owner reaches S3 as root; `certificate` is the file to trust, where TLS is on."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str
    certificate: str | None


class KmsKeyDocument(_Document):
    """A key of the KMS."""

    id: str
    created: datetime


class KmsDocument(_Document):
    """The keys of the KMS, by id."""

    keys: list[KmsKeyDocument]


class KmsRequest(_Document):
    """A key that is to be made."""

    id: str


class SealDocument(_Document):
    """How many segments sealing made."""

    segments: int


class VerifyDocument(_Document):
    """A finished verification: one line a fault, and the objects that can't be read any more, as bucket/key."""

    segments: int
    records: int
    bytes: int
    faults: list[str]
    lost: list[str]


class VerifyEvent(_Document):
    """One line of a running verification: progress in segments until the last line, which has the report or a fault."""

    done: int = 0
    total: int = 0
    report: VerifyDocument | None = None
    fault: str | None = None


class LockableDocument(_Document):
    """A bucket with object lock; its default retention is a mode with days or years, or nothing."""

    name: str
    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    days: int | None
    years: int | None


class LockedDocument(_Document):
    """A version that may not end: until `retain_until`, by the compliance clock, or while `legal_hold` is set."""

    key: str
    version: str
    size: int
    modified: datetime
    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    retain_until: datetime | None
    legal_hold: bool


class WormEvent(_Document):
    """One line of a report: a bucket, a version of the bucket before it, a fault that ends it, or that it is whole."""

    bucket: LockableDocument | None = None
    version: LockedDocument | None = None
    fault: str | None = None
    whole: bool = False


class LedgerEventDocument(_Document):
    """Who loosened what held a version, or had the compliance clock go on; None for what a deed says nothing of."""

    lsn: int
    at: datetime
    compliance: datetime
    actor: str
    deed: Literal["ended", "loosened", "released", "approved", "agreed"]
    bucket: str | None
    key: str | None
    version: str | None
    mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    retain_until: datetime | None
    new_mode: Literal["GOVERNANCE", "COMPLIANCE"] | None
    new_retain_until: datetime | None
    time: datetime | None


class LedgerDocument(_Document):
    """The next events of the WORM ledger, oldest first; none after the last one."""

    events: list[LedgerEventDocument]


class QuotaDocument(_Document):
    """How much a bucket may hold, or all buckets of a user together, None for any number; and how much there is."""

    bytes: int | None
    objects: int | None
    used_bytes: int
    used_objects: int


class DriveRequest(_Document):
    """What is to be done with a drive; `pool` for one that is added, `leaving` for one that is drained or kept."""

    path: str
    pool: str = ""
    leaving: bool = True


class DriveRemovedDocument(_Document):
    """Whether nothing is left in the directory of a drive that was removed; of one that doesn't answer all is."""

    cleared: bool


class DriveNumberDocument(_Document):
    """The number that a drive has in the appliance."""

    number: int


class PoolMadeDocument(_Document):
    """How many drives a pool took in."""

    drives: int


class PlacementDocument(_Document):
    """Keys with that prefix belong to that pool."""

    prefix: str
    pool: str


class RulesDocument(_Document):
    """Rules of placement, the longest prefix first."""

    rules: list[PlacementDocument]


class MoveRequest(BaseModel):
    """Keys that are to belong to a pool; None: by their storage class."""

    model_config = ConfigDict(extra="forbid")

    bucket: str
    prefix: str
    pool: str | None


class QuotaRequest(BaseModel):
    """The quota to be set: None for any number."""

    model_config = ConfigDict(extra="forbid")

    bytes: int | None = Field(default=None, ge=0, lt=2**63)
    objects: int | None = Field(default=None, ge=0, lt=2**63)


class ExplanationDocument(_Document):
    """Whether something is allowed, and by what, in one line."""

    decision: str


class CredentialsDocument(_Document):
    """Root credentials."""

    access_key: str
    secret_key: str


class ConfigurationDocument(_Document):
    """A node's buckets and identities as the engine tells them, secrets in the clear, and what was left out."""

    configuration: str
    buckets: int
    identities: int
    left_out: list[str]

    @classmethod
    def of(cls, configuration: str) -> Self:
        """The document around what the engine told."""
        told = json.loads(configuration)
        return cls(
            configuration=configuration,
            buckets=len(told["buckets"]),
            identities=len(told["identities"]),
            left_out=told["left_out"],
        )


class RestoreRequest(BaseModel):
    """What a `ConfigurationDocument` held, to be put on a node that holds nothing."""

    model_config = ConfigDict(extra="forbid")

    configuration: str


class RestoredDocument(_Document):
    """How many buckets and identities stand after a restore."""

    buckets: int
    identities: int


class RotationRequest(BaseModel):
    """The root credentials to put into force; without any, random ones are made.

    Those that they replace are accepted until they are retired, `until` a time in seconds since 1970, or no more.
    """

    model_config = ConfigDict(extra="forbid")

    credentials: CredentialsDocument | None = None
    retire: bool = False
    until: int | None = None


class RetirementDocument(_Document):
    """The root credentials that are accepted no more."""

    access_key: str


class RootDocument(_Document):
    """The access keys of root: the one in force, and the one that it replaced while that is accepted."""

    access_key: str
    previous: str | None
    until: int | None


class FaultDocument(BaseModel):
    """A refused request: one line for the operator."""

    fault: str = Field(min_length=1)
