"""Directories with more in them than one batch takes: renamed at once, on every face, whatever ends meanwhile."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANY = 4_000


def fill(s3: "S3Client", prefix: str) -> None:
    for number in range(MANY):
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}{number % 5}/{number:05}", Body=b"%d" % number)


def listed(s3: "S3Client", prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def expected(prefix: str) -> list[str]:
    return sorted(f"{prefix}{number % 5}/{number:05}" for number in range(MANY))


def objects(s3: "S3Client", prefix: str) -> list[str]:
    """Without the markers of directories."""
    return [key for key in listed(s3, prefix) if not key.endswith("/")]


def test_it_is_renamed_at_once_on_every_face(folder: Path, s3: "S3Client") -> None:
    prefix = f"{folder.name}/"
    fill(s3, f"{prefix}many/")
    (folder / "many").rename(folder / "else")
    assert objects(s3, f"{prefix}else/") == expected(f"{prefix}else/")
    assert listed(s3, f"{prefix}many/") == []
    assert sorted(path.name for path in (folder / "else").iterdir()) == list("01234")
    assert (folder / "else" / "3" / "00003").read_text() == "3"
    assert s3.get_object(Bucket=BUCKET, Key=f"{prefix}else/4/03999")["Body"].read() == b"3999"
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}many/0/00000", Body=b"another")
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}else/1/00001", Body=b"newer")
    s3.delete_object(Bucket=BUCKET, Key=f"{prefix}else/2/00002")
    (folder / "else" / "3" / "00003").write_text("written")
    assert s3.get_object(Bucket=BUCKET, Key=f"{prefix}many/0/00000")["Body"].read() == b"another"
    assert (folder / "else" / "0" / "00000").read_text() == "0"
    assert s3.get_object(Bucket=BUCKET, Key=f"{prefix}else/1/00001")["Body"].read() == b"newer"
    assert s3.get_object(Bucket=BUCKET, Key=f"{prefix}else/3/00003")["Body"].read() == b"written"
    left = expected(f"{prefix}else/")
    left.remove(f"{prefix}else/2/00002")
    assert objects(s3, f"{prefix}else/") == left


def test_a_node_that_is_killed_meanwhile_has_it_whole(own_mount: Mount) -> None:
    top = own_mount.path / BUCKET
    fill(own_mount.node.client(), "round-0/")
    for number in range(4):
        (top / f"round-{number}").rename(top / f"round-{number + 1}")
        own_mount.node.kill()
        own_mount.node.start()
        s3 = own_mount.node.client()
        assert objects(s3, f"round-{number + 1}/") == expected(f"round-{number + 1}/")
        assert listed(s3, f"round-{number}/") == []


def test_who_writes_beside_it_goes_on(folder: Path, s3: "S3Client") -> None:
    prefix = f"{folder.name}/"
    fill(s3, f"{prefix}a/")
    ended = threading.Event()
    put: list[str] = []

    def write() -> None:
        while not ended.is_set():
            put.append(f"{prefix}beside/{len(put)}")
            s3.put_object(Bucket=BUCKET, Key=put[-1], Body=b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for source, target in [("a", "b"), ("b", "c"), ("c", "a")]:
            (folder / source).rename(folder / target)
            assert objects(s3, f"{prefix}{target}/") == expected(f"{prefix}{target}/")
    finally:
        ended.set()
        writer.join()
    assert sorted(listed(s3, f"{prefix}beside/")) == sorted(put)
