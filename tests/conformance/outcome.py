"""What a run of a suite came to, beside what was expected of it."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LINE: Final = re.compile(
    r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (?:\S*/)?(\w+)\.py::(.+?)(?: - .*)?$", re.MULTILINE
)


@dataclass(frozen=True)
class Expectation:
    """A test that fails, and why."""

    test: str
    reason: str


def read_expectations(file: Path) -> dict[str, str]:
    """The reason of each test that is expected to fail, by `module::test`.

    Raises:
        ValueError: if a test stands there twice or without a reason.
    """
    reasons: dict[str, str] = {}
    for expectation in _expectations(tomllib.loads(file.read_text("utf-8"))):
        if expectation.test in reasons:
            raise ValueError(f"{file.name}: {expectation.test} stands there twice")
        if not expectation.reason:
            raise ValueError(f"{file.name}: {expectation.test} has no reason")
        reasons[expectation.test] = expectation.reason
    return reasons


def _expectations(groups: Mapping[str, list[dict[str, str | list[str]]]]) -> Iterator[Expectation]:
    for group in groups["failures"]:
        for test in group["tests"]:
            yield Expectation(f"{group['module']}::{test}", str(group["reason"]).strip())


def read_report(report: str) -> tuple[set[str], set[str]]:
    """What passed and what failed, as `module::test`, of the lines that `pytest -rA` ends with.

    A test that passed and then failed to clean up has failed.
    """
    told: defaultdict[str, set[str]] = defaultdict(set)
    for outcome, module, test in _LINE.findall(report):
        told[f"{module}::{test}"].add(outcome)
    passed = {test for test, outcomes in told.items() if outcomes == {"PASSED"}}
    return passed, told.keys() - passed


@dataclass
class Comparison:
    """A run against what was expected."""

    passed: set[str] = field(default_factory=set)
    failed_as_expected: set[str] = field(default_factory=set)
    failed_unexpectedly: set[str] = field(default_factory=set)
    passed_unexpectedly: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, passed: set[str], failed: set[str], expected: Mapping[str, str]) -> "Comparison":
        """Sort what passed and what failed by whether it was to."""
        return cls(
            passed=passed - expected.keys(),
            failed_as_expected=failed & expected.keys(),
            failed_unexpectedly=failed - expected.keys(),
            passed_unexpectedly=passed & expected.keys(),
        )

    @property
    def is_as_expected(self) -> bool:
        """Whether nothing was a surprise, and there was something to see."""
        return bool(self.passed) and not self.failed_unexpectedly and not self.passed_unexpectedly

    def lines(self, expected: Mapping[str, str]) -> Iterator[str]:
        """The summary: what fails for which reason, the surprises, the counts."""
        by_reason: defaultdict[str, list[str]] = defaultdict(list)
        for test in sorted(self.failed_as_expected):
            by_reason[expected[test]].append(test)
        for reason, tests in sorted(by_reason.items(), key=lambda item: -len(item[1])):
            yield f"{len(tests):4} fail: {reason}"
        for test in sorted(self.failed_unexpectedly):
            yield f"failed unexpectedly: {test}"
        for test in sorted(self.passed_unexpectedly):
            yield f"passed unexpectedly: {test} ({expected[test]})"
        run = len(self.passed | self.passed_unexpectedly | self.failed_as_expected | self.failed_unexpectedly)
        yield (
            f"{len(self.passed | self.passed_unexpectedly)} of {run} passed, "
            f"{len(self.failed_as_expected)} failed as expected, "
            f"{len(self.failed_unexpectedly)} failed unexpectedly, "
            f"{len(self.passed_unexpectedly)} passed unexpectedly"
        )
