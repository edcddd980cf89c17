"""What is locked until when, told line by line: a bucket may hold more versions than fit in memory; and the ledger."""

from collections.abc import Iterator
from typing import Annotated

import packstone_engine
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from appliance.errors import OperatorError
from appliance.node import Node
from gateway.control.documents import LedgerDocument, LockableDocument, LockedDocument, WormEvent


def worm_routes(node: Node) -> APIRouter:
    """What may not end, and who loosened what held it."""
    routes = APIRouter(prefix="/worm")

    @routes.get("")
    def worm() -> StreamingResponse:
        return StreamingResponse(_report(node), media_type="application/x-ndjson")

    @routes.get("/ledger")
    def ledger(after: Annotated[int, Query(ge=0, lt=2**63)] = 0) -> LedgerDocument:
        return LedgerDocument.model_validate({"events": node.worm_ledger(after)})

    return routes


def _report(node: Node) -> Iterator[str]:
    """`WormEvent`s as lines of JSON: each bucket with object lock, then its versions that may not end.

    Whoever reads it knows that it is complete by its last line alone.
    """
    for event in _events(node):
        yield event.model_dump_json(exclude_unset=True) + "\n"


def _events(node: Node) -> Iterator[WormEvent]:
    try:
        for bucket in node.lockable_buckets():
            yield WormEvent(bucket=LockableDocument.model_validate(bucket))
            for version in node.locked(bucket.name):
                yield WormEvent(version=LockedDocument.model_validate(version))
    except (OperatorError, packstone_engine.EngineError) as fault:
        yield WormEvent(fault=str(fault))
    else:
        yield WormEvent(whole=True)
