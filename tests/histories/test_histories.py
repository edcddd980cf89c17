"""Random histories of versioned and locked operations over S3, with kills and index rebuilds, against a plain model.

`PACKSTONE_HISTORIES` says how many; a small number runs the same ones every time.
"""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from tests.histories.bucket_history import ALL_KEYS, BODIES, KEYS, PLACES, code
from tests.histories.change_rules import ChangeRules
from tests.histories.model import NULL, Bucket, Mode, Version
from tests.served import Node

HISTORIES: Final = int(os.environ.get("PACKSTONE_HISTORIES", "20"))
FEW: Final = 100
NOW: Final = dt.datetime.now(dt.UTC).replace(microsecond=0)


DAYS: Final = st.integers(min_value=1, max_value=400)
MODES: Final[st.SearchStrategy[Mode]] = st.sampled_from(["COMPLIANCE", "GOVERNANCE"])


class History(ChangeRules):
    """Versions that come, end and are locked, and whatever else the node lives through."""

    @initialize(locks=st.booleans())
    def make(self, locks: bool) -> None:
        self.s3.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=locks)
        self.model = Bucket(locks, "Enabled" if locks else "")

    @rule(key=KEYS, body=BODIES)
    def put(self, key: str, body: bytes) -> None:
        answer = self.s3.put_object(**self.at(key), Body=body)
        self.model.put(key, Version(self.version_of(answer), body, answer["ETag"]))

    @rule(key=KEYS, body=BODIES)
    def put_where_nothing_is(self, key: str, body: bytes) -> None:
        absent = self.model.current(key) is None
        try:
            answer = self.s3.put_object(**self.at(key), Body=body, IfNoneMatch="*")
        except ClientError as fault:
            assert fault.response["Error"]["Code"] == "PreconditionFailed"
            assert not absent
        else:
            assert absent
            self.model.put(key, Version(self.version_of(answer), body, answer["ETag"]))

    @precondition(lambda self: self.model.locks)
    @rule(key=KEYS, body=BODIES, mode=MODES, days=DAYS, held=st.booleans())
    def put_locked(self, key: str, body: bytes, mode: Mode, days: int, held: bool) -> None:
        until = NOW + dt.timedelta(days=days)
        hold: Any = {"ObjectLockLegalHoldStatus": "ON"} if held else {}
        answer = self.s3.put_object(
            **self.at(key), Body=body, ObjectLockMode=mode, ObjectLockRetainUntilDate=until, **hold
        )
        self.model.put(key, Version(self.version_of(answer), body, answer["ETag"], mode, until, held))

    @rule(key=KEYS, body=BODIES, encrypted=st.booleans())
    def upload(self, key: str, body: bytes, encrypted: bool) -> None:
        asked: Any = {"ServerSideEncryption": "AES256"} if encrypted else {}
        upload = self.s3.create_multipart_upload(**self.at(key), **asked)["UploadId"]
        part = self.s3.upload_part(**self.at(key), UploadId=upload, PartNumber=7, Body=body)
        parts: Any = {"Parts": [{"PartNumber": 7, "ETag": part["ETag"]}]}
        answer = self.s3.complete_multipart_upload(**self.at(key), UploadId=upload, MultipartUpload=parts)
        self.model.put(key, Version(self.version_of(answer), body, answer["ETag"]))

    @rule(key=KEYS, source=KEYS, place=PLACES)
    def copy(self, key: str, source: str, place: int) -> None:
        name = self.some(source, place)
        version = self.model.named(source, name)
        wanted: Any = self.at(source) | {"VersionId": name}
        if key == source and place == 0:
            return
        try:
            answer = self.s3.copy_object(**self.at(key), CopySource=wanted, MetadataDirective="REPLACE")
        except ClientError as fault:
            assert version is None or version.body is None, fault
        else:
            assert version is not None
            assert version.body is not None
            tag = answer["CopyObjectResult"]["ETag"]
            self.model.put(key, Version(self.version_of(answer), version.body, tag, tags=dict(version.tags)))

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        answer = self.s3.delete_object(**self.at(key))
        if self.model.versioning:
            assert answer["DeleteMarker"]
            self.model.put(key, Version(self.version_of(answer), None))
        else:
            self.model.end(key, NULL)

    @rule(key=KEYS, place=PLACES, bypass=st.booleans())
    def delete_version(self, key: str, place: int, bypass: bool) -> None:
        name = self.some(key, place)
        version = self.model.named(key, name)
        passing: Any = {"BypassGovernanceRetention": True} if bypass else {}
        refusal = code(self.s3.delete_object, **self.at(key), VersionId=name, **passing)
        if version is None or version.may_end(bypass=bypass):
            assert refusal is None
            self.model.end(key, name)
        else:
            assert refusal == "AccessDenied"

    @rule(wanted=st.lists(st.tuples(KEYS, PLACES), min_size=1, max_size=4, unique=True))
    def delete_many(self, wanted: list[tuple[str, int]]) -> None:
        named = list(dict.fromkeys((key, self.some(key, place)) for key, place in wanted))
        objects: Any = {"Objects": [{"Key": key, "VersionId": name} for key, name in named]}
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete=objects)
        refused = {(fault["Key"], fault["VersionId"]) for fault in answer.get("Errors", [])}
        for key, name in named:
            version = self.model.named(key, name)
            stays = version is not None and not version.may_end(bypass=False)
            assert ((key, name) in refused) == stays
            if not stays:
                self.model.end(key, name)

    @precondition(lambda self: self.model.locks)
    @rule(key=KEYS, place=PLACES, mode=MODES, days=DAYS, bypass=st.booleans())
    def retain(self, key: str, place: int, mode: Mode, days: int, bypass: bool) -> None:
        version = self.model.named(key, self.some(key, place))
        if version is None or version.body is None:
            return
        until = NOW + dt.timedelta(days=days)
        retention: Any = {"Mode": mode, "RetainUntilDate": until}
        passing: Any = {"BypassGovernanceRetention": True} if bypass else {}
        change = self.s3.put_object_retention
        refusal = code(change, **self.at(key), VersionId=version.id, Retention=retention, **passing)
        if version.may_be_retained(mode, until, bypass=bypass):
            assert refusal is None
            version.mode, version.until = mode, until
        else:
            assert refusal == "AccessDenied"

    @precondition(lambda self: self.model.locks)
    @rule(key=KEYS, place=PLACES, held=st.booleans())
    def hold(self, key: str, place: int, held: bool) -> None:
        version = self.model.named(key, self.some(key, place))
        if version is None or version.body is None:
            return
        status: Any = {"Status": "ON" if held else "OFF"}
        self.s3.put_object_legal_hold(**self.at(key), VersionId=version.id, LegalHold=status)
        version.held = held

    @rule(suspended=st.booleans())
    def keep_versions(self, suspended: bool) -> None:
        status: Any = {"Status": "Suspended" if suspended else "Enabled"}
        refusal = code(self.s3.put_bucket_versioning, Bucket=self.bucket, VersioningConfiguration=status)
        if suspended and self.model.locks:
            assert refusal == "InvalidBucketState"
        else:
            assert refusal is None
            self.model.versioning = status["Status"]

    @rule(chance=st.integers(min_value=0, max_value=40))
    def disturb(self, chance: int) -> None:
        """Now and then the node seals, is killed, or is killed and has its index made anew."""
        if chance == 3:
            self.node.command("seal")
        if chance in {5, 7}:
            self.node.kill()
            if chance == 7:
                self.node.command("rebuild-index")
            self.node.start()
            type(self).s3 = self.node.client()
        if chance in {3, 5, 7}:
            self.compare()

    def teardown(self) -> None:
        self.compare()
        self.s3.close()

    def compare(self) -> None:
        """Everything that the model holds is there, and nothing else."""
        versions: list[tuple[str, str, bool, bool]] = []
        sizes: dict[tuple[str, str], int] = {}
        for page in self.s3.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, PaginationConfig={"PageSize": 3}
        ):
            for kind, is_marker in (("Versions", False), ("DeleteMarkers", True)):
                found: Any = page.get(kind, [])
                versions += [(held["Key"], held["VersionId"], held["IsLatest"], is_marker) for held in found]
                sizes |= {(held["Key"], held["VersionId"]): held.get("Size", 0) for held in found}
        assert sorted(versions) == sorted(self.model.listed())
        for key, held in self.model.keys.items():
            for version in held:
                if version.body is None:
                    continue
                assert sizes[key, version.id] == len(version.body)
                got = self.s3.get_object(**self.at(key), VersionId=version.id)
                assert got["Body"].read() == version.body
                assert got["ETag"] == version.etag
                assert got.get("TagCount", 0) == len(version.tags)
                assert self.tags_of(key, version.id) == version.tags
                assert got.get("ObjectLockMode") == version.mode
                assert got.get("ObjectLockRetainUntilDate") == version.until
                assert (got.get("ObjectLockLegalHoldStatus") == "ON") == version.held
        for key in ALL_KEYS:
            body = self.model.current(key)
            assert (code(self.s3.head_object, **self.at(key)) is None) == (body is not None)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "data", {"PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB"})
    made.start()
    History.node, History.s3 = made, made.client()
    yield made
    made.close()
    for word in ("Traceback", "panicked", " ERROR "):
        assert word not in made.log(), made.log()[-3000:]


@pytest.mark.timeout(7200)
def test_no_history_differs_from_the_model(node: Node) -> None:
    few = HISTORIES <= FEW
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=30,
            deadline=None,
            derandomize=few,
            database=None,
            phases=[Phase.generate] if few else [Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
