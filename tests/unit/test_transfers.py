"""What `packstone cp` finds to move stays where it was asked to stay, and a fault in one transfer ends all."""

import threading
from pathlib import Path

import pytest

from appliance.errors import OperatorError
from gateway.cli.location import Location
from gateway.cli.transfers import Transfer, _local, run_all, upload, uploads


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/a", "a//b", "a/./b", "..", ".", "", "a\0b"])
def test_a_key_never_leads_out_of_its_folder(key: str) -> None:
    with pytest.raises(OperatorError, match="no path of a file"):
        _local(key, Location("ticks", key))


def test_a_folder_is_found_whole_and_in_order(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "c/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "dangling").symlink_to("nowhere")
    found = list(uploads(tmp_path, Location("ticks", "day")))
    assert [transfer.location.key for transfer in found] == ["day/a", "day/b/1", "day/b/2", "day/c/d/e"]
    assert [transfer.size for transfer in found] == [1, 3, 3, 5]


def test_a_file_goes_to_its_key_or_below_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "tick"
    file.touch()
    wanted = {"": "tick", "day/": "day/tick", "day": "day"}
    assert {key: upload(file, Location("ticks", key)).location.key for key in wanted} == wanted


def test_a_directory_takes_recursive(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="use -r"):
        upload(tmp_path, Location("ticks", "x"))


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    Path(str(tmp_path) + "/caf\udce9").touch()
    with pytest.raises(OperatorError, match="isn't UTF-8"):
        list(uploads(tmp_path, Location("ticks", "")))


def test_the_first_fault_ends_all() -> None:
    done: list[str] = []
    lock = threading.Lock()

    def perform(transfer: Transfer) -> None:
        if transfer.location.key == "50":
            raise OperatorError("no more")
        with lock:
            done.append(transfer.location.key)

    endless = (Transfer(Path("x"), Location("ticks", str(number)), 1) for number in range(1_000_000))
    with pytest.raises(OperatorError, match="no more"):
        run_all(endless, perform, width=4)
    assert len(done) < 1000
