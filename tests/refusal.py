"""What a client is refused with."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, status: int, saying: str = "") -> Iterator[None]:
    """Expect a ClientError with this code and HTTP status, whose message has `saying` in it."""
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    assert saying in response["Error"].get("Message", "")
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
