"""What a bucket with object lock owes: every version that was acknowledged, and none that was ended.

Concurrency: each key is written by one thread; the ledger itself is locked.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.crash.ledger import State

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCKED: Final = "locked"
MARKER: Final = State("delete marker")


@dataclass
class Versions:
    """Per key the versions by id, oldest first, and which are held.

    Besides, what requests without an answer may have added, held or not, or ended.
    """

    kept: dict[str, dict[str, State]] = field(default_factory=lambda: defaultdict(dict))
    held: set[str] = field(default_factory=set)
    maybe_added: dict[str, tuple[State, bool]] = field(default_factory=dict)
    maybe_ended: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def adding(self, key: str, state: State, *, held: bool = False) -> Iterator[Callable[[str], None]]:
        """Around a request that makes a version; what is yielded must be told its id."""

        def name(version: str) -> None:
            with self._lock:
                del self.maybe_added[key]
                self.kept[key][version] = state
                self.held.update([version] * held)

        with self._lock:
            self.maybe_added[key] = state, held
        yield name

    @contextmanager
    def ending(self, key: str, version: str) -> Iterator[None]:
        """Around a request that ends a version."""
        with self._lock:
            self.maybe_ended.add(version)
        yield
        with self._lock:
            self.maybe_ended.remove(version)
            del self.kept[key][version]

    def settle(self, client: "S3Client") -> list[str]:
        """Read every version back; return what is wrong. What was in doubt is as it was found from then on."""
        listed, latest = listing(client)
        faults = []
        for key in sorted(self.kept.keys() | listed.keys()):
            kept, found = self.kept[key], listed[key]
            for version in kept.keys() - found.keys():
                if version not in self.maybe_ended:
                    faults.append(f"{key} {version}: is gone, owed {kept[version]}")
                del kept[version]
            for version in found.keys() - kept.keys():
                if (doubted := self.maybe_added.pop(key, None)) is None:
                    faults.append(f"{key} {version}: nobody made it, or it came back")
                else:
                    kept[version], held = doubted
                    self.held.update([version] * held)
            faults += [f"{key} {version}: {fault}" for version, fault in compare(client, key, kept, found)]
            if latest.get(key) != next(reversed(kept), None):
                faults.append(f"{key}: {latest.get(key)} is said to be the latest of {list(kept)}")
        self.maybe_added.clear()
        self.maybe_ended.clear()
        return faults


def listing(client: "S3Client") -> tuple[dict[str, dict[str, int | None]], dict[str, str]]:
    """Per key the size of each version, none for delete markers; and which is the latest."""
    listed: dict[str, dict[str, int | None]] = defaultdict(dict)
    latest = {}
    for page in client.get_paginator("list_object_versions").paginate(Bucket=LOCKED):
        for entry in page.get("Versions", []):
            listed[entry["Key"]][entry["VersionId"]] = entry["Size"]
        for marker in page.get("DeleteMarkers", []):
            listed[marker["Key"]][marker["VersionId"]] = None
        for either in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if either["IsLatest"]:
                latest[either["Key"]] = either["VersionId"]
    return listed, latest


def compare(
    client: "S3Client", key: str, kept: dict[str, State], found: dict[str, int | None]
) -> Iterator[tuple[str, str]]:
    """Which versions aren't what they must be."""
    for version, state in kept.items():
        size = found.get(version)
        if (size is None) != (state == MARKER):
            yield version, f"is listed with size {size}, owed {state}"
        elif size is not None:
            try:
                body = client.get_object(Bucket=LOCKED, Key=key, VersionId=version)["Body"].read()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                yield version, repr(error)
            else:
                if State.of(body) != state or size != state.size:
                    yield version, f"found {State.of(body)}, listed with size {size}, owed {state}"
