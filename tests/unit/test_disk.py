"""Which disk a directory lies on, and the light of its slot, on a made-up /sys."""

import os
from pathlib import Path

import pytest

from appliance.disk import find_disk
from appliance.errors import OperatorError


def make_sysfs(root: Path, path: Path) -> Path:
    """Have `path` lie on the first partition of a disk in a slot; the disk's directory."""
    disk = root / "devices" / "sdq"
    (disk / "sdq1").mkdir(parents=True)
    (disk / "sdq1" / "partition").write_text("1\n")
    (disk / "device" / "enclosure_device:Slot 7").mkdir(parents=True)
    (disk / "device" / "enclosure_device:Slot 7" / "locate").write_text("0")
    (disk / "device" / "model").write_text("TICKSTORE 9  \n")
    device = path.stat().st_dev
    blocks = root / "dev" / "block"
    blocks.mkdir(parents=True)
    (blocks / f"{os.major(device)}:{os.minor(device)}").symlink_to(disk / "sdq1")
    return disk


def test_the_light_of_the_slot_goes_on_and_off(tmp_path: Path) -> None:
    sysfs = make_sysfs(tmp_path / "sys", tmp_path)
    disk = find_disk(tmp_path, tmp_path / "sys")
    assert (disk.name, disk.description) == ("sdq", "/dev/sdq TICKSTORE 9")
    assert disk.locate is not None
    assert "locate light" in disk.show(0.01)
    assert next(sysfs.glob("device/*/locate")).read_text() == "0"


def test_a_directory_on_no_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="lies on no disk"):
        find_disk(tmp_path, tmp_path / "sys")
    with pytest.raises(OperatorError, match="No such file"):
        find_disk(tmp_path / "nowhere", tmp_path / "sys")
