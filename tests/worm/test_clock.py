"""Routes through the system clock, by whoever may set it. Records here are locked for 30 days."""

import contextlib
import datetime as dt
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.served import PACKSTONE, Node
from tests.worm import record as records
from tests.worm.clauses import Clause, protects
from tests.worm.record import DENIED, Record, code, later
from tests.worm.wall_clock import DAY, YEAR, WallClock, lag


@pytest.fixture
def record(timed: Node) -> Record:
    """A locked record on `timed`."""
    s3 = timed.client()
    return records.store(s3, records.lock_bucket(s3, "records"))


@protects(Clause.TIME, Clause.DURATION)
def test_set_forward_in_one_step(timed: Node, clock: WallClock, record: Record) -> None:
    """The system clock set forward by ten years while the node runs."""
    clock.set(10 * YEAR)
    record.assert_locked(timed.client())
    assert abs(lag(timed) - 10 * YEAR) < 60
    assert "compliance clock" in timed.command("status")


@protects(Clause.TIME, Clause.DURATION)
def test_set_forward_in_many_small_steps(timed: Node, clock: WallClock, record: Record) -> None:
    """The system clock set forward by an hour at a time, a thousand times, with something stored after each step."""
    s3 = timed.client()
    for step in range(1, 1001):
        clock.set(step * 3600)
        if step % 10 == 0:
            s3.put_object(Bucket=record.bucket, Key="step", Body=b"")
    record.assert_locked(timed.client())
    assert lag(timed) > 1000 * 3600 - 60


@protects(Clause.TIME, Clause.DURATION)
def test_set_forward_while_the_node_is_down(timed: Node, clock: WallClock, record: Record) -> None:
    """The system clock set forward by ten years between a stop and a start, and between a kill and a start."""
    for end, ahead in ((timed.stop, 10 * YEAR), (timed.kill, 20 * YEAR)):
        end()
        clock.set(ahead)
        timed.start()
        record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.DURATION)
def test_set_forward_a_little_at_each_start(timed: Node, clock: WallClock, record: Record) -> None:
    """The system clock set forward by a week before each of five starts."""
    for start in range(1, 6):
        timed.kill()
        clock.set(start * 7 * DAY)
        timed.start()
    record.assert_locked(timed.client())
    assert lag(timed) > 34 * DAY


@protects(Clause.TIME, Clause.DURATION)
def test_set_forward_and_the_index_deleted(timed: Node, clock: WallClock, record: Record) -> None:
    """The system clock set forward by ten years, and the index made anew under it."""
    timed.stop()
    clock.set(10 * YEAR)
    timed.command("rebuild-index")
    timed.start()
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.PERIOD)
def test_stored_under_a_clock_set_back(timed: Node, clock: WallClock) -> None:
    """The system clock set back by a year before a record is stored under the bucket's default of 30 days."""
    s3 = timed.client()
    bucket = records.lock_bucket(s3, "records")
    rule: Any = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}}
    configuration: Any = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    clock.set(-YEAR)
    version = timed.client().put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    record = Record(bucket, "k", version, later(days=29), body=b"kept")
    clock.set(0)
    record.assert_locked(timed.client())


@protects(Clause.TIME, Clause.WORM)
def test_stored_with_a_lock_that_a_clock_set_back_allows(timed: Node, clock: WallClock) -> None:
    """The system clock set back by a year, to store a record whose retention is over by the true time."""
    s3 = timed.client()
    bucket = records.lock_bucket(s3, "records")
    clock.set(-YEAR)
    lock: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": later(days=-30)}
    assert code(timed.client().put_object, Bucket=bucket, Key="k", Body=b"", **lock) == "InvalidArgument"


@protects(Clause.TIME, Clause.WORM)
def test_init_under_a_clock_set_forward(timed: Node, clock: WallClock, record: Record) -> None:
    """`packstone init` over the drives under a system clock by which every lock is over."""
    timed.stop()
    clock.set(10 * YEAR)
    assert "locked until" in timed.command("init", "--confirm-time", code=1)
    clock.set(0)
    timed.start()
    record.assert_locked(timed.client())


@protects(Clause.TIME)
def test_init_under_a_clock_set_back(timed: Node, clock: WallClock) -> None:
    """A new appliance begun under a system clock from before the release was built."""
    clock.set(-50 * YEAR)
    other = Node(timed.data.with_name("other"), timed.settings)
    drives = [timed.data.with_name(f"other{number}") for number in range(4)]
    for drive in drives:
        drive.mkdir()
    named = [part for drive in drives for part in ("--drive", drive)]
    told = other.command("init", "--confirm-time", "--profile", "3+1", *named, code=1)
    assert "before this release was built" in told


@contextlib.contextmanager
def in_a_time_namespace(node: Node, boottime: int) -> Iterator[str]:
    """Start the node in a name space whose boot time is so many seconds ahead; yield its S3 endpoint."""
    command: list[str | Path] = [
        "unshare",
        "--user",
        "--map-root-user",
        "--time",
        "--boottime",
        str(boottime),
        "--kill-child",
    ]
    serve: list[str | Path] = [
        PACKSTONE,
        "serve",
        "--data",
        node.data,
        "--s3",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
    ]
    with subprocess.Popen([*command, *serve], stdout=subprocess.PIPE, text=True, env=node.environment()) as process:
        assert process.stdout is not None
        try:
            ready = next((line for line in process.stdout if "packstone ready" in line), None)
            assert ready is not None, "it did not start"
            yield ready.split("s3=")[1].split()[0]
        finally:
            process.kill()
            # The pipe ends when the node itself has gone.
            process.stdout.read()


def has_time_namespaces() -> bool:
    tried = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--time", "--boottime", "1", "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


@protects(Clause.TIME, Clause.DURATION)
@pytest.mark.skipif(not has_time_namespaces(), reason="this machine makes no time name spaces for this user")
def test_a_boot_time_set_forward(timed: Node, clock: WallClock, record: Record) -> None:
    """The node started in a time name space whose boot time is years ahead, which takes no right on the machine."""
    timed.stop()
    clock.set(3 * YEAR)
    with in_a_time_namespace(timed, 3 * YEAR) as endpoint:
        timed.endpoint = endpoint
        record.assert_locked(timed.client())
    clock.set(0)
    timed.start()
    record.assert_locked(timed.client())


@protects(Clause.TIME)
def test_retention_ends_when_it_should(timed: Node) -> None:
    """The lock itself, as a check of this file: with the clock right, a record may go once its time has passed."""
    s3 = timed.client()
    until = later(seconds=2)
    bucket = records.lock_bucket(s3, "records")
    lock: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"", **lock)["VersionId"]
    named: Any = {"Bucket": bucket, "Key": "k", "VersionId": version}
    assert code(s3.delete_object, **named) == DENIED
    while later() <= until + dt.timedelta(seconds=1):
        time.sleep(0.1)
    s3.delete_object(**named)
