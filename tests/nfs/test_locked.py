"""What is locked is read by NFS, and nothing else: the tests of the mount, from another machine as its root."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.nfs.client import Client
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT

KEPT = "/record"
TRIES: dict[str, Callable[[Client], object]] = {
    "unlink": lambda client: client.do("unlink", KEPT),
    "rename": lambda client: client.do("rename", KEPT, "/away"),
    "replace": lambda client: client.do("rename", "/other", KEPT),
    "link": lambda client: client.do("link", KEPT, "/again"),
    "overwrite": lambda client: client.write(KEPT, b"over"),
    "truncate": lambda client: client.do("truncate", KEPT, 1),
    "chmod": lambda client: client.do("chmod", KEPT, 0o600),
    "chown": lambda client: client.do("chown", KEPT, 1, 1),
    "into": lambda client: client.pwrite(client.open(KEPT, 2), 0, b"over"),
}


@pytest.fixture(scope="module", params=[3, 4])
def client(nfs: Nfs, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of a bucket with a locked record, whose root is root."""
    bucket = f"worm{request.param}"
    s3 = nfs.node.client()
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.put_object(
        Bucket=bucket,
        Key="record",
        Body=b"kept",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(minutes=30),
        ChecksumAlgorithm="SHA256",
    )
    s3.put_object(Bucket=bucket, Key="other", Body=b"other")
    nfs.node.command("nfs", "export", "add", bucket, "--client", CLIENT[0], "--squash", "none")
    with nfs.mount(bucket, request.param) as mounted:
        yield mounted


@pytest.mark.parametrize("way", TRIES)
def test_no_way_changes_it(client: Client, way: str) -> None:
    before = client.stat(KEPT)
    # Of a write that is refused by NFS3ERR_PERM libnfs 4.0.0 says no more than that it failed.
    with pytest.raises(OSError, match=r"PERM|ACCES|NOTSUPP|pwrite call failed"):
        TRIES[way](client)
    assert client.read(KEPT) == b"kept"
    assert client.stat(KEPT) == before
    assert sorted(client.list("/")) == ["other", "record"]


def test_what_is_written_where_locks_are_the_default_is_locked_by_chmod(nfs: Nfs) -> None:
    s3 = nfs.node.client()
    s3.create_bucket(Bucket="default-locked", ObjectLockEnabledForBucket=True)
    retention = {"Mode": "GOVERNANCE", "Days": 1}
    s3.put_object_lock_configuration(
        Bucket="default-locked",
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}},  # type: ignore[typeddict-item]
    )
    s3.put_object(Bucket="default-locked", Key="record", Body=b"kept", ChecksumAlgorithm="SHA256")
    nfs.node.command("nfs", "export", "add", "default-locked", "--client", CLIENT[0], "--squash", "none")
    with nfs.mount("default-locked") as client:
        assert client.read(KEPT) == b"kept"
        # As programs save: the handle is the file's, whatever it is called.
        client.write("/new", b"replaced")
        client.write("/.new", b"record")
        number, saved = client.open("/.new", 0), client.stat("/.new")["ino"]
        client.do("rename", "/.new", "/new")
        assert (client.pread(number, 0, 10), client.stat("/new")["ino"]) == (b"record", saved)
        client.do("close", number)
        assert [held["Key"] for held in s3.list_object_versions(Bucket="default-locked")["Versions"]] == [
            "new",
            "record",
        ]
        client.do("chmod", "/new", 0o444)
        for way in ("unlink", "truncate"):
            arguments = (0,) if way == "truncate" else ()
            with pytest.raises(OSError, match=r"PERM|ACCES"):
                client.do(way, "/new", *arguments)
        assert client.read("/new") == b"record"
    kept = s3.get_object_retention(Bucket="default-locked", Key="new")["Retention"]
    assert kept["Mode"] == "GOVERNANCE"
