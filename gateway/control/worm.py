"""What is locked until when, told line by line: a bucket may hold more versions than fit in memory."""

from collections.abc import Iterator

import packstone_engine

from appliance.errors import OperatorError
from appliance.node import Node
from gateway.control.documents import LockableDocument, LockedDocument, WormEvent


def report(node: Node) -> Iterator[str]:
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
