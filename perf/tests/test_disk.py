"""What is counted on the disk."""

import os
from pathlib import Path

from perf import disk


def test_blocks_count_what_is_allocated_not_what_is_long(tmp_path: Path) -> None:
    (tmp_path / "drive" / "journal").mkdir(parents=True)
    (tmp_path / "index").mkdir()
    written = tmp_path / "drive" / "journal" / "1"
    written.write_bytes(b"x" * 100_000)
    with written.open("rb") as file:
        os.fsync(file.fileno())
    with (tmp_path / "index" / "sparse").open("wb") as file:
        file.truncate(10_000_000)
    counted = disk.blocks_by_folder(tmp_path)
    assert list(counted) == ["drive", "index"]
    assert 100_000 <= counted["drive"] < 200_000
    assert counted["index"] < 100_000


def test_what_was_written_ends_before_the_preallocated_zeros(tmp_path: Path) -> None:
    old, new = tmp_path / "1.jnl", tmp_path / "2.jnl"
    old.write_bytes(b"x" * 10)
    new.write_bytes(b"x" * 3000 + b"\0" * 5_000_000)
    os.utime(old, ns=(0, 0))
    assert disk.newest(tmp_path, ".jnl") == new
    assert disk.written(new) == 3000
    assert disk.written(old) == 10


def test_a_folder_without_a_journal_has_no_newest(tmp_path: Path) -> None:
    assert disk.newest(tmp_path, ".jnl") is None


def test_the_disk_takes_bytes_and_keeps_none(tmp_path: Path) -> None:
    assert disk.sequential_write(tmp_path, 3 << 20) > 0
    assert list(tmp_path.iterdir()) == []
