"""Several pools: what is moved between them can be read all the while, and a kill in between loses nothing."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.served import Node

SETTINGS: Final = {
    "PACKSTONE_ENGINE__JOURNAL_SIZE": "1 MiB",
    "PACKSTONE_ENGINE__STREAM_SIZE": "16 MiB",
    "PACKSTONE_ENGINE__SPACE_RESERVE": "0",
}
_PATIENCE: Final = 60


def pool(folder: Path, name: str, drive_class: str, profile: str, drives: int) -> dict[str, Any]:
    """A pool as the configuration has it, with its directories made."""
    places = [folder / f"{name}{number}" for number in range(drives)]
    for place in places:
        place.mkdir()
    return {"name": name, "class": drive_class, "profile": profile, "drives": [str(place) for place in places]}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node with a fast and a slow pool."""
    pools = [pool(tmp_path, "fast", "ssd", "2+1", 3), pool(tmp_path, "slow", "hdd", "3+2", 5)]
    made = Node(tmp_path / "data", SETTINGS | {"PACKSTONE_POOLS": json.dumps(pools)})
    made.command("init", "--confirm-time")
    made.start()
    made.client().create_bucket(Bucket="ticks")
    yield made
    made.close()
    assert "panicked" not in made.log()


def held(node: Node) -> dict[str, int]:
    """Bytes that live in each pool."""
    pools = [json.loads(line) for line in node.command("pool", "show", "--json").splitlines()]
    return {pool["name"]: pool["bytes"] - pool["dead"] for pool in pools}


def wait_until(holds: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def bodies(prefix: str) -> dict[str, bytes]:
    """Small objects that don't compress away, and a large one."""
    small = {f"{prefix}/{number}": f"{prefix} {number * 7919}\n".encode() * 400 for number in range(100)}
    return small | {f"{prefix}/large": bytes((number * 7 + len(prefix)) % 251 for number in range(3_000_000))}


def test_a_prefix_is_moved_under_load_and_a_kill_in_between(node: Node) -> None:
    s3 = node.client()
    stored = bodies("2020") | bodies("2026")
    for key, body in stored.items():
        s3.put_object(Bucket="ticks", Key=key, Body=body)
    node.command("seal")
    assert held(node)["slow"] == 0
    node.command("pool", "move", "ticks/2020/", "slow", "--detach")
    node.kill()
    node.start()
    s3 = node.client()
    stop = threading.Event()
    wrong: list[str] = []

    def read() -> None:
        client = node.client()
        while not stop.is_set():
            for key in ("2020/1", "2020/large", "2026/1", "2020/99"):
                body = client.get_object(Bucket="ticks", Key=key)["Body"].read()
                wrong.extend([key] * (body != stored[key]))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        told = node.command("pool", "move", "ticks/2020/", "slow")
    finally:
        stop.set()
        reader.join()
    assert "ticks/2020/: is kept in pool slow" in told
    assert wrong == []
    assert held(node)["slow"] > 3_000_000
    assert "2020/" in node.command("pool", "rules", "ticks")
    assert "0 B to be moved" in node.command("pool", "show")
    for key, body in stored.items():
        assert s3.get_object(Bucket="ticks", Key=key)["Body"].read() == body, key
    assert node.command("verify", code=0)
    node.close()
    node.command("rebuild-index")
    node.start()
    for key, body in stored.items():
        assert node.client().get_object(Bucket="ticks", Key=key)["Body"].read() == body, key
    node.command("pool", "move", "ticks/2020/", "--by-class")
    assert held(node)["slow"] == 0


def test_what_the_operator_gets_wrong_is_told(node: Node) -> None:
    for arguments, told in [
        (("move", "ticks", "tape"), "there is no pool of that name"),
        (("move", "absent", "slow"), "there is no bucket absent"),
        (("move", "ticks"), "name a pool, or say --by-class"),
        (("create", "tape"), "is no pool of the configuration"),
        (("create", "slow"), "has all its drives already"),
        (("rules", "absent"), "there is no bucket absent"),
    ]:
        assert told in node.command("pool", *arguments, code=1), arguments


def test_a_pool_is_made_while_the_node_runs(tmp_path: Path) -> None:
    first = pool(tmp_path, "fast", "ssd", "2+1", 3)
    node = Node(tmp_path / "data", SETTINGS | {"PACKSTONE_POOLS": json.dumps([first])})
    node.command("init", "--confirm-time")
    node.start()
    s3 = node.client()
    s3.create_bucket(Bucket="ticks")
    stored = bodies("cold")
    for key, body in stored.items():
        s3.put_object(Bucket="ticks", Key=key, Body=body, StorageClass="DEEP_ARCHIVE")
    node.command("seal")
    second = pool(tmp_path, "slow", "hdd", "3+2", 5)
    node.settings["PACKSTONE_POOLS"] = json.dumps([second, first])
    assert "slow: hdd, profile 3+2, 5 drives taken in" in node.command("pool", "create", "slow")
    total = sum(held(node).values())
    wait_until(lambda: held(node)["slow"] == total, lambda: held(node))
    for key, body in stored.items():
        assert s3.get_object(Bucket="ticks", Key=key)["Body"].read() == body, key
    node.kill()
    node.start()
    assert held(node)["slow"] == total
    for key, body in stored.items():
        assert node.client().get_object(Bucket="ticks", Key=key)["Body"].read() == body, key
    node.close()
