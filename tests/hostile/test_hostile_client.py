"""Clients that stall, lie, break off and send rubbish: the right error or a clean close, and no part of an object."""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

import pytest

from tests.hostile.socket_client import connect, converse, head, read, status
from tests.served import Node
from tests.signing import UNSIGNED, Raw

TARGET: Final = "/target/k"
CLOSE: Final = {"connection": "close"}
CHUNKED: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED_CHUNKS: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
GIB: Final = 1 << 30


def absent(node: Node) -> None:
    """No object came of it."""
    assert Raw(node).send("HEAD", TARGET).status == 404


def code(answer: bytes) -> str:
    return answer.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


@pytest.mark.parametrize("sent", [b"", b"G", b"PUT /target/k HT", b"PUT /target/k HTTP/1.1\r\nhost: x\r\nx: "])
def test_stalls_in_the_head(hostile: Node, sent: bytes) -> None:
    with connect(hostile) as connection:
        connection.sendall(sent)
        assert status(read(connection)) in {0, 400, 408}


@pytest.mark.parametrize("length", [10, 4 << 20])
@pytest.mark.parametrize("share", [0, 0.5])
def test_stalls_in_the_body(hostile: Node, length: int, share: float) -> None:
    with connect(hostile) as connection:
        connection.sendall(head(hostile, TARGET, {}, {"content-length": str(length)}) + bytes(int(length * share)))
        answer = read(connection)
    assert (status(answer), code(answer)) == (400, "RequestTimeout")
    absent(hostile)


@pytest.mark.parametrize("length", [10, 3 << 20])
def test_ends_before_its_length(hostile: Node, length: int) -> None:
    sent = head(hostile, TARGET, {}, CLOSE | {"content-length": str(length)}) + bytes(length - 1)
    answer = converse(hostile, sent, ends=True)
    assert status(answer) == 0 or code(answer) == "IncompleteBody"
    absent(hostile)


def test_goes_on_after_its_length(hostile: Node) -> None:
    sent = head(hostile, "/absent-bucket/k", {}, {"content-length": "3"}) + b"abc" + b"more than was said" * 10
    answer = converse(hostile, sent)
    assert code(answer) == "NoSuchBucket"
    assert answer.count(b"HTTP/1.1 ") <= 2
    absent(hostile)


def test_more_than_may_be_put(hostile: Node) -> None:
    for expect in ({}, {"expect": "100-continue"}):
        sent = head(hostile, TARGET, {}, CLOSE | {"content-length": str(5 * GIB + 1)} | expect)
        answer = converse(hostile, sent)
        assert (status(answer), code(answer)) == (400, "EntityTooLarge")
    decoded = {"x-amz-decoded-content-length": str(5 * GIB + 1), "x-amz-trailer": "x-amz-checksum-crc32"}
    answer = converse(hostile, head(hostile, TARGET, decoded, CLOSE | {"content-length": str(6 * GIB)}, CHUNKED))
    assert (status(answer), code(answer)) == (400, "EntityTooLarge")


@pytest.mark.parametrize("length", ["-1", "x", "1, 2", "18446744073709551616", "0x10", "1e3", ""])
def test_no_length(hostile: Node, length: str) -> None:
    answer = converse(hostile, head(hostile, TARGET, {}, CLOSE | {"content-length": length}) + b"abc", ends=True)
    assert status(answer) in {0, 400, 411}
    absent(hostile)


def test_length_and_chunks_at_once(hostile: Node) -> None:
    both = CLOSE | {"content-length": "3", "transfer-encoding": "chunked"}
    answer = converse(hostile, head(hostile, TARGET, {}, both) + b"3\r\nabc\r\n0\r\n\r\n", ends=True)
    assert status(answer) in {0, 400, 411}
    absent(hostile)


@pytest.mark.parametrize("count", [101, 10_000])
def test_too_many_headers(hostile: Node, count: int) -> None:
    answer = converse(hostile, head(hostile, TARGET, {}, CLOSE | {f"x-{number}": "1" for number in range(count)}))
    assert status(answer) in {0, 400, 431}
    absent(hostile)


def test_a_huge_url(hostile: Node) -> None:
    for length in (10_000, 70_000, 5_000_000):
        answer = converse(
            hostile, f"GET /target/{'k' * length} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
        )
        assert status(answer) in {0, 400, 403, 414, 431}


