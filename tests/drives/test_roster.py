"""Drives that come and go while the node runs: nobody who reads or writes notices, and nothing is lost."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.drives.conftest import Appliance

_PATIENCE: Final = 60


def drives(appliance: Appliance) -> dict[str, dict[str, Any]]:
    """What `packstone drive list` says, by the names of the directories."""
    lines = appliance.node.command("drive", "list", "--json").splitlines()
    return {Path(drive["path"]).name: drive for drive in map(json.loads, lines)}


def wait_for(appliance: Appliance, name: str, state: str) -> None:
    """Wait until a drive is in that state."""
    deadline = time.monotonic() + _PATIENCE
    while drives(appliance)[name]["state"] != state:
        assert time.monotonic() < deadline, drives(appliance)
        time.sleep(0.2)


@contextmanager
def load(appliance: Appliance) -> Iterator[None]:
    """Clients that read and write all the while, and see no error."""
    stop = threading.Event()

    def work() -> None:
        s3 = appliance.node.client()
        number = 0
        while not stop.is_set():
            key, body = f"load/{number}", f"{number}\n".encode() * 700
            s3.put_object(Bucket="ticks", Key=key, Body=body)
            appliance.stored[key] = body
            assert s3.get_object(Bucket="ticks", Key="before/3")["Body"].read() == appliance.stored["before/3"]
            number += 1

    with ThreadPoolExecutor(1) as clients:
        client = clients.submit(work)
        try:
            yield
        finally:
            stop.set()
        client.result()


def touch(appliance: Appliance) -> None:
    """Have every drive be asked, so that one which is gone is noticed."""
    appliance.store("touch", count=3)


def test_a_drive_comes_back_without_a_restart(appliance: Appliance) -> None:
    """It is noticed, filled with what it missed, and then another one may be lost."""
    with load(appliance):
        appliance.take_away(1)
        touch(appliance)
        wait_for(appliance, "drive1", "failed")
        appliance.store("without")
        appliance.bring_back(1)
        wait_for(appliance, "drive1", "online")
        appliance.wait_until_whole()
    appliance.node.command("seal")
    appliance.wait_until_whole()
    appliance.node.kill()
    appliance.take_away(3)
    appliance.node.start()
    appliance.check()


def test_a_drive_is_replaced_without_a_restart(appliance: Appliance) -> None:
    """An empty one in its place is no drive until the operator says so, and is filled then."""
    with load(appliance):
        appliance.take_away(2)
        touch(appliance)
        wait_for(appliance, "drive2", "failed")
        assert "no such directory" in appliance.node.command("drive", "replace", appliance.drive(2), code=1)
        appliance.drive(2).mkdir()
        told = appliance.node.command("drive", "replace", appliance.drive(2))
        assert "drive 2; it is being filled" in told
        assert "nothing to replace" in appliance.node.command("drive", "replace", appliance.drive(2), code=1)
        appliance.wait_until_whole()
    appliance.node.command("seal")
    appliance.wait_until_whole()
    appliance.node.kill()
    appliance.take_away(0)
    appliance.node.start()
    appliance.check()


def test_a_drive_is_added_and_another_removed(appliance: Appliance) -> None:
    """Under load: what is left has every byte, with any one drive gone, and the directory is left without data."""
    node = appliance.node
    added = appliance.drive(4)
    added.mkdir()
    assert "configured for no pool" in node.command("drive", "add", added, code=1)
    configuration = node.data / "packstone.toml"
    configuration.write_text(configuration.read_text().replace('drive3"', f'drive3", "{added}"'))
    with load(appliance):
        refused = node.command("drive", "drain", appliance.drive(0), code=1)
        assert "would have 3 drives" in refused
        assert "drive 4 of pool" in node.command("drive", "add", added)
        assert "place of drive 4 already" in node.command("drive", "add", added, code=1)
        assert "drain" in node.command("drive", "remove", appliance.drive(0), code=1)
        node.command("drive", "drain", appliance.drive(0), "--detach")
        assert drives(appliance)["drive0"]["leaving"]
        assert "is kept" in node.command("drive", "drain", appliance.drive(0), "--cancel")
        assert not drives(appliance)["drive0"]["leaving"]
        assert "is empty" in node.command("drive", "drain", appliance.drive(0))
        assert drives(appliance)["drive0"]["files"] == 0
        node.command("drive", "remove", appliance.drive(0))
    assert set(drives(appliance)) == {"drive1", "drive2", "drive3", "drive4"}
    assert not [file for file in appliance.drive(0).rglob("*") if file.is_file()]
    node.command("seal")
    appliance.wait_until_whole()
    appliance.check()
    node.kill()
    appliance.take_away(2)
    node.start()
    appliance.check()
    # It is configured still, and left alone.
    assert set(drives(appliance)) == {"drive1", "drive2", "drive3", "drive4"}
    assert f'no drive of the appliance: take it in by `packstone drive add` path="{appliance.drive(0)}"' in node.log()


def test_a_drain_goes_on_after_a_kill(appliance: Appliance) -> None:
    """The node is killed right after it began."""
    node = appliance.node
    appliance.drive(4).mkdir()
    configuration = node.data / "packstone.toml"
    configuration.write_text(configuration.read_text().replace('drive3"', f'drive3", "{appliance.drive(4)}"'))
    node.command("drive", "add", appliance.drive(4))
    for number in range(3):
        appliance.store(f"more{number}")
    node.command("drive", "drain", appliance.drive(1), "--detach")
    node.kill()
    node.start()
    assert drives(appliance)["drive1"]["leaving"]
    node.command("drive", "drain", appliance.drive(1))
    node.command("drive", "remove", appliance.drive(1))
    node.stop()
    node.start()
    appliance.check()
    appliance.wait_until_whole()
