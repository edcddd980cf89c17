"""What is asked for ahead of look-ups in order, told once, and not told any more once it was changed."""

import random
import stat
from collections.abc import Sequence
from itertools import pairwise

import pytest

from fuse.attributes import Told
from fuse.look_ahead import LookAhead, Question

USER, DIRECTORY = 1000, 7
Entries = Sequence[tuple[bytes, bytes, Told]]


def name(number: int) -> bytes:
    return b"%06d" % number


def told(inode: int, links: int = 1, kind: int = stat.S_IFREG) -> Told:
    return inode, kind | 0o644, links, 0, 0, 10, 0, 0, 0, 0


def entries(first: int, count: int) -> Entries:
    return [(name(number), name(number), told(100 + number)) for number in range(first, first + count)]


class Program:
    """Looks up the names of a directory of many files, one after another; answers come at once."""

    def __init__(self, ahead: LookAhead, *, size: int = 100_000) -> None:
        self.ahead = ahead
        self.size = size
        self.asked: list[tuple[bytes, int]] = []

    def look_up(self, number: int, *, is_there: bool = True) -> bool:
        """Whether it was told ahead."""
        found = self.ahead.find(USER, DIRECTORY, name(number))
        question = self.ahead.ask(USER, DIRECTORY, name(number), 5)
        if found is None:
            self.ahead.passed(USER, DIRECTORY, name(number), is_there=is_there)
        else:
            assert found[0][0] == 100 + number
        if question is not None:
            self.asked.append((question.name, question.limit))
            first = int(question.name) + 1
            self.ahead.take(USER, DIRECTORY, question, entries(first, min(question.limit, self.size - first)))
        return found is not None


def test_names_in_order_are_asked_for_ahead_and_more_of_them_as_they_are_of_use() -> None:
    program = Program(LookAhead(), size=1000)
    found = [program.look_up(number) for number in range(1000)]
    assert [limit for _, limit in program.asked] == [16, 32, 64, 128, 256, 256, 256, 256]
    # The next ones are on their way before the last ones are told.
    assert found == [False] * 6 + [True] * 994
    # From the start again, as by another pass.
    assert [program.look_up(number) for number in range(100)] == [False] * 6 + [True] * 94


def test_each_is_told_once_with_its_age_and_the_changes_that_were_known_of() -> None:
    program = Program(LookAhead())
    for number in range(6):
        program.look_up(number)
    first = program.ahead.find(USER, DIRECTORY, name(6))
    assert first is not None
    assert first[2] == 5
    assert 0 <= first[1] < 60
    assert program.ahead.find(USER, DIRECTORY, name(6)) is None
    assert program.ahead.find(USER + 1, DIRECTORY, name(7)) is None
    assert program.ahead.find(USER, DIRECTORY + 1, name(7)) is None


def test_what_is_of_no_use_is_asked_for_less_readily() -> None:
    program = Program(LookAhead())
    for number in range(0, 40_000, 40):
        assert not program.look_up(number)
    numbers = [int(behind) // 40 for behind, _ in program.asked]
    gaps = [second - first for first, second in pairwise(numbers)]
    assert gaps == [9, 17, 33, 65, 129, 129, 129, 129, 129, 129]
    assert {limit for _, limit in program.asked} == {16}


def test_what_is_too_old_is_asked_for_less_readily() -> None:
    program = Program(LookAhead())
    for number in range(6):
        program.look_up(number)
    assert program.look_up(6)
    assert program.ahead.find(USER, DIRECTORY, name(7)) is not None
    program.ahead.expire(USER, DIRECTORY)
    # Twice as many as before.
    assert [program.look_up(number) for number in range(7, 18)] == [False] * 10 + [True]


def test_names_that_are_not_there_are_no_reason_to_ask() -> None:
    program = Program(LookAhead())
    for number in range(500):
        program.look_up(number, is_there=False)
    assert program.asked == []


def test_one_name_again_and_again_is_no_reason_to_ask() -> None:
    program = Program(LookAhead())
    for number in (1, 1, 1, 1, 1, 1, 1, 2):
        program.look_up(number)
    assert program.asked == []


@pytest.mark.parametrize("directory", [1 << 62, (1 << 62) + 5])
def test_views_are_not_asked_for_ahead(directory: int) -> None:
    ahead = LookAhead()
    for number in range(100):
        ahead.passed(USER, directory, name(number), is_there=True)
        assert ahead.ask(USER, directory, name(number + 1), 0) is None


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16])
def test_threads_that_share_a_walk_are_told_most_of_it(threads: int) -> None:
    """Names are taken in order, and looked up some time later."""
    chance = random.Random(threads)
    program = Program(LookAhead(), size=5000)
    waiting = list(range(threads))
    taken, found = threads, 0
    while waiting:
        number = waiting.pop(chance.randrange(len(waiting)))
        found += program.look_up(number)
        if taken < program.size:
            waiting.append(taken)
            taken += 1
    assert found > 0.8 * program.size


