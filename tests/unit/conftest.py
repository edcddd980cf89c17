"""What every unit test starts from."""

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests reaches them."""
    for name in os.environ:
        if name.upper().startswith(("PACKSTONE_", "AWS_")):
            monkeypatch.delenv(name)
