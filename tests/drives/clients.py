"""Clients that put, overwrite, delete, read and list while drives come to harm, and believe nothing.

Concurrency: each client has keys of its own, so what it reads must be what it was told last.
"""

import datetime as dt
import random
import threading
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from tests.crash.ledger import ABSENT, BUCKET, Ledger, State, contents, read
from tests.drives.versions import LOCKED, MARKER, Versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import StorageClassType
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

KIB: Final = 1024
MIB: Final = 1024 * KIB
KEYS: Final = 12
LOCKED_KEYS: Final = 4
MOST_VERSIONS: Final = 30
CLASSES: "Final[tuple[StorageClassType, ...]]" = (
    *("STANDARD", "STANDARD"),
    *("STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"),
)


class Client(threading.Thread):
    """One client. It ends when told, at the first request without an answer, or at the first finding."""

    def __init__(self, client: "S3Client", ledger: Ledger, versions: Versions, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._client, self._ledger, self._versions = client, ledger, versions
        self._chance = random.Random(seed)
        self._prefix = f"client{number}/"
        self.ended, self.killed = threading.Event(), threading.Event()
        self.findings: list[str] = []

    def run(self) -> None:
        verbs = [self.put_small] * 10 + [self.put_middle] * 2 + [self.put_large, self.multipart]
        verbs += [self.delete] * 4 + [self.copy] + [self.read] * 4 + [self.list]
        verbs += [self.put_version] * 4 + [self.end_version, self.mark_deleted]
        while not self.ended.is_set() and not self.findings:
            verb = self._chance.choice(verbs)
            try:
                verb()
            except ClientError as error:
                self.findings.append(f"{self._prefix} {verb.__name__}: {error}")
            except BotoCoreError as error:
                # No answer: the node was killed, or else it should have given one.
                if not self.killed.is_set():
                    self.findings.append(f"{self._prefix} {verb.__name__}: {error!r}")
                return

    def key(self) -> str:
        """One of this client's keys."""
        return f"{self._prefix}{self._chance.randrange(KEYS)}"

    def body(self, size: int) -> bytes:
        """A body that no other put has."""
        return contents(self._chance.getrandbits(60), size)

    def put(self, size: int) -> None:
        key, body = self.key(), self.body(size)
        with self._ledger.change(key, State.of(body)):
            self._client.put_object(Bucket=BUCKET, Key=key, Body=body, StorageClass=self._chance.choice(CLASSES))

    def put_small(self) -> None:
        self.put(self._chance.choice([0, 1, 4 * KIB, self._chance.randrange(64 * KIB)]))

    def put_middle(self) -> None:
        self.put(self._chance.randrange(64 * KIB, MIB))

    def put_large(self) -> None:
        self.put(self._chance.randrange(MIB + 1, 3 * MIB))

    def delete(self) -> None:
        key = self.key()
        with self._ledger.change(key, ABSENT):
            self._client.delete_object(Bucket=BUCKET, Key=key)

    def copy(self) -> None:
        source, key = self.key(), self.key()
        state = self.owed(source)
        if state is None or state == ABSENT or source == key:
            return
        with self._ledger.change(key, state):
            self._client.copy_object(
                Bucket=BUCKET,
                Key=key,
                CopySource={"Bucket": BUCKET, "Key": source},
                StorageClass=self._chance.choice(CLASSES),
            )

    def multipart(self) -> None:
        key, pieces = self.key(), [self.body(5 * MIB), self.body(self._chance.randrange(1, MIB))]
        upload = self._client.create_multipart_upload(
            Bucket=BUCKET, Key=key, StorageClass=self._chance.choice(CLASSES)
        )["UploadId"]
        parts: list[CompletedPartTypeDef] = []
        for number, piece in enumerate(pieces, 1):
            answer = self._client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        with self._ledger.change(key, State.of(b"".join(pieces))):
            self._client.complete_multipart_upload(
                Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )

    def owed(self, key: str) -> State | None:
        """What a key of this client must be, unless that is in doubt."""
        return None if key in self._ledger.possible else self._ledger.acknowledged.get(key, ABSENT)

    def read(self) -> None:
        key = self.key()
        owed = self.owed(key)
        found = read(self._client, key)
        if owed not in {None, found} and not self.killed.is_set():
            self.findings.append(f"{key}: read {found}, owed {owed}")

    def list(self) -> None:
        answer = self._client.list_objects_v2(Bucket=BUCKET, Prefix=self._prefix)
        listed = {entry["Key"]: entry["Size"] for entry in answer.get("Contents", [])}
        for key in (f"{self._prefix}{number}" for number in range(KEYS)):
            owed = self.owed(key)
            if owed is not None and listed.get(key) != (None if owed == ABSENT else owed.size):
                self.findings.append(f"{key}: listed as {listed.get(key)}, owed {owed}")

    def locked_key(self) -> str:
        """One of this client's keys where there are versions."""
        return f"{self._prefix}{self._chance.randrange(LOCKED_KEYS)}"

    def put_version(self) -> None:
        key, body = self.locked_key(), self.body(self._chance.choice([100, 5000, 1200 * KIB]))
        held = self._chance.random() < 0.1 and len(body) < MIB
        if len(self._versions.kept[key].keys() - self._versions.held) > MOST_VERSIONS:
            return
        with self._versions.adding(key, State.of(body), held=held) as name:
            if held:
                until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
                answer = self._client.put_object(
                    Bucket=LOCKED, Key=key, Body=body, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
                )
            else:
                answer = self._client.put_object(
                    Bucket=LOCKED, Key=key, Body=body, StorageClass=self._chance.choice(CLASSES)
                )
            name(answer["VersionId"])

    def mark_deleted(self) -> None:
        key = self.locked_key()
        with self._versions.adding(key, MARKER) as name:
            name(self._client.delete_object(Bucket=LOCKED, Key=key)["VersionId"])

    def end_version(self) -> None:
        """End half of the versions of a key; those that are locked must stay."""
        key = self.locked_key()
        versions = list(self._versions.kept[key])
        for version in self._chance.sample(versions, len(versions) // 2):
            if version not in self._versions.held:
                with self._versions.ending(key, version):
                    self._client.delete_object(Bucket=LOCKED, Key=key, VersionId=version)
                continue
            try:
                self._client.delete_object(Bucket=LOCKED, Key=key, VersionId=version)
            except ClientError as error:
                if error.response["Error"]["Code"] == "AccessDenied":
                    continue
                raise
            self.findings.append(f"{key} {version}: was locked, and ended")