def test_a_tree_of_directories_on_the_way_leaves_the_walk_through_the_top() -> None:
    program = Program(LookAhead(), size=1000)
    found = 0
    for number in range(1000):
        found += program.look_up(number)
        for below in range(4):
            program.ahead.passed(USER, 10_000 + 4 * number + below, b"name", is_there=True)
    assert found > 950


def ask(ahead: LookAhead) -> Question:
    """Ask for the names behind the sixth."""
    for number in range(5):
        ahead.passed(USER, DIRECTORY, name(number), is_there=True)
    question = ahead.ask(USER, DIRECTORY, name(5), 0)
    assert question is not None
    ahead.passed(USER, DIRECTORY, name(5), is_there=True)
    assert (question.name, question.limit) == (name(5), 16)
    return question


def is_told(ahead: LookAhead, number: int) -> bool:
    return ahead.find(USER, DIRECTORY, name(number)) is not None


def test_what_is_forgotten_or_learnt_is_told_no_more() -> None:
    ahead = LookAhead()
    ahead.take(USER, DIRECTORY, ask(ahead), entries(6, 16))
    ahead.forget(107, 108)
    ahead.learn(109)
    # Of the directory itself something is known: what is in it stays as it was.
    ahead.learn(DIRECTORY)
    assert [is_told(ahead, number) for number in (6, 7, 8, 9, 10)] == [True, False, False, False, True]
    ahead.forget(DIRECTORY)
    assert not any(is_told(ahead, number) for number in range(30))


def test_what_is_called_back_is_told_no_more_whatever_stands_there() -> None:
    ahead = LookAhead()
    question = ask(ahead)
    ahead.call_back(DIRECTORY, name(7), 1)
    ahead.call_back(DIRECTORY + 1, name(8), 1)
    ahead.take(USER, DIRECTORY, question, entries(6, 16))
    ahead.call_back(DIRECTORY, name(9), 1)
    ahead.call_back(DIRECTORY + 1, name(11), 110)
    assert [is_told(ahead, number) for number in range(6, 12)] == [True, False, True, False, False, True]


def test_a_walk_that_was_of_no_use_is_tried_again_in_later_passes() -> None:
    program = Program(LookAhead(), size=300)
    for _ in range(10):
        for number in range(0, 300, 40):
            program.look_up(number)
    for number in range(0, 300, 8):
        program.look_up(number)
    found = [sum(program.look_up(number) for number in range(300)) for _ in range(8)]
    assert found[-1] > 280


def test_what_is_forgotten_while_it_is_asked_for_is_not_taken() -> None:
    ahead = LookAhead()
    question = ask(ahead)
    ahead.forget(107)
    ahead.learn(DIRECTORY)
    # Another question is not asked meanwhile.
    assert ahead.ask(USER, DIRECTORY, name(6), 0) is None
    ahead.take(USER, DIRECTORY, question, entries(6, 16))
    assert [is_told(ahead, number) for number in (6, 7, 8)] == [True, False, True]
    ahead = LookAhead()
    question = ask(ahead)
    ahead.forget(DIRECTORY)
    ahead.take(USER, DIRECTORY, question, entries(6, 16))
    assert not any(is_told(ahead, number) for number in range(30))


def expect_void(ahead: LookAhead, question: Question) -> None:
    """Nothing is taken of an answer, though another question to the directory is under way by now."""
    later = ask(ahead)
    ahead.take(USER, DIRECTORY, question, entries(6, 16))
    assert not is_told(ahead, 6)
    ahead.take(USER, DIRECTORY, later, entries(6, 16))
    assert is_told(ahead, 6)


def test_what_was_asked_for_before_the_node_was_away_is_not_taken() -> None:
    ahead = LookAhead()
    question = ask(ahead)
    ahead.forget_all()
    ahead.take(USER, DIRECTORY, question, entries(6, 16))
    assert not is_told(ahead, 6)
    expect_void(ahead, question)


def test_what_was_asked_for_by_a_walk_that_is_forgotten_is_not_taken() -> None:
    ahead = LookAhead()
    question = ask(ahead)
    for directory in range(100, 200):
        ahead.passed(USER, directory, b"name", is_there=True)
    ahead.forget(107)
    expect_void(ahead, question)


def test_a_file_with_several_names_is_not_told_ahead() -> None:
    ahead = LookAhead()
    several = told(200, links=2), told(201, links=2, kind=stat.S_IFDIR), told(202)
    ahead.take(USER, DIRECTORY, ask(ahead), [(name(6 + at), name(6 + at), told) for at, told in enumerate(several)])
    assert [is_told(ahead, number) for number in (6, 7, 8)] == [False, True, True]
