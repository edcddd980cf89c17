"""What `docs/mmap.md` says of maps, and the programs in `examples/mmap`, over a mount."""

import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.fuse.conftest import BUCKET
from tests.fuse.mounted import Mount
from tests.fuse.test_content import content_within, key, stored
from tests.test_documents import ROOT, blocks

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EXAMPLES = ROOT / "examples" / "mmap"
TICK = struct.Struct("<Q8sqII")
PAGE = mmap.PAGESIZE
LARGE = 8 << 20
"""More than the kernel reads ahead at once: its last page is not in memory when the first was touched."""


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def expected(content: bytes) -> str:
    """What the examples print, by a way of its own."""
    held: dict[str, list[int]] = {}
    for _, symbol, price, quantity, _ in TICK.iter_unpack(content):
        volume = held.setdefault(symbol.rstrip(b"\0").decode(), [0, 0])
        volume[0] += price * quantity
        volume[1] += quantity
    return "".join(
        f"{symbol} {held[symbol][0] / held[symbol][1] / 1e4:.4f} {held[symbol][1]}\n" for symbol in sorted(held)
    )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The examples that scan: the one in C++ compiled without a warning."""
    compiled = tmp_path_factory.mktemp("examples") / "vwap"
    strict = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    run("g++", *strict, "-o", compiled, EXAMPLES / "vwap.cpp")
    return {"c++": [str(compiled)], "python": [sys.executable, str(EXAMPLES / "vwap.py")]}


@pytest.fixture
def ticks(folder: Path) -> Path:
    """A tick file of a few MiB."""
    run(sys.executable, EXAMPLES / "make_ticks.py", folder / "ticks", "100000", "7")
    return folder / "ticks"


def test_the_commands_of_the_page_run(own_mount: Mount, tmp_path: Path) -> None:
    block = blocks("docs/mmap.md", "sh")[0].splitlines()
    assert block[0] == "packstone mount --data data /mnt/ticks &"
    script = "\n".join(block[1:]).replace("/mnt/ticks", str(own_mount.path)).replace("./vwap", str(tmp_path / "vwap"))
    script = script.replace("-o vwap", f"-o {tmp_path / 'vwap'}").replace("python ", f"{sys.executable} ")
    done = subprocess.run(["bash", "-ec", script], cwd=ROOT, check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[:5] == lines[5:10]
    assert [line.split()[0] for line in lines[:5]] == ["AAPL", "ES", "EURUSD", "MSFT", "VOD.L"]
    assert len(lines) == 11
    assert int(lines[10]) > 0


@pytest.mark.parametrize("program", ["c++", "python"])
def test_a_scan_says_what_the_ticks_say(ticks: Path, programs: dict[str, list[str]], program: str) -> None:
    assert run(*programs[program], ticks) == expected(ticks.read_bytes())
    (ticks.parent / "empty").touch()
    assert run(*programs[program], ticks.parent / "empty") == ""
    (ticks.parent / "torn").write_bytes(bytes(33))
    for name in ["torn", "absent"]:
        done = subprocess.run([*programs[program], ticks.parent / name], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr


@pytest.mark.parametrize("program", ["c++", "python"])
@pytest.mark.parametrize("size", [10, 300_000])
def test_a_scan_is_of_the_file_that_was_mapped(
    ticks: Path, s3: "S3Client", programs: dict[str, list[str]], program: str, size: int
) -> None:
    """S3 puts a shorter and a longer object under the key between the map and the scan."""
    old = ticks.read_bytes()
    with subprocess.Popen(
        [*programs[program], ticks, "--wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as scan:
        assert scan.stdout is not None
        assert scan.stdout.readline() == "mapped\n"
        new = b"".join(TICK.pack(0, b"NEW", 1, 1, 0) for _ in range(size))
        s3.put_object(Bucket=BUCKET, Key=key(ticks.parent, ticks.name), Body=new)
        assert content_within(ticks, new)
        said, _ = scan.communicate("\n", timeout=60)
    assert (scan.returncode, said) == (0, expected(old))
    assert run(*programs[program], ticks) == expected(new)


def test_a_writable_map_publishes_when_it_is_synced(ticks: Path, s3: "S3Client") -> None:
    old = list(TICK.iter_unpack(ticks.read_bytes()))
    changed = int(run(sys.executable, EXAMPLES / "adjust.py", ticks, "ES", "4"))
    new = list(TICK.iter_unpack(stored(s3, ticks.parent, ticks.name)))
    assert changed == sum(tick[1].rstrip(b"\0") == b"ES" for tick in old) > 0
    for before, after in zip(old, new, strict=True):
        price = before[2] // 4 if before[1].startswith(b"ES\0") else before[2]
        assert after == (*before[:2], price, *before[3:])


def test_a_map_keeps_pages_that_were_never_touched(folder: Path, s3: "S3Client") -> None:
    old = Random(3).randbytes(LARGE)
    (folder / "file").write_bytes(old)
    with (folder / "file").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with mapped:
        s3.put_object(Bucket=BUCKET, Key=key(folder, "file"), Body=b"short")
        assert content_within(folder / "file", b"short")
        s3.delete_object(Bucket=BUCKET, Key=key(folder, "file"))
        assert mapped[:] == old


def test_what_is_stored_and_not_synced_is_nobody_elses(folder: Path, s3: "S3Client") -> None:
    (folder / "file").write_bytes(bytes(3 * PAGE))
    with (folder / "file").open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:5] = b"first"
        os.sync()
        assert stored(s3, folder, "file") == bytes(3 * PAGE)
        mapped.flush()
        assert stored(s3, folder, "file") == b"first" + bytes(3 * PAGE - 5)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as private:
            private[:5] = b"never"
        assert (folder / "file").read_bytes()[:5] == mapped[:5] == b"first"


SCAN = """
import mmap, sys
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
print("mapped", mapped[0], flush=True)
sys.stdin.readline()
print("first", mapped[1], flush=True)
print("last", mapped[-1], flush=True)
"""


@pytest.mark.parametrize("ends", ["node", "mount"])
def test_a_map_without_anybody_behind_it_faults(own_mount: Mount, ends: str) -> None:
    """Pages in memory stay; another is SIGBUS, and never other bytes."""
    # What is written through the mount is in memory; what S3 puts is not.
    own_mount.node.client().put_object(Bucket=BUCKET, Key="other", Body=b"\7" * LARGE)
    path = own_mount.path / BUCKET / "other"
    with subprocess.Popen(
        [sys.executable, "-c", SCAN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as scan:
        assert scan.stdout is not None
        assert scan.stdout.readline() == "mapped 7\n"
        if ends == "node":
            own_mount.node.kill()
            own_mount.node.start()
        else:
            own_mount.kill()
        said, _ = scan.communicate("\n", timeout=120)
    assert said == "first 7\n"
    assert scan.returncode == -signal.SIGBUS


def test_a_killed_program_loses_nothing_that_it_stored(folder: Path, s3: "S3Client") -> None:
    (folder / "file").write_bytes(bytes(3 * PAGE))
    program = (
        "import mmap, os, signal, sys\n"
        "mapped = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 0)\n"
        "mapped[5:10] = b'tick!'\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, folder / "file"], check=False)
    assert done.returncode == -signal.SIGKILL
    content = bytes(5) + b"tick!" + bytes(3 * PAGE - 10)
    assert (folder / "file").read_bytes() == content
    # Nobody waits for what becomes of a map that goes after its descriptor.
    deadline = time.monotonic() + 30
    while stored(s3, folder, "file") != content:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_mount_writes_the_same_file(mount: Mount, folder: Path, tmp_path: Path) -> None:
    other = Mount(mount.node, tmp_path / "other")
    other.start()
    try:
        (folder / "file").write_bytes(b"old" * LARGE)
        with (folder / "file").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert mapped[:3] == b"old"
            with (other.path / BUCKET / folder.name / "file").open("r+b") as written:
                written.write(b"new")
            deadline = time.monotonic() + 30
            while mapped[:3] != b"new":
                assert time.monotonic() < deadline
                (folder / "file").stat()
                time.sleep(0.05)
    finally:
        other.close()
