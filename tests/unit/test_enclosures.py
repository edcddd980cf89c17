"""Enclosures in the configuration: what is refused, and what is warned of."""

from collections import Counter
from pathlib import Path

import pytest

from appliance.configuration import Configuration
from appliance.configuration_sources import load
from appliance.drives import loss_warnings, spread
from appliance.errors import OperatorError


def configured(data: Path, profile: str, drives: int, enclosures: dict[str, list[int]]) -> Configuration:
    """A pool of so many drives, which aren't there, seated so."""
    paths = [f"/nowhere/drive{number}" for number in range(drives)]
    pool = {"name": "main", "class": "ssd", "profile": profile, "drives": paths}
    seated = [{"name": name, "drives": [paths[number] for number in held]} for name, held in enclosures.items()]
    return load(data, command_line={"pools": [pool], "enclosures": seated})


def test_three_shelves_of_three_bear_the_loss_of_one(tmp_path: Path) -> None:
    shelves = {"front": [0, 1, 2], "middle": [3, 4, 5], "rear": [6, 7, 8]}
    assert list(loss_warnings(configured(tmp_path, "4+2", 9, shelves))) == []


def test_two_shelves_are_warned_of(tmp_path: Path) -> None:
    told = list(loss_warnings(configured(tmp_path, "4+2", 8, {"front": [0, 1, 2, 3], "rear": [4, 5, 6, 7]})))
    assert [line.split(" shards")[0] for line in told[:2]] == ["3", "3"]
    assert [line.split(":")[0] for line in told[2:]] == [
        "a start can't do without enclosure front",
        "a start can't do without enclosure rear",
    ]


@pytest.mark.parametrize(
    ("enclosures", "said"),
    [
        ({"front": [0], "rear": [0]}, "a drive is in two enclosures"),
        ({"Front": [0]}, "string should match"),
        ({"front": []}, "at least 1 item"),
    ],
)
def test_what_can_not_be_is_refused(tmp_path: Path, enclosures: dict[str, list[int]], said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        configured(tmp_path, "3+1", 4, enclosures)


def test_shards_are_spread_as_evenly_as_the_seats_allow() -> None:
    assert spread(Counter(a=4, b=4, c=1), 6) == Counter(a=3, b=2, c=1)
    assert spread(Counter(a=1), 3) == Counter(a=1)
