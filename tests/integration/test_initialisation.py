"""`packstone init` on drives of its own: what it writes is what `serve` reads."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import PACKSTONE, ServedNode, environment


def init(data: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `packstone init` on `data`."""
    command = [PACKSTONE, "init", "--confirm-time", "--data", data, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)


@pytest.fixture
def drives(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"drive {number}" for number in range(6)]
    for drive in made:
        drive.mkdir()
    return made


def named(drives: list[Path]) -> list[str | Path]:
    return [part for drive in drives for part in ("--drive", drive)]


def test_a_pool_of_six_drives_is_served(tmp_path: Path, drives: list[Path]) -> None:
    data = tmp_path / "data"
    done = init(data, "--profile", "4+2", "--pool", "ticks", "--class", "hdd", *named(drives))
    assert done.returncode == 0, done.stderr
    assert "6 of the 6 drives of pool ticks are directories of one disk" in done.stderr
    node = ServedNode(data)
    try:
        status = json.loads(node.command("status", "--json"))
    finally:
        assert node.stop() == 0
    assert [drive["path"] for drive in status["drives"]] == [str(drive) for drive in drives]
    pool = status["pools"][0]
    assert (pool["name"], pool["drive_class"], pool["data"], pool["parity"]) == ("ticks", "hdd", 4, 2)


def test_a_second_init_is_refused_and_changes_nothing(tmp_path: Path, drives: list[Path]) -> None:
    data = tmp_path / "data"
    assert init(data, "--profile", "4+2", *named(drives)).returncode == 0
    written = (data / "packstone.toml").read_text("utf-8")
    for again in (init(data, "--profile", "4+2", *named(drives)), init(data)):
        assert again.returncode == 1
        assert again.stderr.startswith("packstone: ")
    assert (data / "packstone.toml").read_text("utf-8") == written


def test_drives_of_another_appliance_are_refused(tmp_path: Path, drives: list[Path]) -> None:
    assert init(tmp_path / "one", "--profile", "4+2", *named(drives)).returncode == 0
    other = init(tmp_path / "other", "--profile", "4+2", *named(drives))
    assert other.returncode == 1
    assert str(drives[0]) in other.stderr
    assert not (tmp_path / "other" / "packstone.toml").exists()


def test_no_parity_takes_a_flag(tmp_path: Path, drives: list[Path]) -> None:
    arguments = ("--profile", "1+0", *named(drives[:1]))
    refused = init(tmp_path / "data", *arguments)
    assert refused.returncode == 1
    assert not (tmp_path / "data" / "packstone.toml").exists()
    assert init(tmp_path / "data", *arguments, "--allow-no-parity").returncode == 0


def test_unmounted_drives_are_not_replaced_by_an_empty_store(tmp_path: Path, drives: list[Path]) -> None:
    data = tmp_path / "data"
    assert init(data, "--profile", "4+2", *named(drives)).returncode == 0
    for drive in drives:
        drive.rename(drive.with_name(drive.name + ".away"))
        drive.mkdir()
    addresses = ("--s3", "127.0.0.1:0", "--control", "127.0.0.1:0")
    command: list[str | Path] = [PACKSTONE, "serve", "--data", data, *addresses]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)
    assert done.returncode == 1
    assert "no configured drive carries a superblock: see that they are mounted" in done.stderr
    assert all(list(drive.iterdir()) == [] for drive in drives)


@pytest.mark.parametrize(("answer", "code"), [("", 1), ("n\n", 1), ("y\n", 0)])
def test_the_time_is_confirmed(tmp_path: Path, drives: list[Path], answer: str, code: int) -> None:
    data = tmp_path / "data"
    command: list[str | Path] = [PACKSTONE, "init", "--data", data, *named(drives[:4])]
    done = subprocess.run(
        command, input=answer, capture_output=True, text=True, check=False, env=environment(), timeout=60
    )
    assert "The machine's clock says 2" in done.stderr
    assert done.returncode == code
    assert (data / "packstone.toml").exists() == (code == 0)
