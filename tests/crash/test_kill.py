"""`kill -9` at random moments under mixed load: everything acknowledged is there, nothing deleted is back."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.rounds import Rounds

PROFILES: Final = ("3+1", "4+2", "8+3")
SEED: Final = int(os.environ.get("PACKSTONE_TEST_SEED") or 0) or random.SystemRandom().getrandbits(32)


@pytest.fixture
def rounds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rounds]:
    print(f"PACKSTONE_TEST_SEED={SEED}")
    made = Rounds(tmp_path, request.param, SEED)
    yield made
    if made.node.process is not None:
        made.node.kill()


@pytest.mark.parametrize("rounds", PROFILES, indirect=True)
def test_killed_it_owes_nothing(rounds: Rounds) -> None:
    history = []
    for number in range(3):
        rounds.load_and_kill(longest=2.5)
        history.append("kill")
        if number % 2:
            rounds.spoil_index()
            history.append("index spoiled")
        rounds.settle(", ".join(history))


@pytest.mark.parametrize("rounds", PROFILES, indirect=True)
def test_killed_with_as_many_drives_damaged_as_may_be(rounds: Rounds) -> None:
    history = []
    for number in range(3):
        rounds.load_and_kill(longest=2)
        history += ["kill", rounds.damage(len(rounds.victims))]
        if number == 1:
            rounds.spoil_index()
            history.append("index spoiled")
        rounds.settle(", ".join(history))


@pytest.mark.parametrize("rounds", PROFILES, indirect=True)
def test_sealed_and_damaged(rounds: Rounds) -> None:
    rounds.load_and_kill(longest=3)
    rounds.settle("kill")
    rounds.node.command("seal")
    assert rounds.node.stop() == 0
    rounds.settle("kill, seal, " + rounds.damage(len(rounds.victims)))


@pytest.mark.soak
@pytest.mark.parametrize("rounds", PROFILES, indirect=True)
def test_killed_many_times(rounds: Rounds) -> None:
    history: list[str] = []
    damaged = 0
    for _ in range(40):
        rounds.load_and_kill(longest=6)
        history.append("kill")
        if rounds.chance.random() < 0.3:
            rounds.spoil_index()
            history.append("index spoiled")
        if rounds.chance.random() < 0.2:
            damaged = max(damaged, rounds.chance.randint(1, len(rounds.victims)))
            history.append(rounds.damage(damaged))
        rounds.settle(", ".join(history))
