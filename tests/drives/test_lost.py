"""More shards are gone than parity makes good: what that takes is named, and the rest is served."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.drives.conftest import Appliance
from tests.served import PACKSTONE


def packstone(appliance: Appliance, code: int) -> str:
    """Standard output, whatever the exit code."""
    done = subprocess.run(
        [PACKSTONE, "lost", "--json", "--data", appliance.node.data], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def lost(appliance: Appliance, code: int) -> list[Any]:
    """What `packstone lost` says."""
    told = packstone(appliance, code)
    return [json.loads(line) for line in told.splitlines()]


def await_lost(appliance: Appliance, *, some: bool) -> None:
    """Wait until healing has found out whether something is lost."""
    deadline = time.monotonic() + 60
    while (appliance.status()["healing"]["lost_objects"] > 0) != some:
        assert time.monotonic() < deadline, appliance.status()["healing"]
        time.sleep(0.1)


def unreadable(appliance: Appliance) -> set[str]:
    """The keys that a GET doesn't give whole."""
    s3 = appliance.node.client()
    found = set()
    for key, body in appliance.stored.items():
        try:
            if s3.get_object(Bucket="ticks", Key=key)["Body"].read() == body:
                continue
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
        except OSError:
            pass
        found.add(key)
    return found


def take_shards(appliance: Appliance, segment: str, drives: list[int]) -> dict[Path, bytes]:
    """Remove the shards of a segment from some drives; what they were."""
    shards = [file for number in drives for file in (appliance.drive(number) / "segments").glob(f"{segment}.*")]
    held = {file: file.read_bytes() for file in shards}
    for file in shards:
        file.unlink()
    return held


def test_what_is_lost_is_named_until_it_is_back(appliance: Appliance) -> None:
    """Two of four shards of each segment are gone: the objects in them are named one by one, and come back with one."""
    assert lost(appliance, code=0) == []
    appliance.store("more")
    appliance.node.stop()
    first = min(file.name.split(".")[0] for file in (appliance.drive(0) / "segments").iterdir())
    taken = take_shards(appliance, first, [1, 2])
    appliance.node.start()
    await_lost(appliance, some=True)
    named = lost(appliance, code=1)
    assert {held["key"] for held in named} == unreadable(appliance)
    assert {(held["bucket"], held["version"], held["segment"]) for held in named} == {("ticks", "null", first)}
    assert f"{len(named)} objects can't be read: `packstone lost` names them" in appliance.status()["warnings"]
    appliance.node.stop()
    file = next(iter(taken))
    file.write_bytes(taken[file])
    appliance.node.start()
    appliance.wait_until_whole()
    await_lost(appliance, some=False)
    assert lost(appliance, code=0) == []
    appliance.check()
