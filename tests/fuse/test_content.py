"""What is written to files and read from them, and what S3 has of it."""

import mmap
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def key(folder: Path, name: str) -> str:
    return f"{folder.name}/{name}"


def stored(s3: "S3Client", folder: Path, name: str) -> bytes:
    return s3.get_object(Bucket=BUCKET, Key=key(folder, name))["Body"].read()


@pytest.mark.parametrize("size", [0, 1, 4096, 1 << 20, (1 << 20) + 1, 20 << 20])
def test_a_file_is_an_object_at_once_and_an_object_a_file(folder: Path, s3: "S3Client", size: int) -> None:
    content = Random(size).randbytes(size)
    (folder / "file").write_bytes(content)
    assert stored(s3, folder, "file") == content
    assert (folder / "file").read_bytes() == content
    s3.put_object(Bucket=BUCKET, Key=key(folder, "object"), Body=content)
    assert (folder / "object").read_bytes() == content
    assert (folder / "object").stat().st_size == size


def test_writes_go_anywhere(folder: Path, s3: "S3Client") -> None:
    random, model = Random(5), bytearray()
    descriptor = os.open(folder / "file", os.O_RDWR | os.O_CREAT)
    for round_ in range(300):
        offset, piece = random.randrange(3_000_000), random.randbytes(random.choice([1, 100, 5000, 200_000]))
        os.pwrite(descriptor, piece, offset)
        model.extend(bytes(max(0, offset + len(piece) - len(model))))
        model[offset : offset + len(piece)] = piece
        if round_ % 50 == 0:
            os.fsync(descriptor)
            assert stored(s3, folder, "file") == model
        if round_ % 70 == 0:
            size = random.randrange(len(model) + 1)
            os.ftruncate(descriptor, size)
            del model[size:]
        assert os.pread(descriptor, 100, offset) == model[offset : offset + 100]
    os.close(descriptor)
    assert (folder / "file").read_bytes() == model
    assert stored(s3, folder, "file") == model


def test_what_is_appended_follows(folder: Path, s3: "S3Client") -> None:
    lines = [f"{number} tick\n".encode() for number in range(200)]
    for line in lines:
        with (folder / "log").open("ab") as log:
            log.write(line)
    assert stored(s3, folder, "log") == b"".join(lines)


def test_a_file_is_written_over(folder: Path, s3: "S3Client") -> None:
    for content in [b"the longest", b"shorter", b"", b"again"]:
        (folder / "file").write_bytes(content)
        assert stored(s3, folder, "file") == content
    before = (folder / "file").stat().st_mtime_ns
    os.close(os.open(folder / "file", os.O_WRONLY | os.O_TRUNC))
    assert (stored(s3, folder, "file"), (folder / "file").stat().st_mtime_ns > before) == (b"", True)


def test_a_hole_is_zeros(folder: Path, s3: "S3Client") -> None:
    with (folder / "file").open("wb") as file:
        file.truncate(5_000_000)
        file.seek(6_000_000)
        file.write(b"end")
    assert stored(s3, folder, "file") == bytes(6_000_000) + b"end"


def test_a_mapped_file_is_read_and_written(folder: Path, s3: "S3Client") -> None:
    content = bytearray(Random(1).randbytes(3_000_000))
    (folder / "file").write_bytes(content)
    with (folder / "file").open("rb") as read, mmap.mmap(read.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:] == content
    with (folder / "file").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        for at in range(0, len(content), 100_000):
            mapped[at : at + 5] = content[at : at + 5] = b"12345"
        mapped.flush()
        assert stored(s3, folder, "file") == content
        mapped[7] = content[7] = 42
    assert (folder / "file").read_bytes() == content
    os.sync()
    assert stored(s3, folder, "file") == content


def test_a_map_keeps_what_s3_overwrites(folder: Path, s3: "S3Client") -> None:
    old, new = Random(1).randbytes(2_000_000), Random(2).randbytes(2_000_000)
    (folder / "file").write_bytes(old)
    with (folder / "file").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:5000] == old[:5000]
        s3.put_object(Bucket=BUCKET, Key=key(folder, "file"), Body=new)
        assert mapped[:] == old
        assert os.pread(file.fileno(), 100, 1_500_000) == old[1_500_000:1_500_100]
    assert content_within(folder / "file", new)


def content_within(path: Path, content: bytes, seconds: float = 2.0) -> bool:
    """Whether a file has that content as soon as the kernel may no longer believe what it knew."""
    deadline = time.monotonic() + seconds
    while path.read_bytes() != content:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_an_unlinked_file_lives_while_it_is_open(folder: Path, s3: "S3Client") -> None:
    with (folder / "file").open("w+b") as file:
        file.write(b"first")
        file.flush()
        (folder / "file").unlink()
        assert list(folder.iterdir()) == []
        file.write(b" second")
        file.seek(0)
        assert file.read() == b"first second"
        assert os.fstat(file.fileno()).st_nlink == 0
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix=key(folder, "file"))


def test_many_write_and_read_at_once(folder: Path, s3: "S3Client") -> None:
    def work(number: int) -> None:
        content = Random(number).randbytes(300_000)
        for round_ in range(5):
            path = folder / f"{number}-{round_}"
            path.write_bytes(content)
            assert path.read_bytes() == content
            path.rename(folder / f"{number}")
        assert stored(s3, folder, f"{number}") == content

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(32)))
    assert sorted(int(path.name) for path in folder.iterdir()) == list(range(32))
