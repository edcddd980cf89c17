"""Routes through the drives: taken out, exchanged, put back from another time."""

import contextlib
import datetime as dt
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest
from botocore.exceptions import ClientError

from tests.served import PACKSTONE, Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record

SUPERBLOCK: Final = "packstone.superblock"


@pytest.fixture
def record(node: Node) -> Record:
    """A locked record on a running node of four drives at 3+1."""
    s3 = node.client()
    return records.store(s3, records.lock_bucket(s3, "records"))


def drive(node: Node, number: int) -> Path:
    return node.data.with_name(f"drive{number}")


def empty(node: Node, *numbers: int) -> None:
    """Exchange drives for empty ones."""
    for number in numbers:
        shutil.rmtree(drive(node, number))
        drive(node, number).mkdir()


def refusal(node: Node) -> str:
    """Why the node doesn't start."""
    command: list[str | Path] = [PACKSTONE, "serve", "--data", node.data, "--s3", "127.0.0.1:0"]
    done = subprocess.run(
        [*command, "--control", "127.0.0.1:0"],
        capture_output=True,
        text=True,
        check=False,
        env=node.environment(),
        timeout=60,
    )
    assert done.returncode == 1, done.stdout
    return done.stderr


@protects(Clause.REDUNDANCY, Clause.AVAILABLE)
def test_m_drives_lost(node: Node, record: Record) -> None:
    """As many drives lost as the profile allows for: the record reads, and is locked."""
    node.command("seal")
    node.kill()
    empty(node, 2)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM, Clause.VERIFY)
def test_more_than_m_drives_removed(node: Node, record: Record) -> None:
    """More drives removed than that: the node refuses to serve what is left, and serves again once they are back."""
    node.stop()
    for number in (1, 2):
        drive(node, number).rename(drive(node, number + 10))
        drive(node, number).mkdir()
    assert "2 of the appliance's 4 drives are out of use and at most 1 may be" in refusal(node)
    for number in (1, 2):
        drive(node, number).rmdir()
        drive(node, number + 10).rename(drive(node, number))
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_all_drives_exchanged(node: Node, record: Record) -> None:
    """Every drive exchanged for an empty one: no empty store takes the place of the one that is gone."""
    node.stop()
    empty(node, 0, 1, 2, 3)
    assert "no configured drive carries a superblock" in refusal(node)


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_a_drive_from_before_the_lock(node: Node) -> None:
    """A drive put back as it was before the lock: it is brought up to date, and what it says is not believed."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    node.stop()
    shutil.copytree(drive(node, 0), drive(node, 10))
    node.start()
    record = records.store(node.client(), bucket)
    node.kill()
    shutil.rmtree(drive(node, 0))
    drive(node, 10).rename(drive(node, 0))
    node.start()
    record.assert_locked(node.client())
    assert "drive taken in again" in node.log()
    node.stop()
    drive(node, 1).rename(drive(node, 11))
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM, Clause.AVAILABLE)
def test_more_than_m_drives_replaced(node: Node, record: Record) -> None:
    """`packstone drive replace` for two drives of an appliance that may lose one: what is left is not served."""
    node.stop()
    for number in (1, 2):
        drive(node, number).rename(drive(node, number + 10))
        drive(node, number).mkdir()
        node.command("drive", "replace", drive(node, number))
    assert "2 of the appliance's 4 drives are out of use and at most 1 may be" in refusal(node)
    for number in (1, 2):
        shutil.rmtree(drive(node, number))
        drive(node, number + 10).rename(drive(node, number))
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_replace_a_drive_that_answers(node: Node, record: Record) -> None:
    """`packstone drive replace` for a drive that holds records, and answers."""
    node.stop()
    assert "nothing to replace" in node.command("drive", "replace", drive(node, 0), code=1)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.DURATION, Clause.AUTHENTIC)
def test_a_drive_from_before_the_extension(node: Node, record: Record) -> None:
    """A drive put back as it was before retention was extended, with the index deleted: the later date holds."""
    node.stop()
    shutil.copytree(drive(node, 0), drive(node, 10))
    node.start()
    assert record.until is not None
    record = record.extended(node.client(), record.until + dt.timedelta(days=365))
    node.kill()
    shutil.rmtree(drive(node, 0))
    drive(node, 10).rename(drive(node, 0))
    shutil.rmtree(node.data / "index")
    node.start()
    record.assert_locked(node.client())


@protects(Clause.TIME)
def test_a_superblock_from_before_the_lock(node: Node) -> None:
    """One drive's superblock put back as it was before the lock, then `init`: the other drives still say the date."""
    s3 = node.client()
    bucket = records.lock_bucket(s3, "records")
    before = (drive(node, 0) / SUPERBLOCK).read_bytes()
    record = records.store(s3, bucket)
    node.stop()
    (drive(node, 0) / SUPERBLOCK).write_bytes(before)
    named = [part for number in (1, 2, 3, 0) for part in ("--drive", drive(node, number))]
    other = Node(node.data.with_name("other"))
    assert "locked until" in other.command("init", "--confirm-time", "--profile", "3+1", *named, code=1)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM)
