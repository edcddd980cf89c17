"""What is asked for ahead of look-ups in order, told once, and not told any more once it was changed."""

import stat
from collections.abc import Sequence

from fuse.attributes import Told
from fuse.look_ahead import LookAhead

USER, DIRECTORY = 1000, 7
Entries = Sequence[tuple[bytes, bytes, Told]]


def name(number: int) -> bytes:
    return b"%06d" % number


def told(inode: int, links: int = 1, kind: int = stat.S_IFREG) -> Told:
    return inode, kind | 0o644, links, 0, 0, 10, 0, 0, 0, 0


def entries(first: int, count: int) -> Entries:
    return [(name(number), name(number), told(100 + number)) for number in range(first, first + count)]


class Program:
    """Looks up the names of a directory of many files."""

    def __init__(self, ahead: LookAhead, *, size: int = 100_000) -> None:
        self.ahead = ahead
        self.size = size
        self.asked: list[tuple[int, int]] = []

    def look_up(self, number: int, *, is_there: bool = True) -> bool:
        """Whether it was told ahead."""
        if found := self.ahead.find(USER, DIRECTORY, name(number)):
            assert found[0][0] == 100 + number
            return True
        behind = self.ahead.begin(USER, DIRECTORY, name(number), 5)
        self.ahead.passed(USER, DIRECTORY, name(number), is_there=is_there)
        if behind:
            self.asked.append((number, behind))
            count = min(behind, self.size - number - 1)
            self.ahead.take(USER, DIRECTORY, entries(number + 1, count))
        return False


def test_names_in_a_row_are_asked_for_ahead_and_more_of_them_as_they_are_of_use() -> None:
    program = Program(LookAhead())
    found = [program.look_up(number) for number in range(1000)]
    assert program.asked == [(4, 16), (21, 32), (54, 64), (119, 128), (248, 256), (505, 256), (762, 256)]
    assert found.count(False) == 4 + len(program.asked)


def test_the_changes_that_were_known_of_are_told_with_it_and_each_is_told_once() -> None:
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
    gaps = [(second - first) // 40 for (first, _), (second, _) in zip(program.asked, program.asked[1:], strict=False)]
    assert gaps == [9, 17, 33, 65, 129, 257]
    assert {behind for _, behind in program.asked} == {16}


def test_names_that_are_not_there_are_no_reason_to_ask() -> None:
    program = Program(LookAhead())
    for number in range(500):
        program.look_up(number, is_there=False)
    assert program.asked == []


def test_at_the_end_of_a_directory_nothing_is_there() -> None:
    program = Program(LookAhead(), size=5)
    assert [program.look_up(number) for number in range(5)] == [False] * 5
    assert [program.look_up(number) for number in range(5)] == [False] * 5


def ask(ahead: LookAhead) -> None:
    """Ask for the names behind the fifth."""
    for number in range(4):
        ahead.passed(USER, DIRECTORY, name(number), is_there=True)
    assert ahead.begin(USER, DIRECTORY, name(4), 0) == 16


def is_told(ahead: LookAhead, number: int) -> bool:
    return ahead.find(USER, DIRECTORY, name(number)) is not None


def test_what_is_forgotten_is_told_no_more() -> None:
    ahead = LookAhead()
    ask(ahead)
    ahead.take(USER, DIRECTORY, entries(5, 16))
    ahead.forget(106, 107)
    assert [is_told(ahead, number) for number in (5, 6, 7, 8)] == [True, False, False, True]
    ahead.forget(DIRECTORY)
    assert not any(is_told(ahead, number) for number in range(30))


def test_what_is_forgotten_while_it_is_asked_for_is_not_taken() -> None:
    ahead = LookAhead()
    ask(ahead)
    ahead.forget(106)
    # Another question is not asked meanwhile.
    assert ahead.begin(USER, DIRECTORY, name(5), 0) == 0
    ahead.take(USER, DIRECTORY, entries(5, 16))
    assert [is_told(ahead, number) for number in (5, 6, 7)] == [True, False, True]
    ahead = LookAhead()
    ask(ahead)
    ahead.forget(DIRECTORY)
    ahead.take(USER, DIRECTORY, entries(5, 16))
    assert not any(is_told(ahead, number) for number in range(30))


def test_a_file_with_several_names_is_not_told_ahead() -> None:
    ahead = LookAhead()
    ask(ahead)
    several = told(200, links=2), told(201, links=2, kind=stat.S_IFDIR), told(202)
    ahead.take(USER, DIRECTORY, [(name(5 + at), name(5 + at), told) for at, told in enumerate(several)])
    assert [is_told(ahead, number) for number in (5, 6, 7)] == [False, True, True]


def test_as_many_walks_are_kept_as_are_searched_for_what_changes() -> None:
    ahead = LookAhead()
    ask(ahead)
    for directory in range(100, 200):
        ahead.passed(USER, directory, b"name", is_there=True)
    # It is another walk by now, or none.
    ahead.take(USER, DIRECTORY, entries(5, 16))
    assert not is_told(ahead, 5)
