"""Where the embedded default may be made."""

from pathlib import Path

from appliance.drives import unmounted


def test_a_disk_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    table = tmp_path / "fstab"
    disk, spaced = tmp_path / "disk", tmp_path / "a disk"
    escaped = str(spaced).replace(" ", "\\040")
    table.write_text(
        f"# {tmp_path}/commented\n\nUUID=1 {disk} ext4 defaults 0 2\n/dev/b {escaped} xfs\n/dev/c / ext4\n"
    )
    assert unmounted(disk, table) == disk
    assert unmounted(disk / "data" / "deep", table) == disk
    assert unmounted(spaced / "data", table) == spaced
    assert unmounted(tmp_path / "commented", table) is None
    assert unmounted(tmp_path / "elsewhere", table) is None, "the root is mounted"
    assert unmounted(disk, tmp_path / "absent") is None
