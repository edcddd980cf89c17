"""Files by NFS 3 and 4 are the objects of S3."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.nfs.conftest import BUCKET
from tests.nfs.exported import Nfs
from tests.nfs.network import CLIENT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

VERSIONS = pytest.mark.parametrize("version", [3, 4])
MANY = 50_000
OPEN = "open"


@VERSIONS
def test_what_s3_puts_is_a_file_and_what_is_written_an_object(nfs: Nfs, s3: "S3Client", version: int) -> None:
    content = os.urandom(3_000_000)
    s3.put_object(Bucket=BUCKET, Key=f"put{version}/object", Body=content)
    with nfs.mount(BUCKET, version) as client:
        assert client.list(f"/put{version}") == ["object"]
        assert client.read(f"/put{version}/object") == content
        # Debian's libnfs 4.0.0 fails at larger writes by NFS 4.
        written = os.urandom(3_000_000 if version == 3 else 2000)
        client.write(f"/put{version}/written", written)
        assert s3.get_object(Bucket=BUCKET, Key=f"put{version}/written")["Body"].read() == written
        assert client.read(f"/put{version}/written") == written
        client.do("rename", f"/put{version}/written", f"/put{version}/renamed")
        assert s3.get_object(Bucket=BUCKET, Key=f"put{version}/renamed")["Body"].read() == written
        client.do("mkdir", f"/put{version}/folder")
        assert sorted(client.list(f"/put{version}")) == ["folder", "object", "renamed"]
        client.do("unlink", f"/put{version}/renamed")
        client.do("rmdir", f"/put{version}/folder")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"put{version}/")["Contents"]]
        assert keys == [f"put{version}/object"]


@VERSIONS
def test_modes_count_for_whom_the_client_names(nfs: Nfs, version: int) -> None:
    path = f"/private{version}"
    with nfs.mount(BUCKET, version) as root:
        root.write(path, b"root's own")
        root.do("chmod", path, 0o600)
        with nfs.mount(BUCKET, version, uid=1000, gid=1000) as user, pytest.raises(PermissionError):
            user.read(path)
        root.do("chown", path, 1000, 1000)
        with nfs.mount(BUCKET, version, uid=1000, gid=1000) as user:
            assert user.read(path) == b"root's own"


def put_unsigned(nfs: Nfs, keys: list[str]) -> None:
    """Put empty objects as anybody, one after the other on one connection: signatures would take most of the time."""
    host, port = nfs.node.address()
    with socket.create_connection((host, port)) as wire, wire.makefile("rb") as answers:
        for key in keys:
            wire.sendall(f"PUT /{OPEN}/{key} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 0\r\n\r\n".encode())
            assert answers.readline().split()[1] == b"200"
            while answers.readline() != b"\r\n":
                pass


def test_many_files_are_listed_whole(nfs: Nfs, s3: "S3Client") -> None:
    s3.create_bucket(Bucket=OPEN)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{OPEN}/*"}
    s3.put_bucket_policy(Bucket=OPEN, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    nfs.node.command("nfs", "export", "add", OPEN, "--client", CLIENT[0])
    names = [f"{number:06}" for number in range(MANY)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda at: put_unsigned(nfs, [f"many/{name}" for name in names[at::16]]), range(16)))
    for version in (3, 4):
        with nfs.mount(OPEN, version) as client:
            found = client.list("/many")
            assert len(found) == MANY
            assert set(found) == set(names)


def test_a_listing_goes_on_where_entries_go(nfs: Nfs, s3: "S3Client") -> None:
    """What `rm -r` does: each page is deleted before the next is asked for."""
    for number in range(600):
        s3.put_object(Bucket=BUCKET, Key=f"going/{number:04}", Body=b"")
    with nfs.mount(BUCKET) as client:
        for name in client.list("/going"):
            client.do("unlink", f"/going/{name}")
        client.do("rmdir", "/going")
        assert "going" not in client.list("/")
