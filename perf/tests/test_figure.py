"""Verdicts."""

import pytest

from perf.figure import Figure, Verdict


@pytest.mark.parametrize(
    ("reached", "target", "at_least", "verdict"),
    [
        (140.0, 140.0, False, "met"),
        (140.1, 140.0, False, "missed"),
        (0.6, 0.6, True, "met"),
        (0.59, 0.6, True, "missed"),
        (None, 0.6, True, "not measured"),
        (1.0, None, False, "shown"),
    ],
)
def test_a_verdict(reached: float | None, target: float | None, at_least: bool, verdict: Verdict) -> None:
    assert Figure("what", "", reached, target, at_least).verdict == verdict
