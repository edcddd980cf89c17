"""Drives and the process come to harm, round after round: nothing is lost, nothing wrong, and nothing comes back."""

import os
import random
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.drives.rolling import Rolling

FEW: Final = 3
MANY: Final = 200


def seed_of(rounds: int) -> int:
    """The one that the environment sets; else the same for a few rounds, and another each time for many."""
    given = os.environ.get("PACKSTONE_TEST_SEED")
    return int(given) if given else 7 if rounds == FEW else random.SystemRandom().getrandbits(32)


@pytest.mark.parametrize("rounds", [FEW, pytest.param(MANY, marks=pytest.mark.soak)])
def test_rolling_loss(tmp_path: Path, rounds: int) -> None:
    seed = seed_of(rounds)
    print(f"PACKSTONE_TEST_SEED={seed}")
    with closing(Rolling(tmp_path, seed)) as rolling:
        for number in range(rounds):
            rolling.note(f"round {number + 1}:")
            rolling.round()
        rolling.finish()
