"""Drives and the process come to harm, round after round: nothing is lost, nothing wrong, and nothing comes back."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.drives.rolling import Rolling

SEED: Final = int(os.environ.get("PACKSTONE_TEST_SEED") or 0) or random.SystemRandom().getrandbits(32)


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Rolling]:
    print(f"PACKSTONE_TEST_SEED={SEED}")
    made = Rolling(tmp_path, SEED)
    yield made
    made.close()


@pytest.mark.parametrize("rounds", [5, pytest.param(200, marks=pytest.mark.soak)])
def test_rolling_loss(rolling: Rolling, rounds: int) -> None:
    for number in range(rounds):
        rolling.note(f"round {number + 1}:")
        rolling.round()
    rolling.finish()
