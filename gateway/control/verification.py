"""A verification under way, told line by line to whoever asked for it.

Concurrency: the engine's walk runs in a thread of its own and hands its events to the asking event loop. It ends early
when the asker goes away or the node stops, by an exception that the progress call-back raises.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator

from appliance.errors import OperatorError
from appliance.node import Node
from gateway.control.documents import VerifyDocument, VerifyEvent

_log = logging.getLogger(__name__)


class _AbandonedError(Exception):
    """Nobody waits for the verification any more."""


class Verification:
    """Runs at most one verification of a node at a time."""

    def __init__(self, node: Node) -> None:
        """Nothing runs yet."""
        self._node = node
        self._running = threading.Lock()

    def start(self, sample: float) -> AsyncIterator[str]:
        """Begin to check the share `sample` of segments, 0 < sample <= 1; yield `VerifyEvent`s as lines of JSON.

        Raises OperatorError when a verification is running already. To be called on an event loop.
        """
        if not self._running.acquire(blocking=False):
            raise OperatorError("a verification is running already: wait for it to end")
        events: asyncio.Queue[VerifyEvent] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        abandoned = threading.Event()

        def tell(event: VerifyEvent) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        def progress(done: int, total: int) -> None:
            if abandoned.is_set() or self._node.health.state != "serving":
                raise _AbandonedError
            tell(VerifyEvent(done=done, total=total))

        def walk() -> None:
            try:
                report = self._node.verify(sample, progress)
                last = VerifyEvent(report=VerifyDocument.model_validate(report))
            except _AbandonedError:
                last = VerifyEvent(fault="the node stopped before the verification ended")
            except OperatorError as fault:
                last = VerifyEvent(fault=str(fault))
            except Exception as fault:  # noqa: BLE001 - told to the asker, with the traceback in the log
                _log.exception("verification failed")
                last = VerifyEvent(fault=f"verification failed: {fault}")
            finally:
                self._running.release()
            if not loop.is_closed():
                tell(last)

        threading.Thread(target=walk, name="verification", daemon=True).start()
        return _lines(events, abandoned)


async def _lines(events: asyncio.Queue[VerifyEvent], abandoned: threading.Event) -> AsyncIterator[str]:
    try:
        while True:
            event = await events.get()
            yield event.model_dump_json(exclude_none=True) + "\n"
            if event.report is not None or event.fault is not None:
                return
    finally:
        abandoned.set()
