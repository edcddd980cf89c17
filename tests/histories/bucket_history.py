"""What every rule of a history has: a bucket on a node, its model, and what keys and bodies there are."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.histories.model import NULL, Bucket
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NUMBERS: Final = itertools.count()


class Body(bytes):
    """Bytes that are told by their number: every step of every history keeps its text."""

    def __repr__(self) -> str:
        """How many."""
        return f"{len(self)} bytes"


ALL_KEYS: Final = ("a", "b", "d/é", "d/f")
KEYS: Final = st.sampled_from(ALL_KEYS)
# Small ones lie in the journal, the large one in a stream.
BODIES: Final = st.sampled_from([Body(), Body(b"tick"), Body(b"quote\n" * 900), Body(1_300_000)])
# Whatever version of a key is meant: one in the model by its place, or one that never was.
PLACES: Final = st.integers(min_value=0, max_value=4)


def code(call: Callable[..., Any], **arguments: Any) -> str | None:
    """What a call is refused with; None where it isn't."""
    try:
        call(**arguments)
    except ClientError as fault:
        return str(fault.response["Error"]["Code"])
    return None


class BucketHistory(RuleBasedStateMachine):
    """One bucket, and the model of it."""

    node: ClassVar[Node]
    s3: ClassVar["S3Client"]

    def __init__(self) -> None:
        """Nothing yet: a history begins by making the bucket."""
        super().__init__()
        self.bucket = f"history-{next(_NUMBERS)}"
        self.model = Bucket(locks=False)

    def at(self, key: str) -> Any:
        """The arguments that name a key."""
        return {"Bucket": self.bucket, "Key": key}

    def version_of(self, answer: Any) -> str:
        """The id of what was written; answers tell none where versions were never kept."""
        return str(answer.get("VersionId", NULL))

    def some(self, key: str, place: int) -> str:
        """The id of a version of the key, or of none."""
        held = self.model.keys.get(key, [])
        return held[place].id if place < len(held) else NULL if place % 2 else "0" * 15 + "1" + "0" * 16