@pytest.mark.parametrize("number", range(20))
def test_rubbish(hostile: Node, number: int) -> None:
    rubbish = [
        os.urandom(1 << number % 16),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"\r\n" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
    answer = converse(hostile, rubbish[number % 4] + os.urandom(100), ends=True)
    assert b" 200 " not in answer[:20]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0\r\n\r\n",
        b"zz\r\nabc",
        b"3\r\nabc",
        b"3\r\nabcX\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\nabc",
        b"ffffffffzz\r\nabc",
        b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"4\r\nabcd\r\n0\r\nx-amz-checksum-crc32:7YLNEQ==\r\n\r\n",
        b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:" + b"A" * 100_000 + b"\r\n\r\n",
        b"3;" + b"x" * 100_000 + b"\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_broken_chunks(hostile: Node, body: bytes) -> None:
    headers = {
        "x-amz-decoded-content-length": "3",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
    }
    answer = converse(
        hostile, head(hostile, TARGET, headers, CLOSE | {"content-length": str(len(body))}, CHUNKED) + body
    )
    assert 400 <= status(answer) < 500, answer[:500]
    absent(hostile)


@pytest.mark.parametrize("size", [3, 2 << 20])
def test_a_broken_chunk_signature(hostile: Node, size: int) -> None:
    body = b"%x;chunk-signature=%s\r\n%s\r\n0;chunk-signature=%s\r\n\r\n" % (size, b"0" * 64, bytes(size), b"0" * 64)
    headers = {"x-amz-decoded-content-length": str(size), "content-encoding": "aws-chunked"}
    answer = converse(
        hostile, head(hostile, TARGET, headers, CLOSE | {"content-length": str(len(body))}, SIGNED_CHUNKS) + body
    )
    assert (status(answer), code(answer)) == (403, "SignatureDoesNotMatch")
    absent(hostile)


def test_a_document_with_a_key_beyond_measure(tmp_path: Path) -> None:
    """On a node of its own: it must live on."""
    node = Node(tmp_path / "data")
    node.start()
    try:
        raw = Raw(node)
        raw.send("PUT", "/target")
        for length in (1025, 70_000, 1 << 20, 5 << 20):
            document = b"<Delete><Object><Key>" + b"k" * length + b"</Key></Object></Delete>"
            answer = raw.send("POST", "/target?delete", {"x-amz-checksum-sha256": _sha256(document)}, document)
            assert answer.code in {"KeyTooLongError", "MalformedXML", "MaxMessageLengthExceeded"}, length
            assert raw.send("PUT", TARGET, {}, b"1").status == 200
    finally:
        if node.process is not None:
            node.kill()


def _sha256(body: bytes) -> str:
    import base64
    import hashlib

    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def _descriptors(node: Node, *, sockets: bool = True) -> int:
    """Open sockets, or everything else that is open."""
    links = [_link(path) for path in Path(f"/proc/{node.pid}/fd").iterdir()]
    return sum(link.startswith("socket:") == sockets for link in links)


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:
        return ""


def _resident(node: Node) -> int:
    """Resident memory in KiB."""
    lines = Path(f"/proc/{node.pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_nothing_leaks(hostile: Node) -> None:
    def offend(number: int) -> None:
        with connect(hostile) as connection:
            size = (10, 3 << 20, 100_000, 12 << 20)[number % 4]
            sent = head(hostile, TARGET, {}, {"content-length": str(size)}) + bytes(size // 2)
            with contextlib.suppress(OSError):
                connection.sendall(sent[: number % 50 + 1] if number % 5 == 4 else sent)

    def settled() -> int:
        deadline = time.monotonic() + 20
        least = _descriptors(hostile)
        while time.monotonic() < deadline:
            time.sleep(0.5)
            least, before = min(least, _descriptors(hostile)), least
            if least == before:
                break
        return least

    # As much as is measured, so that what is only kept for the next request is there before.
    for number in range(200):
        offend(number)
    descriptors, memory = settled(), _resident(hostile)
    files = _descriptors(hostile, sockets=False)
    for number in range(200):
        offend(number)
    assert settled() <= descriptors + 2
    # Shards of the open stream segment and journals come and go; files of every request would be 400.
    assert _descriptors(hostile, sockets=False) <= files + 160
    assert _resident(hostile) <= memory + 64 * 1024
    absent(hostile)
    assert Raw(hostile).send("GET", "/target", digest=UNSIGNED).status == 200