def test_a_superblock_removed(node: Node, record: Record) -> None:
    """One drive's superblock deleted: the drive counts as missing, and `init` finds that it isn't empty."""
    node.stop()
    (drive(node, 3) / SUPERBLOCK).unlink()
    node.command("init", "--confirm-time", code=1)
    node.start()
    record.assert_locked(node.client())


@protects(Clause.VERIFY, Clause.REDUNDANCY)
def test_bits_changed_on_a_drive(node: Node, record: Record) -> None:
    """The record's bytes changed on one drive: what is read is what was stored, and `verify` tells."""
    node.command("seal")
    node.stop()
    for file in drive(node, 0).glob("segments/*"):
        content = bytearray(file.read_bytes())
        content[4096:8192] = bytes(byte ^ 0xFF for byte in content[4096:8192])
        file.write_bytes(content)
    node.start()
    node.command("verify", code=1)
    record.assert_locked(node.client())


@protects(Clause.WORM, Clause.AVAILABLE)
def test_more_than_m_drives_replaced_while_it_runs(node: Node, record: Record) -> None:
    """`packstone drive replace` for two drives of a running appliance that may lose one: refused, nothing is lost."""
    node.command("seal")
    for number in (1, 2):
        drive(node, number).rename(drive(node, number + 10))
    wait_until_out(node, 2)
    for number in (1, 2):
        drive(node, number).mkdir()
        assert "only their return helps" in node.command("drive", "replace", drive(node, number), code=1)
        drive(node, number).rmdir()
        drive(node, number + 10).rename(drive(node, number))
    node.kill()
    node.start()
    record.assert_locked(node.client())


@protects(Clause.WORM, Clause.AVAILABLE)
def test_drives_drained_and_removed(node: Node, record: Record) -> None:
    """`packstone drive drain` and `remove` for one after the other: refused once others could not hold the record."""
    node.command("seal")
    spare = drive(node, 4)
    spare.mkdir()
    configuration = node.data / "packstone.toml"
    configuration.write_text(configuration.read_text().replace('drive3"', f'drive3", "{spare}"'))
    node.command("drive", "add", spare)
    assert "drain" in node.command("drive", "remove", drive(node, 0), code=1)
    node.command("drive", "drain", drive(node, 0))
    node.command("drive", "remove", drive(node, 0))
    assert "would have 3 drives" in node.command("drive", "drain", drive(node, 1), code=1)
    record.assert_locked(node.client())
    node.stop()
    shutil.rmtree(node.data / "index")
    node.start()
    record.assert_locked(node.client())


def wait_until_out(node: Node, count: int) -> None:
    """Wait until so many drives are out of use: a seal, or what is written, asks them."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(ClientError):
            node.client().put_object(Bucket="touch", Key="x", Body=b"x" * 3_000_000)
        drives = json.loads(node.command("status", "--json"))["drives"]
        if sum(drive["state"] != "online" for drive in drives) == count:
            return
        assert time.monotonic() < deadline, drives
        time.sleep(0.5)


@protects(Clause.WORM, Clause.AVAILABLE)
def test_move_between_pools(tmp_path: Path) -> None:
    """Moved to another pool by the administrator, the index deleted, and moved back: the record stays locked."""
    pools = []
    for name, kind in (("fast", "ssd"), ("slow", "hdd")):
        drives = [tmp_path / f"{name}{number}" for number in range(3)]
        for place in drives:
            place.mkdir()
        pools.append({"name": name, "class": kind, "profile": "2+1", "drives": [str(place) for place in drives]})
    node = Node(tmp_path / "data", {"PACKSTONE_POOLS": json.dumps(pools)})
    node.command("init", "--confirm-time")
    node.start()
    bucket = records.lock_bucket(node.client(), "records")
    record = records.store(node.client(), bucket)
    node.command("seal")
    node.command("pool", "move", bucket, "slow")
    record.assert_locked(node.client())
    node.kill()
    shutil.rmtree(node.data / "index")
    node.start()
    record.assert_locked(node.client())
    node.command("pool", "move", bucket, "--by-class")
    record.assert_locked(node.client())
    node.close()
