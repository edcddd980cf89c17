"""Routes that make a locked version unreadable by the key that reads it."""

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.certificate import certify
from tests.served import Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record, code

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

KEY: Final = b"k" * 32


def encrypt_by_default(s3: "S3Client", bucket: str, **default: str) -> None:
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)


@pytest.fixture
def encrypted(s3: "S3Client", bucket: str) -> Record:
    """A locked record under its bucket's key."""
    encrypt_by_default(s3, bucket, SSEAlgorithm="AES256")
    return records.store(s3, bucket)


@protects(Clause.WORM, Clause.AVAILABLE)
def test_change_the_buckets_encryption(s3: "S3Client", encrypted: Record) -> None:
    """Default encryption of the bucket changed to another key, and taken away: the record keeps its own key."""
    encrypt_by_default(s3, encrypted.bucket, SSEAlgorithm="aws:kms")
    encrypted.assert_locked(s3)
    s3.delete_bucket_encryption(Bucket=encrypted.bucket)
    encrypted.assert_locked(s3)


@protects(Clause.WORM, Clause.AVAILABLE)
def test_destroy_a_key(served: Node, s3: "S3Client", bucket: str) -> None:
    """A key of the KMS destroyed, or made anew under its name: there is no such command, and a name is given once."""
    served.command("kms", "make", "records")
    encrypt_by_default(s3, bucket, SSEAlgorithm="aws:kms", KMSMasterKeyID="records")
    record = records.store(s3, bucket)
    for verb in ("rm", "remove", "delete", "destroy"):
        served.command("kms", verb, "records", code=2)
    served.command("kms", "make", "records", code=1)
    record.assert_locked(s3)


@protects(Clause.WORM, Clause.AVAILABLE)
def test_keep_the_only_key(tmp_path: "Path") -> None:
    """A locked version stored under a key that only the client has, by PUT, by a lock put on later, and by default."""
    node = Node(tmp_path / "data", certify(tmp_path))
    node.start()
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    customer: Any = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}
    place: Any = {"Bucket": bucket, "Key": "k"}
    until = records.later(days=1)
    lock: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    assert code(s3.put_object, **place, Body=b"x", **lock, **customer) == "InvalidRequest"
    assert code(s3.put_object, **place, Body=b"x", ObjectLockLegalHoldStatus="ON", **customer) == "InvalidRequest"
    free = s3.put_object(**place, Body=b"x", **customer)["VersionId"]
    retention: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    assert code(s3.put_object_retention, **place, VersionId=free, Retention=retention) == "InvalidRequest"
    hold: Any = {"Status": "ON"}
    assert code(s3.put_object_legal_hold, **place, VersionId=free, LegalHold=hold) == "InvalidRequest"
    rule: Any = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
    assert code(s3.put_object, **place, Body=b"x", **customer) == "InvalidRequest"
    assert code(s3.create_multipart_upload, **place, **customer) == "InvalidRequest"
    node.close()


@protects(Clause.AVAILABLE)
def test_exchange_the_master_key(node: Node) -> None:
    """The node's master key exchanged for another: the record stays locked, and reads again with the right key."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "encrypted")
    encrypt_by_default(s3, bucket, SSEAlgorithm="AES256")
    record = records.store(s3, bucket)
    node.kill()
    file = node.data / "master-key"
    right = file.read_text()
    file.write_text("5" * 64 + "\n")
    node.start()
    s3 = node.client()
    assert code(s3.delete_object, **record.named, BypassGovernanceRetention=True) == records.DENIED
    assert code(s3.put_object, Bucket=bucket, Key="other", Body=b"x") == "ServiceUnavailable"
    node.kill()
    file.write_text(right)
    node.start()
    record.assert_locked(node.client())
