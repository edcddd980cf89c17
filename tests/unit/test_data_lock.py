"""A data directory belongs to one process at a time."""

import os
from pathlib import Path

import pytest

from appliance.data_lock import DataLock
from appliance.errors import OperatorError


def test_a_second_holder_is_told_who_has_it(tmp_path: Path) -> None:
    with DataLock(tmp_path), pytest.raises(OperatorError, match=f"in use by another packstone, process {os.getpid()}"):
        DataLock(tmp_path)


def test_released_it_can_be_had_again(tmp_path: Path) -> None:
    DataLock(tmp_path).release()
    with DataLock(tmp_path):
        pass


def test_the_directory_is_made_for_the_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    with DataLock(data):
        assert data.stat().st_mode & 0o777 == 0o700


def test_a_path_that_is_no_directory_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OperatorError, match="can't be opened"):
        DataLock(file)
