"""Root's credentials change while the node serves, and nobody who has the old ones is turned away before their time."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from appliance.master_key import MasterKeyFile
from appliance.root_file import RootFile
from tests.integration.conftest import ServedNode

Pair = tuple[str, str]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServedNode]:
    """A node of its own for each test."""
    served = ServedNode(tmp_path / "data")
    yield served
    if served.process.poll() is None:
        assert served.stop() == 0


def kept(node: ServedNode) -> Pair:
    current, _ = RootFile(node.data, MasterKeyFile(node.data)).read()
    return current.access_key, current.secret_key


def rotated(node: ServedNode, *arguments: str) -> Pair:
    after = json.loads(node.command("root", "rotate", "--json", *arguments))
    return after["access_key"], after["secret_key"]


def refusal(node: ServedNode, pair: Pair, token: str | None = None) -> str:
    """The error code that a request signed so gets, or nothing."""
    client = boto3.client(
        "s3",
        endpoint_url=node.s3,
        aws_access_key_id=pair[0],
        aws_secret_access_key=pair[1],
        aws_session_token=token,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )
    try:
        client.list_buckets()
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return ""


def session(node: ServedNode, pair: Pair) -> tuple[Pair, str]:
    sts = boto3.client(
        "sts",
        endpoint_url=node.s3,
        aws_access_key_id=pair[0],
        aws_secret_access_key=pair[1],
        region_name="us-east-1",
    )
    made = sts.get_session_token(DurationSeconds=900)["Credentials"]
    return (made["AccessKeyId"], made["SecretAccessKey"]), made["SessionToken"]


def test_both_are_accepted_until_the_old_ones_are_retired(node: ServedNode) -> None:
    old = kept(node)
    of_old = session(node, old)
    new = rotated(node)
    of_new = session(node, new)
    late = session(node, old)
    for restarted in (False, True):
        if restarted:
            assert node.stop() == 0
            node = ServedNode(node.data)
        assert [refusal(node, pair) for pair in (old, new)] == ["", ""]
        assert [refusal(node, *opened) for opened in (of_old, of_new, late)] == ["", "", ""]
        shown = json.loads(node.command("root", "show", "--json"))
        assert (shown["access_key"], shown["previous"], shown["until"]) == (new[0], old[0], None)
    node.command("root", "rotate", code=1)

    assert node.command("root", "retire").strip() == f"retired {old[0]}"
    assert (refusal(node, old), refusal(node, new)) == ("InvalidAccessKeyId", "")
    assert [refusal(node, *opened) for opened in (of_old, late, of_new)] == ["InvalidToken", "InvalidToken", ""]
    assert json.loads(node.command("root", "show", "--json"))["previous"] is None
    assert RootFile(node.data, MasterKeyFile(node.data)).read()[1] is None
    node.command("root", "retire", code=1)
    assert node.stop() == 0


def test_the_old_ones_end_by_themselves(node: ServedNode) -> None:
    old = kept(node)
    of_old = session(node, old)
    new = rotated(node, "--retire-after", "3 s")
    assert (refusal(node, old), refusal(node, *of_old)) == ("", "")
    deadline = time.monotonic() + 20
    while refusal(node, old) == "" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (refusal(node, old), refusal(node, new)) == ("InvalidAccessKeyId", "")
    assert refusal(node, *of_old) in {"ExpiredToken", "InvalidToken"}


def test_the_old_ones_end_at_once(node: ServedNode) -> None:
    old = kept(node)
    new = rotated(node, "--retire")
    assert (refusal(node, old), refusal(node, new)) == ("InvalidAccessKeyId", "")
    node.command("root", "rotate", "--retire", "--retire-after", "1 h", code=1)
    assert kept(node) == new
