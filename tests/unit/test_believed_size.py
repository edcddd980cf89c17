"""Sizes that a kernel believes: another one is another generation, and never what the kernel made itself."""

from fuse.believed_size import BelievedSizes

FILE = 7


def test_what_the_kernel_wrote_is_what_it_believes() -> None:
    sizes = BelievedSizes(by_itself=True)
    assert sizes.generation(FILE, 0) == 0
    sizes.begin_writing(FILE, 0)
    sizes.wrote(FILE, 100)
    sizes.wrote(FILE, 50)
    # The node may not have all of it yet.
    assert not sizes.judge(FILE, 40, sizes.now)
    sizes.end_writing(FILE)
    assert not sizes.judge(FILE, 100, sizes.now)
    sizes.resized(FILE, 10)
    assert not sizes.judge(FILE, 10, sizes.now)
    assert sizes.generation(FILE, 10) == 0


def test_another_size_is_another_generation_once() -> None:
    sizes = BelievedSizes(by_itself=True)
    sizes.generation(FILE, 100)
    assert sizes.judge(FILE, 40, sizes.now)
    assert sizes.generation(FILE, 40) == 1
    assert not sizes.judge(FILE, 40, sizes.now)
    sizes.forget(FILE)
    assert sizes.generation(FILE, 40) == 1, "the kernel may know the first one still"


def test_an_answer_that_was_on_its_way_while_it_was_written_says_nothing() -> None:
    sizes = BelievedSizes(by_itself=True)
    sizes.generation(FILE, 100)
    asked = sizes.now
    sizes.begin_writing(FILE, 100)
    sizes.wrote(FILE, 300)
    sizes.end_writing(FILE)
    assert not sizes.judge(FILE, 100, asked)
    assert not sizes.judge(FILE, 300, sizes.now)


def test_one_that_is_forgotten_begins_anew() -> None:
    sizes = BelievedSizes(by_itself=True)
    sizes.generation(FILE, 100)
    sizes.forget(FILE)
    assert not sizes.judge(FILE, 40, sizes.now)
    assert sizes.generation(FILE, 40) == 0
    sizes.begin_writing(FILE, 40)
    sizes.forget(FILE)
    sizes.end_writing(FILE)
    assert sizes.judge(FILE, 20, sizes.now), "it was open"


def test_of_a_kernel_that_believes_the_node_nothing_is_kept() -> None:
    sizes = BelievedSizes(by_itself=False)
    sizes.begin_writing(FILE, 40)
    assert sizes.generation(FILE, 100) == 0
    sizes.end_writing(FILE)
    assert not sizes.judge(FILE, 20, sizes.now)
