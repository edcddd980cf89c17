"""What is done with files is done, on any file system."""

from pathlib import Path

from perf.files import WORKS, Amount, clear
from perf.posix import _ratio


def test_every_work_stands_on_those_before_it(tmp_path: Path) -> None:
    amount = Amount(files=120, large=3 << 20)
    for work in WORKS:
        assert work.work(tmp_path, amount) > 0, work.name
    assert len(list((tmp_path / "small").iterdir())) == amount.files
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ratios_are_made_within_a_round() -> None:
    work = WORKS[0]
    rates = {work.name: {"packstone": [1.0, 20.0, 6.0], "disk": [2.0, 10.0, 3.0], "broken": []}}
    assert _ratio(work, "disk", rates) == "2 (0.5 to 2)"
    assert _ratio(work, "broken", rates) == "–"
