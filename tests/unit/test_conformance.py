"""What the conformance runner makes of a report and of the table of expected failures."""

from pathlib import Path

import pytest

from tests.conformance.ceph import EXPECTED
from tests.conformance.outcome import Comparison, read_expectations, read_report

REPORT = """
PASSED s3tests/functional/test_s3.py::test_fine
PASSED s3tests/functional/test_s3.py::test_untidy
PASSED s3tests/functional/test_s3.py::test_of[one two-3]
FAILED s3tests/functional/test_s3.py::test_wrong - assert 403 == 200 - and more
FAILED s3tests/functional/test_headers.py::test_known
ERROR s3tests/functional/test_s3.py::test_untidy - botocore.exceptions.ClientError: An error
=== 2 failed, 3 passed, 1 error in 1.00s ===
"""


def test_a_report_is_read() -> None:
    passed, failed = read_report(REPORT)
    assert passed == {"test_s3::test_fine", "test_s3::test_of[one two-3]"}
    assert failed == {"test_s3::test_wrong", "test_s3::test_untidy", "test_headers::test_known"}


def test_surprises_are_told_apart() -> None:
    expected = {
        "test_headers::test_known": "reason",
        "test_s3::test_fine": "it would fail",
        "test_s3::test_gone": "gone",
    }
    comparison = Comparison.of(*read_report(REPORT), expected)
    assert comparison.passed == {"test_s3::test_of[one two-3]"}
    assert comparison.failed_as_expected == {"test_headers::test_known"}
    assert comparison.failed_unexpectedly == {"test_s3::test_wrong", "test_s3::test_untidy"}
    assert comparison.passed_unexpectedly == {"test_s3::test_fine"}
    assert not comparison.is_as_expected
    lines = list(comparison.lines(expected))
    assert lines[0] == "   1 fail: reason"
    assert lines[-1] == "2 of 5 passed, 1 failed as expected, 2 failed unexpectedly, 1 passed unexpectedly"
    assert Comparison.of({"test_s3::a"}, set(), {}).is_as_expected
    assert not Comparison.of(set(), set(), {}).is_as_expected, "nothing was run"


def test_every_expectation_stands_there_once_and_has_a_reason(tmp_path: Path) -> None:
    assert all(read_expectations(EXPECTED).values())
    table = tmp_path / "expected.toml"
    group = '[[failures]]\nmodule = "test_s3"\nreason = "{}"\ntests = ["test_a"]\n'
    table.write_text(group.format("one") * 2, "utf-8")
    with pytest.raises(ValueError, match="twice"):
        read_expectations(table)
    table.write_text(group.format(""), "utf-8")
    with pytest.raises(ValueError, match="no reason"):
        read_expectations(table)
