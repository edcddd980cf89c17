"""What a store owes: the state of every key that was acknowledged, and what may have happened besides.

Concurrency: each key is written by one thread, so its operations are in order; the ledger itself is locked.
"""

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET: Final = "crash"


def contents(seed: int, size: int) -> bytes:
    """Bytes that come again for the same seed and size; every third content compresses."""
    if seed % 3 == 0:
        line = f"{seed:016x};AAPL;229.87;100;\n".encode()
        return (line * (size // len(line) + 1))[:size]
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class State:
    """An object as it must be found; `digest` is None for an absent one."""

    digest: str | None = None
    size: int = 0

    @classmethod
    def of(cls, body: bytes) -> "State":
        """The state of an object with this body."""
        return cls(hashlib.sha256(body).hexdigest(), len(body))


ABSENT: Final = State()


@dataclass
class Ledger:
    """Every key's acknowledged state, and the states that operations without an answer may have left."""

    acknowledged: dict[str, State] = field(default_factory=dict)
    possible: dict[str, set[State]] = field(default_factory=dict)
    answers: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def change(self, key: str, after: State) -> Iterator[None]:
        """Around a request: if it raises, the key may be in either state."""
        with self._lock:
            self.possible.setdefault(key, set()).add(after)
        yield
        with self._lock:
            self.possible.pop(key)
            self.acknowledged[key] = after
            self.answers += 1

    def settle(self, client: "S3Client") -> list[str]:
        """Read everything back; return what is wrong. From then on each key stays in the state it was found in."""
        listed = {
            entry["Key"]: entry["Size"]
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
            for entry in page.get("Contents", [])
        }
        keys = sorted(self.acknowledged.keys() | self.possible.keys() | listed.keys())
        with ThreadPoolExecutor(8) as pool:
            found = dict(zip(keys, pool.map(lambda key: read(client, key), keys), strict=True))
        faults = []
        for key, state in found.items():
            allowed = {self.acknowledged.get(key, ABSENT)} | self.possible.get(key, set())
            if isinstance(state, str):
                faults.append(f"{key}: {state}, owed {allowed}")
            elif state not in allowed:
                faults.append(f"{key}: found {state}, owed {allowed}")
            elif listed.get(key) != (None if state == ABSENT else state.size):
                faults.append(f"{key}: listed as {listed.get(key)}, read as {state}")
            else:
                self.acknowledged[key] = state
        self.possible.clear()
        return faults


def read(client: "S3Client", key: str) -> State | str:
    """The state of `key`, or what went wrong."""
    try:
        answer = client.get_object(Bucket=BUCKET, Key=key)
        return State.of(answer["Body"].read())
    except ClientError as error:
        return ABSENT if error.response["Error"]["Code"] == "NoSuchKey" else repr(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return repr(error)
