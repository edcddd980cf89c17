"""What is walked over is counted, and a file too few is no measurement."""

from pathlib import Path

import pytest

from perf.server import NotMeasurableError
from perf.walk import figures, find, first_names


def test_every_file_is_found_or_nothing_is_measured(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f"d{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"d{number % 3}" / f"{number:06}").write_bytes(b"tick")
    find(tmp_path, 120)
    find(tmp_path, 120, "-printf", "%s\n")
    with pytest.raises(NotMeasurableError, match="120 of 121 files"):
        find(tmp_path, 121)


def test_the_first_names_are_there_or_nothing_is_measured(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}").touch()
    first_names(tmp_path, 40)
    with pytest.raises(NotMeasurableError, match="missing"):
        first_names(tmp_path, 1000)


def test_a_figure_is_the_median_and_says_least_and_most() -> None:
    times = {"find": [70.0, 50.0, 40.0], "find with stat": [61.0], "first names": [0.02, 0.3, 0.01]}
    walked, sized, first = figures(times, 1000)
    assert (walked.reached, walked.note, walked.verdict) == (50.0, "40 to 70 s", "met")
    assert sized.verdict == "missed"
    assert (first.reached, first.unit) == (20.0, "ms")
