"""A verification is told as it goes, runs once at a time, and ends when nobody waits for it or the node stops."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import pytest

from appliance.errors import OperatorError
from appliance.health import Health
from appliance.node import Node, Progress
from gateway.control.documents import VerifyDocument, VerifyEvent
from gateway.control.verification import Verification


class WalkedNode:
    """Stands in for a node whose walk over five segments the test drives, one permit a segment."""

    def __init__(self) -> None:
        """Serving, with nothing permitted yet."""
        self.health = Health()
        self.health.state = "serving"
        self.permits = threading.Semaphore(0)
        self.ended = threading.Event()
        self.fault: Exception | None = None

    def verify(self, sample: float, progress: Progress) -> VerifyDocument:
        """Walk; end early with what `progress` raises, as the engine does."""
        assert 0 < sample <= 1
        try:
            for done in range(1, 6):
                assert self.permits.acquire(timeout=30)
                if self.fault is not None:
                    raise self.fault
                progress(done, 5)
        finally:
            self.ended.set()
        return VerifyDocument(segments=5, records=50, bytes=500, faults=["rot"], lost=[])


@pytest.fixture
def node() -> WalkedNode:
    return WalkedNode()


@pytest.fixture
def verification(node: WalkedNode) -> Verification:
    return Verification(cast("Node", node))


async def events(lines: AsyncIterator[str]) -> list[VerifyEvent]:
    return [VerifyEvent.model_validate_json(line) async for line in lines]


def test_progress_then_the_report(node: WalkedNode, verification: Verification) -> None:
    async def ask() -> list[VerifyEvent]:
        node.permits.release(5)
        return await events(verification.start(1.0))

    told = asyncio.run(ask())
    assert [(event.done, event.total) for event in told[:-1]] == [(done, 5) for done in range(1, 6)]
    assert told[-1].report is not None
    assert told[-1].report.faults == ["rot"]


def test_one_at_a_time(node: WalkedNode, verification: Verification) -> None:
    async def ask() -> None:
        first = verification.start(1.0)
        with pytest.raises(OperatorError, match="running already"):
            verification.start(1.0)
        node.permits.release(10)
        await events(first)
        await events(verification.start(0.5))

    asyncio.run(ask())


def test_it_ends_when_the_asker_goes(node: WalkedNode, verification: Verification) -> None:
    async def ask() -> None:
        lines = cast("AsyncGenerator[str]", verification.start(1.0))
        node.permits.release()
        await anext(lines)
        await lines.aclose()
        node.permits.release()
        assert await asyncio.to_thread(node.ended.wait, 30)

    asyncio.run(ask())
    assert not node.permits.acquire(blocking=False)


def test_it_ends_when_the_node_stops(node: WalkedNode, verification: Verification) -> None:
    async def ask() -> list[VerifyEvent]:
        lines = verification.start(1.0)
        node.health.state = "draining"
        node.permits.release()
        return await events(lines)

    assert [event.fault for event in asyncio.run(ask())] == ["the node stopped before the verification ended"]


@pytest.mark.parametrize(
    ("fault", "told"), [(OperatorError("mount it"), "mount it"), (ValueError("bug"), "verification failed: bug")]
)
def test_a_fault_is_the_last_line(node: WalkedNode, verification: Verification, fault: Exception, told: str) -> None:
    async def ask() -> list[VerifyEvent]:
        node.fault = fault
        node.permits.release()
        return await events(verification.start(1.0))

    assert [event.fault for event in asyncio.run(ask())] == [told]
