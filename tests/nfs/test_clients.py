"""Who may mount what, and as whom."""

import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.nfs.conftest import BUCKET
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VERSIONS = pytest.mark.parametrize("version", [3, 4])
FIRST, SECOND = 0, 1
SQUASHED = {
    "root-squashed": ("--squash", "root"),
    "all-squashed": ("--squash", "all", "--anonymous", "3000:3001"),
    "none-squashed": ("--squash", "none"),
}


def export(nfs: Nfs, s3: "S3Client", bucket: str, *terms: str) -> None:
    """Make a bucket with one object, and export it."""
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="folder/object", Body=b"content")
    told = nfs.node.command("nfs", "export", "add", bucket, *terms)
    assert told.startswith(f"{bucket}: exported; clients mount it as HOST:/{bucket}")


def assert_refused(nfs: Nfs, path: str, version: int, client: int) -> None:
    with pytest.raises((PermissionError, FileNotFoundError)):
        nfs.mount(path, version, client).close()


@VERSIONS
def test_a_host_that_is_not_named_is_refused(nfs: Nfs, version: int) -> None:
    nfs.mount(BUCKET, version, FIRST).close()
    assert_refused(nfs, BUCKET, version, SECOND)


@VERSIONS
def test_what_is_not_exported_is_refused(nfs: Nfs, s3: "S3Client", version: int) -> None:
    bucket = f"unexported{version}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="folder/object", Body=b"content")
    assert_refused(nfs, bucket, version, FIRST)
    nfs.node.command("nfs", "export", "add", f"{bucket}/folder", "--client", CLIENT[FIRST])
    assert_refused(nfs, f"{bucket}/folder", version, SECOND)
    with nfs.mount(f"{bucket}/folder", version) as client:
        assert client.list("/") == ["object"]


def test_networks_and_several_hosts(nfs: Nfs, s3: "S3Client") -> None:
    export(nfs, s3, "network", "--client", "10.77.0.0/16")
    export(nfs, s3, "both", "--client", CLIENT[0], "--client", CLIENT[1])
    export(nfs, s3, "others", "--client", "10.77.2.0/24")
    for version in (3, 4):
        for bucket in ("network", "both"):
            for client in (FIRST, SECOND):
                nfs.mount(bucket, version, client).close()
        assert_refused(nfs, "others", version, FIRST)
        nfs.mount("others", version, SECOND).close()


@VERSIONS
def test_read_only_is_read_and_no_more(nfs: Nfs, s3: "S3Client", version: int) -> None:
    export(nfs, s3, f"reading{version}", "--client", CLIENT[0], "--squash", "none", "--read-only")
    with nfs.mount(f"reading{version}", version) as client:
        assert client.read("/folder/object") == b"content"
        for call in (
            ("unlink", "/folder/object"),
            ("rename", "/folder/object", "/folder/other"),
            ("mkdir", "/new"),
            ("chmod", "/folder/object", 0o600),
            ("truncate", "/folder/object", 1),
        ):
            with pytest.raises(OSError, match=r"ROFS|Read-only"):
                client.do(*call)
        with pytest.raises(OSError, match=r"ROFS|Read-only"):
            client.write("/folder/new", b"x")
    assert s3.get_object(Bucket=f"reading{version}", Key="folder/object")["Body"].read() == b"content"


def test_squash_says_who_clients_are(nfs: Nfs, s3: "S3Client") -> None:
    def owner(bucket: str, version: int, uid: int) -> tuple[int, int]:
        name = f"/open/by{uid}-{version}"
        with nfs.mount(bucket, version, uid=uid, gid=uid) as client:
            client.write(name, b"x")
            held = client.stat(name)
            return held["uid"], held["gid"]

    for bucket, terms in SQUASHED.items():
        export(nfs, s3, bucket, "--client", CLIENT[0], "--squash", "none")
        with nfs.mount(bucket) as root:
            root.do("mkdir", "/open")
            root.do("chmod", "/open", 0o777)
        nfs.node.command("nfs", "export", "add", bucket, "--client", CLIENT[0], *terms, "--replace")
    for version in (3, 4):
        for bucket in SQUASHED:
            with nfs.mount(bucket, version) as root:
                if bucket == "none-squashed":
                    assert root.read("/folder/object") == b"content"
                else:
                    with pytest.raises(PermissionError):
                        root.read("/folder/object")
        assert owner("root-squashed", version, 0) == (65534, 65534)
        assert owner("root-squashed", version, 1000) == (1000, 1000)
        assert owner("all-squashed", version, 1000) == (3000, 3001)
        assert owner("none-squashed", version, 0) == (0, 0)


def test_exports_come_and_go_while_others_are_used(nfs: Nfs, s3: "S3Client") -> None:
    export(nfs, s3, "coming", "--client", CLIENT[0], "--squash", "none")
    over, written = threading.Event(), bytearray()

    def copy() -> None:
        with nfs.mount(BUCKET) as client:
            client.write("/copied", b"")
            held = client.open("/copied", os.O_WRONLY)
            while not over.is_set():
                content = os.urandom(50_000)
                client.pwrite(held, len(written), content)
                written.extend(content)
            client.do("fsync", held)
            client.do("close", held)

    before = nfs.status()["report"]["ganesha_restarts"]
    thread = threading.Thread(target=copy)
    thread.start()
    try:
        for _ in range(2):
            with nfs.mount("coming") as client:
                nfs.node.command("nfs", "export", "remove", "coming")
                with pytest.raises(OSError, match=r"STALE|ACCES|Stale"):
                    client.read("/folder/object")
            assert_refused(nfs, "coming", 3, FIRST)
            told = nfs.node.command("nfs", "export", "add", "coming", "--client", CLIENT[0], "--squash", "none")
            assert told.startswith("coming: exported; clients mount it as")
            with nfs.mount("coming") as client:
                assert client.read("/folder/object") == b"content"
    finally:
        over.set()
        thread.join(60)
    assert s3.get_object(Bucket=BUCKET, Key="copied")["Body"].read() == written
    assert nfs.status()["report"]["ganesha_restarts"] == before
