"""Whose objects are on a mount: the uid and the first gid of the user who makes them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import packstone_engine
import pytest

from appliance.configuration_sources import load
from appliance.engine import engine_settings
from appliance.master_key import MasterKeyFile
from tests.iam.conftest import Key, allow, document, give, key_of, make_key
from tests.served import Node

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

BUCKET = "desk"
ANYTHING = allow("*", "*")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node that is stopped before it is asked."""
    made = Node(tmp_path / "data")
    made.start()
    yield made
    made.close()


def ids(*, uid: int | None = None, gids: str | None = None) -> list[Any]:
    told = {"packstone:uid": None if uid is None else str(uid), "packstone:gids": gids}
    return [{"Key": key, "Value": value} for key, value in told.items() if value is not None]


def trader(node: Node, iam: "IAMClient", name: str, tags: list[Any]) -> "S3Client":
    iam.create_user(UserName=name, Tags=tags)
    give(iam, name, ANYTHING)
    return make_key(iam, name).s3(node)


def complete(s3: "S3Client", key: str) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload=parts)


def stopped(node: Node) -> dict[str, tuple[int, int, int]]:
    """By key, what the engine tells of every object once the node is down."""
    names = [held["Key"] for held in node.client().list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert node.stop() == 0
    configuration = load(node.data)
    engine = packstone_engine.Node.open(engine_settings(configuration, MasterKeyFile(configuration.data)))
    try:
        told = {name: engine.posix(BUCKET, name) for name in names}
        with pytest.raises(packstone_engine.EngineError):
            engine.posix(BUCKET, "absent")
    finally:
        engine.close()
    return {name: (posix.uid, posix.gid, posix.mode) for name, posix in told.items()}


def test_an_object_is_its_makers(node: Node, iam: "IAMClient") -> None:
    root = node.client()
    root.create_bucket(Bucket=BUCKET)
    root.put_object(Bucket=BUCKET, Key="of-root", Body=b"1")
    alice = trader(node, iam, "alice", ids(uid=1001, gids="100 7"))
    alice.put_object(Bucket=BUCKET, Key="put", Body=b"1")
    alice.put_object(Bucket=BUCKET, Key="large", Body=bytes(3 << 20))
    alice.copy_object(Bucket=BUCKET, Key="copied", CopySource=f"{BUCKET}/of-root")
    alice.put_object(Bucket=BUCKET, Key="begun", Body=b"1", WriteOffsetBytes=0)
    root.put_object(Bucket=BUCKET, Key="begun", Body=b"2", WriteOffsetBytes=1)
    complete(alice, "completed")
    form = alice.generate_presigned_post(BUCKET, "posted")
    assert httpx.post(form["url"], data=form["fields"], files={"file": b"1"}).status_code == 204

    trader(node, iam, "bob", ids(uid=0)).put_object(Bucket=BUCKET, Key="uid-0", Body=b"1")
    trader(node, iam, "carol", ids(gids="5")).put_object(Bucket=BUCKET, Key="no-uid", Body=b"1")
    trader(node, iam, "dave", ids(uid=4)).put_object(Bucket=BUCKET, Key="no-gid", Body=b"1")

    assert stopped(node) == {
        "begun": (1001, 100, 0o640),
        "completed": (1001, 100, 0o640),
        "copied": (1001, 100, 0o640),
        "large": (1001, 100, 0o640),
        "no-gid": (4, 65534, 0o640),
        "no-uid": (0, 0, 0o640),
        "of-root": (0, 0, 0o640),
        "posted": (1001, 100, 0o640),
        "put": (1001, 100, 0o640),
        "uid-0": (0, 65534, 0o640),
    }


def test_a_change_counts_from_then_on_and_for_sessions(node: Node, iam: "IAMClient") -> None:
    node.client().create_bucket(Bucket=BUCKET)
    iam.create_user(UserName="alice", Tags=ids(uid=1, gids="1"))
    give(iam, "alice", ANYTHING)
    alice = make_key(iam, "alice")
    session = key_of(alice.client(node, "sts").get_session_token()["Credentials"])
    alice.s3(node).put_object(Bucket=BUCKET, Key="before", Body=b"1")
    session.s3(node).put_object(Bucket=BUCKET, Key="by-session", Body=b"1")
    iam.tag_user(UserName="alice", Tags=ids(uid=2, gids="3 1"))
    alice.s3(node).put_object(Bucket=BUCKET, Key="after", Body=b"1")
    session.s3(node).put_object(Bucket=BUCKET, Key="by-session-after", Body=b"1")
    assert {name: told[:2] for name, told in stopped(node).items()} == {
        "after": (2, 3),
        "before": (1, 1),
        "by-session": (1, 1),
        "by-session-after": (2, 3),
    }


def test_no_session_of_a_role_makes_itself_somebody(node: Node, iam: "IAMClient") -> None:
    """Whoever opens it says what its tags are."""
    node.client().create_bucket(Bucket=BUCKET)
    trust = allow(["sts:AssumeRole", "sts:TagSession"], "*", Principal={"AWS": "*"})
    del trust["Resource"]
    arn = iam.create_role(RoleName="desk", AssumeRolePolicyDocument=document(trust), Tags=ids(uid=7))["Role"]["Arn"]
    iam.put_role_policy(RoleName="desk", PolicyName="inline", PolicyDocument=document(ANYTHING))
    iam.create_user(UserName="alice", Tags=ids(uid=1001))
    give(iam, "alice", ANYTHING)
    sts = make_key(iam, "alice").client(node, "sts")
    opened = sts.assume_role(RoleArn=arn, RoleSessionName="desk", Tags=ids(uid=1000, gids="4"))["Credentials"]
    key_of(opened).s3(node).put_object(Bucket=BUCKET, Key="by-role", Body=b"1")
    assert stopped(node) == {"by-role": (0, 0, 0o640)}


@pytest.fixture
def iam(node: Node) -> "IAMClient":
    made: IAMClient = Key(node.user, node.password).client(node, "iam")
    return made
