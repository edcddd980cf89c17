"""Drives that go, come back and are replaced: all is read throughout, and every segment is made whole again."""

import shutil
from pathlib import Path

import pytest

from tests.drives.conftest import Appliance


def shards(drive: Path) -> set[str]:
    """The shard files on a drive."""
    return {file.name for file in (drive / "segments").iterdir()}


def test_a_replaced_drive_is_filled(appliance: Appliance) -> None:
    """An empty drive gets all that the old one had, and then another drive may be lost."""
    held = shards(appliance.drive(2))
    assert len(held) >= 2
    appliance.node.stop()
    appliance.replace(2)
    appliance.node.start()
    appliance.check()
    appliance.wait_until_whole()
    assert shards(appliance.drive(2)) >= held
    assert appliance.status()["healing"]["healed"] >= len(held)
    appliance.node.stop()
    appliance.take_away(0)
    appliance.node.start()
    appliance.check()


def test_a_drive_that_was_away_is_taken_in_again(appliance: Appliance) -> None:
    """It gets what was written without it, and loses what is not needed any more."""
    appliance.node.stop()
    appliance.take_away(1)
    appliance.node.start()
    assert [drive["state"] for drive in appliance.status()["drives"]].count("missing") == 1
    appliance.store("without")
    assert appliance.status()["pools"][0]["degraded"] > 0
    appliance.node.stop()
    appliance.bring_back(1)
    appliance.node.start()
    assert all(drive["state"] == "online" for drive in appliance.status()["drives"])
    appliance.wait_until_whole()
    appliance.node.kill()
    appliance.take_away(3)
    appliance.node.start()
    appliance.check()


def test_one_drive_after_the_other(appliance: Appliance) -> None:
    """Every drive is replaced in turn, with a kill in the middle of healing each: nothing is lost."""
    for number in range(4):
        appliance.store(f"round{number}", count=5)
        appliance.node.stop()
        appliance.replace(number)
        appliance.node.start()
        appliance.node.kill()
        appliance.node.start()
        appliance.wait_until_whole()
        appliance.check()


@pytest.mark.parametrize("harm", ["rot", "cut", "gone"])
def test_harmed_shards_are_healed(appliance: Appliance, harm: str) -> None:
    """A start finds shards that were cut short or are gone, `verify` those that rot; all are made anew."""
    for file in (appliance.drive(0) / "segments").iterdir():
        content = file.read_bytes()
        if harm == "rot":
            file.write_bytes(content[:5000] + bytes(64) + content[5064:])
        elif harm == "cut":
            file.write_bytes(content[: len(content) // 2])
        else:
            file.unlink()
    appliance.node.kill()
    appliance.node.start()
    if harm == "rot":
        appliance.node.command("verify", code=1)
    appliance.check()
    appliance.wait_until_whole()
    appliance.node.stop()
    appliance.take_away(3)
    appliance.node.start()
    appliance.check()


def test_a_drive_put_back_as_it_was_before(appliance: Appliance) -> None:
    """A drive restored from a copy lacks what came since then, and gets it."""
    appliance.node.stop()
    shutil.copytree(appliance.drive(0), appliance.drive(20))
    appliance.node.start()
    appliance.store("since")
    appliance.node.stop()
    shutil.rmtree(appliance.drive(0))
    appliance.drive(20).rename(appliance.drive(0))
    appliance.node.start()
    appliance.check()
    appliance.wait_until_whole()
    appliance.node.stop()
    appliance.take_away(1)
    appliance.node.start()
    appliance.check()


def test_replacing_is_refused(appliance: Appliance, tmp_path: Path) -> None:
    """Of a drive that answers, whether or not the node runs, by one that isn't empty, and at another path."""
    node = appliance.node
    assert "nothing to replace" in node.command("drive", "replace", appliance.drive(0), code=1)
    node.stop()
    assert "nothing to replace" in node.command("drive", "replace", appliance.drive(0), code=1)
    (tmp_path / "elsewhere").mkdir()
    assert "configured for no pool" in node.command("drive", "replace", tmp_path / "elsewhere", code=1)
    appliance.take_away(2)
    assert "no such directory" in node.command("drive", "replace", appliance.drive(2), code=1)
    appliance.drive(2).mkdir()
    (appliance.drive(2) / "photos").mkdir()
    assert "is not empty" in node.command("drive", "replace", appliance.drive(2), code=1)
    (appliance.drive(2) / "photos").rmdir()
    appliance.drive(2).rmdir()
    appliance.bring_back(2)
    node.start()
    appliance.check()
