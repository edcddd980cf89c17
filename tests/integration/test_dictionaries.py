"""Tick files over S3: dictionaries come by themselves, and what they made small comes back whole."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from perf.ticks import Feed, File
from tests.served import Node

ENOUGH = 3000
"""Files after which each kind has been sampled enough by the whole bucket's families."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "data")
    node.initialise("2+1", [tmp_path / f"drive{number}" for number in range(3)])
    yield node
    node.close()


def metric(node: Node, name: str, compression: str = "") -> float:
    families = text_string_to_metric_families(httpx.get(f"{node.control}/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if compression in ("", sample.labels.get("compression")))


def put(node: Node, files: Iterable[File]) -> None:
    client = node.client()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: client.put_object(Bucket="ticks", Key=file.key, Body=file.body), files))


def check(node: Node, files: Iterable[File]) -> None:
    client = node.client()

    def read(file: File) -> bool:
        return client.get_object(Bucket="ticks", Key=file.key)["Body"].read() == file.body

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, files))


def test_dictionaries_come_by_themselves_and_everything_reads_through_them(node: Node) -> None:
    node.start()
    client = node.client()
    client.create_bucket(Bucket="ticks")
    feed = Feed(7)
    first = list(feed.files(ENOUGH))
    put(node, first)
    deadline = time.monotonic() + 60
    while metric(node, "packstone_dictionaries") < 1:
        assert time.monotonic() < deadline, "no dictionary was trained"
        time.sleep(0.1)
    second = list(feed.files(300))
    put(node, second)
    sent, stored = (
        metric(node, f"packstone_small_object_{what}_total", "dictionary") for what in ("bytes", "stored_bytes")
    )
    assert 0 < stored < sent / 3
    check(node, [*first[::10], *second])

    file = second[0]
    client.copy_object(Bucket="ticks", Key="copy", CopySource=f"ticks/{file.key}")
    client.rename_object(Bucket="ticks", Key="renamed", RenameSource=f"/ticks/{second[1].key}")
    check(node, [File("copy", file.body), File("renamed", second[1].body)])
    ranged = client.get_object(Bucket="ticks", Key=file.key, Range="bytes=100-199")
    assert ranged["Body"].read() == file.body[100:200]

    node.command("seal")
    node.kill()
    node.command("rebuild-index")
    node.start()
    assert metric(node, "packstone_dictionaries") >= 1
    check(node, [*first[::10], second[0], *second[2:], File("renamed", second[1].body)])
    node.command("verify")


def test_a_node_can_do_without(node: Node) -> None:
    node.settings = {"PACKSTONE_ENGINE__DICTIONARIES": "false"}
    node.start()
    node.client().create_bucket(Bucket="ticks")
    files = list(Feed(7).files(ENOUGH))
    put(node, files)
    time.sleep(2)
    assert metric(node, "packstone_dictionaries") == 0
    check(node, files[::50])
