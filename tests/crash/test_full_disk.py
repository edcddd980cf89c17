"""A disk that fills up: a clear refusal, nothing lost, deletes still served, and writes that come back."""

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from botocore.exceptions import ClientError

from tests.crash.ledger import State
from tests.served import Node

BUCKET: Final = "full"
SIZES: Final = (4096, 100_000, 900_000, 3 << 20)


def mount(folder: Path) -> bool:
    """Mount 400 MiB of ext4 in a file on `folder`, or of memory where that may not be."""
    image = folder.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(400 << 20)
    ways: list[tuple[tuple[str | Path, ...], ...]] = [
        (("mkfs.ext4", "-q", "-F", image), ("mount", "-o", "loop", image, folder)),
        (("mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", folder),),
    ]
    for way in ways:
        try:
            for command in way:
                subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.CalledProcessError):
            continue
        return True
    return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not mount(folder):
        pytest.skip("a small filesystem takes root and the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=60)


@pytest.fixture
def node(disk: Path) -> Iterator[Node]:
    settings = {
        "PACKSTONE_ENGINE__SPACE_RESERVE": "80 MiB",
        "PACKSTONE_ENGINE__JOURNAL_SIZE": "4 MiB",
        "PACKSTONE_ENGINE__STREAM_SIZE": "16 MiB",
    }
    made = Node(disk.parent / "data", settings)
    made.initialise("3+1", [disk / f"drive {number}" for number in range(4)])
    made.start()
    made.client().create_bucket(Bucket=BUCKET)
    yield made
    if made.process is not None:
        made.kill()


def fill(node: Node, kept: dict[str, State], chance: random.Random) -> None:
    """Put until it is refused, for which there is one way."""
    client = node.client()
    while True:
        key, body = f"key {len(kept)}", chance.randbytes(chance.choice(SIZES))
        try:
            client.put_object(Bucket=BUCKET, Key=key, Body=body)
        except ClientError as error:
            answer = error.response
            found = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
            assert found == ("InsufficientCapacity", 507)
            return
        kept[key] = State.of(body)
        assert len(kept) < 5000


def verify(node: Node, kept: dict[str, State]) -> None:
    client = node.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
    assert listed == {key: state.size for key, state in kept.items()}
    for key, state in kept.items():
        assert State.of(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == state, key


@pytest.mark.timeout(240)
def test_full_and_back(node: Node) -> None:
    chance = random.Random(7)
    kept: dict[str, State] = {}
    fill(node, kept, chance)
    assert len(kept) > 20
    verify(node, kept)
    # Full it can be killed, and starts.
    node.kill()
    node.start()
    verify(node, kept)
    client = node.client()
    for key in list(kept)[::2] + list(kept)[1::4]:
        client.delete_object(Bucket=BUCKET, Key=key)
        del kept[key]
    deadline = time.monotonic() + 120
    while True:
        try:
            client.put_object(Bucket=BUCKET, Key="after", Body=bytes(3 << 20))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InsufficientCapacity"
            assert time.monotonic() < deadline, "space doesn't come back: " + node.command("status")
            time.sleep(1)
        else:
            break
    kept["after"] = State.of(bytes(3 << 20))
    verify(node, kept)
    assert node.stop() == 0
    assert "panicked" not in node.log()
