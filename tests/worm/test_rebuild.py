"""Routes through the index and the segments: what is locked must come back from whatever the index is made of."""

import datetime as dt
import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from tests.served import Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record, later

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILLER: Final = 100_000


def without_index(node: Node, *, kill: bool = False) -> "S3Client":
    """Stop or kill the node, delete its index, start it again."""
    if kill:
        node.kill()
    else:
        node.stop()
    shutil.rmtree(node.data / "index")
    node.start()
    return node.client()


@protects(Clause.AVAILABLE, Clause.WORM)
def test_the_index_deleted(node: Node) -> None:
    """The index deleted while the node is down, with the record sealed in a segment."""
    s3 = node.client()
    record = records.store(s3, records.lock_bucket(s3, "records"))
    node.command("seal")
    record.assert_locked(without_index(node))


@protects(Clause.AVAILABLE, Clause.PRESERVE)
def test_killed_after_the_answer(node: Node) -> None:
    """`kill -9` right after the record was acknowledged, and the index deleted."""
    s3 = node.client()
    record = records.store(s3, records.lock_bucket(s3, "records"))
    record.assert_locked(without_index(node, kill=True))


@protects(Clause.DURATION, Clause.PERIOD)
def test_extended_in_another_segment(node: Node) -> None:
    """Retention extended in one segment, the record in another, the index deleted: the later date must hold."""
    s3 = node.client()
    record = records.store(s3, records.lock_bucket(s3, "records"), days=1)
    node.command("seal")
    for years in (1, 6):
        record = record.extended(s3, later(days=365 * years))
        node.command("seal")
    record.assert_locked(without_index(node))


@protects(Clause.DURATION)
def test_held_in_another_segment(node: Node) -> None:
    """A hold set in one segment, set off and on again in others, the index deleted."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    record = Record(bucket, "k", version, None, held=True, body=b"kept")
    states: list[Any] = ["ON", "OFF", "ON"]
    for state in states:
        node.command("seal")
        s3.put_object_legal_hold(**record.named, LegalHold={"Status": state})
    record.assert_locked(without_index(node, kill=True))


@protects(Clause.WORM)
def test_compacted_away(node: Node) -> None:
    """Everything around the record deleted, so that compaction rewrites its segment; then the index deleted."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    record = records.store(s3, bucket)
    loose = [s3.put_object(Bucket=bucket, Key="loose", Body=bytes(FILLER))["VersionId"] for _ in range(40)]
    node.command("seal")
    record = record.extended(s3, later(days=60))
    before = {path.name for path in node.data.with_name("drive0").glob("segments/*")}
    for version in loose:
        s3.delete_object(Bucket=bucket, Key="loose", VersionId=version)
    node.command("seal")
    deadline = time.monotonic() + 60
    while before <= {path.name for path in node.data.with_name("drive0").glob("segments/*")}:
        assert time.monotonic() < deadline, "nothing was compacted"
        time.sleep(0.1)
    record.assert_locked(s3)
    record.assert_locked(without_index(node, kill=True))


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_kills_older_than_compaction(node: Node) -> None:
    """A version ended before compaction, its neighbour locked, the index deleted: only what was ended stays ended."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    ended = s3.put_object(Bucket=bucket, Key="fills/7731", Body=b"draft")["VersionId"]
    node.command("seal")
    record = records.store(s3, bucket)
    s3.delete_object(Bucket=bucket, Key="fills/7731", VersionId=ended)
    for number in range(20):
        s3.put_object(Bucket=bucket, Key="loose", Body=bytes(FILLER))
        node.command("seal") if number % 10 == 0 else None
    s3 = without_index(node, kill=True)
    record.assert_locked(s3)
    versions = s3.list_object_versions(Bucket=bucket, Prefix="fills/")["Versions"]
    assert [version.get("VersionId") for version in versions] == [record.version]


@protects(Clause.WORM)
def test_a_large_record_compacted(node: Node) -> None:
    """A record of several stripes whose stream is half dead: copied elsewhere with its lock, then the index deleted."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    body = bytes(range(256)) * 16_384
    loose = s3.put_object(Bucket=bucket, Key="loose", Body=body * 3)["VersionId"]
    record = records.store(s3, bucket, body=body)
    node.command("seal")
    s3.delete_object(Bucket=bucket, Key="loose", VersionId=loose)
    node.command("seal")
    record.assert_locked(without_index(node))


@protects(Clause.AVAILABLE)
def test_an_older_index_put_back(node: Node) -> None:
    """The index of before the lock put back while the node is down."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    record = records.store(s3, bucket, days=1)
    node.stop()
    shutil.copytree(node.data / "index", node.data / "older")
    node.start()
    assert record.until is not None
    record = record.extended(node.client(), record.until + dt.timedelta(days=365))
    node.stop()
    shutil.rmtree(node.data / "index")
    (node.data / "older").rename(node.data / "index")
    node.start()
    record.assert_locked(node.client())
