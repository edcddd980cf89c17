"""A record under retention, and the proof that it is still what was stored."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY: Final = b"2026-11-20T14:30:00.123456Z,EURUSD,BUY,1000000,1.08452,fill 7731\n"
DENIED: Final = "AccessDenied"
Mode = Literal["COMPLIANCE", "GOVERNANCE"]


def later(**ahead: float) -> dt.datetime:
    """A whole second so far ahead of now."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(**ahead)


@dataclass(frozen=True)
class Record:
    """One locked version; `until` is None where a legal hold alone holds it."""

    bucket: str
    key: str
    version: str
    until: dt.datetime | None
    mode: Mode = "COMPLIANCE"
    held: bool = False
    body: bytes = BODY

    @property
    def named(self) -> Any:
        """The arguments that name this version in a boto3 call."""
        return {"Bucket": self.bucket, "Key": self.key, "VersionId": self.version}

    @property
    def here(self) -> Any:
        """The arguments that name its key."""
        return {"Bucket": self.bucket, "Key": self.key}

    def extended(self, s3: "S3Client", until: dt.datetime) -> "Record":
        """The same record after its retention was extended, which is always allowed."""
        s3.put_object_retention(**self.named, Retention={"Mode": self.mode, "RetainUntilDate": until})
        return replace(self, until=until)

    def assert_kept(self, s3: "S3Client") -> None:
        """The version is listed, reads byte for byte as it was stored, and is locked for no shorter time."""
        listed = s3.list_object_versions(Bucket=self.bucket, Prefix=self.key).get("Versions", [])
        assert self.version in [version["VersionId"] for version in listed]
        read = s3.get_object(**self.named)
        assert read["Body"].read() == self.body
        if self.until is not None:
            assert read["ObjectLockMode"] == self.mode
            assert read["ObjectLockRetainUntilDate"] >= self.until
        if self.held:
            assert read["ObjectLockLegalHoldStatus"] == "ON"

    def assert_locked(self, s3: "S3Client") -> None:
        """It is kept, and nobody may delete it or shorten its retention."""
        assert code(s3.delete_object, **self.named, BypassGovernanceRetention=True) == DENIED
        if self.until is not None and self.mode == "COMPLIANCE":
            shorter = {"Mode": self.mode, "RetainUntilDate": self.until - dt.timedelta(hours=1)}
            assert code(s3.put_object_retention, **self.named, Retention=shorter) == DENIED
        self.assert_kept(s3)


def lock_bucket(s3: "S3Client", bucket: str) -> str:
    """Make a bucket with object lock."""
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return bucket


def store(s3: "S3Client", bucket: str, key: str = "fills/7731", *, body: bytes = BODY, days: float = 30) -> Record:
    """Store a record under COMPLIANCE retention."""
    until = later(days=days)
    answer = s3.put_object(
        Bucket=bucket, Key=key, Body=body, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )
    return Record(bucket, key, answer["VersionId"], until, body=body)


def hold(s3: "S3Client", bucket: str, key: str = "held/7731") -> Record:
    """Store a record under a legal hold alone."""
    answer = s3.put_object(Bucket=bucket, Key=key, Body=BODY, ObjectLockLegalHoldStatus="ON")
    return Record(bucket, key, answer["VersionId"], None, held=True)


def code(call: Callable[..., Any], **arguments: Any) -> str:
    """The error code with which a call must be refused."""
    try:
        call(**arguments)
    except ClientError as fault:
        return fault.response["Error"]["Code"]
    raise AssertionError("it was not refused")


def attempt(call: Callable[..., Any], **arguments: Any) -> None:
    """A call that may be answered or refused: the record must outlive it either way."""
    with contextlib.suppress(ClientError):
        call(**arguments)


def comes(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
