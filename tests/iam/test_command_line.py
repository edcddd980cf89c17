"""Users, groups, policies and keys on the command line, against the node that serves the directory."""

import json
from pathlib import Path

import pytest

from tests.iam.conftest import Key, allow, deny, document
from tests.refusal import refused
from tests.served import Node


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "reads.json"
    file.write_text(document(allow("s3:GetObject", "arn:aws:s3:::*", Sid="Reads")))
    return file


def fault(node: Node, *arguments: str | Path) -> str:
    """The one line that a command ends with which can't do what it is asked."""
    told = node.command(*arguments, code=1)
    assert told.startswith("packstone: ")
    assert told.count("\n") == 1
    return told


def test_from_a_user_to_an_object(node: Node, bucket: str, policy_file: Path) -> None:
    node.command("user", "make", "carol", "--path", "/desk/", "--uid", "1001", "--gid", "10", "--gid", "20")
    node.command("group", "make", "readers")
    node.command("group", "add", "readers", "carol")
    node.command("policy", "make", "reads", policy_file)
    made = json.loads(node.command("key", "make", "carol", "--json"))
    client = Key(made["access_key"], made["secret_key"]).s3(node)
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    node.command("policy", "attach", "reads", "--group", "readers")
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"

    shown = json.loads(node.command("user", "show", "carol", "--json"))
    assert (shown["uid"], shown["gids"], shown["groups"]) == (1001, [10, 20], ["readers"])
    assert shown["arn"].endswith(":user/desk/carol")
    assert shown["keys"] == [made["access_key"]]
    assert "carol" in node.command("user", "ls")
    assert {"name": "readers", "users": ["carol"]} in json.loads(node.command("group", "ls", "--json"))
    assert "reads" in node.command("policy", "ls")
    assert json.loads(node.command("policy", "show", "reads"))["Statement"][0]["Sid"] == "Reads"

    node.command("key", "disable", "carol", made["access_key"])
    with refused("InvalidAccessKeyId", 403):
        client.get_object(Bucket=bucket, Key="k")
    assert "Inactive" in node.command("key", "ls", "carol")
    node.command("key", "enable", "carol", made["access_key"])
    client.get_object(Bucket=bucket, Key="k")
    node.command("user", "ids", "carol", "--uid", "0")
    shown = json.loads(node.command("user", "show", "carol", "--json"))
    assert (shown["uid"], shown["gids"]) == (0, [])

    assert "take them out first" in fault(node, "group", "rm", "readers")
    assert "detach it first" in fault(node, "policy", "rm", "reads")
    node.command("user", "rm", "carol")
    with refused("InvalidAccessKeyId", 403):
        client.get_object(Bucket=bucket, Key="k")
    node.command("group", "rm", "readers")
    for _ in range(5):
        node.command("policy", "replace", "reads", policy_file)
    node.command("policy", "rm", "reads")


def test_it_explains_what_decides(node: Node, bucket: str, tmp_path: Path) -> None:
    node.command("user", "make", "dave")
    asked = ("policy", "explain", "dave", "s3:GetObject", f"{bucket}/k")
    assert node.command(*asked) == "denied: no identity-based policy allows it\n"
    file = tmp_path / "policy.json"
    statements = [allow("s3:Get*", "*", Sid="All"), deny("s3:GetObject", f"arn:aws:s3:::{bucket}/secret/*", Sid="Not")]
    file.write_text(document(*statements))
    node.command("policy", "make", "daves", file)
    node.command("policy", "attach", "daves", "--user", "dave")
    assert node.command(*asked) == "allowed by statement 1 (All) of identity-based policy daves\n"
    secret = ("policy", "explain", "dave", "s3:GetObject", f"arn:aws:s3:::{bucket}/secret/1", "--json")
    told = json.loads(node.command(*secret))
    assert told == {"decision": "denied by statement 2 (Not) of identity-based policy daves"}
    nobody = node.command("policy", "explain", "anonymous", "s3:GetObject", f"{bucket}/k")
    assert nobody == "denied: no resource-based policy allows it\n"
    node.command("policy", "attach", "amazons3fullaccess", "--user", "dave")
    assert "policy AmazonS3FullAccess" in node.command("policy", "explain", "dave", "s3:PutObject", f"{bucket}/k")
    assert "comes with the node" in fault(node, "policy", "replace", "AmazonS3FullAccess", file)
    node.command("policy", "make", "AmazonS3FullAccess", file)
    node.command("policy", "rm", "AmazonS3FullAccess")
    node.command("policy", "detach", "AmazonS3FullAccess", "--user", "dave")
    node.command("policy", "detach", "daves", "--user", "dave")
    node.command("policy", "rm", "daves")
    node.command("user", "rm", "dave")


def test_mistakes_are_one_line(node: Node, bucket: str, tmp_path: Path) -> None:
    node.command("user", "make", "erin")
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    assert "NoSuchEntity" in fault(node, "user", "show", "nobody-here")
    assert "EntityAlreadyExists" in fault(node, "user", "make", "ERIN")
    assert "can't be read" in fault(node, "policy", "make", "p", tmp_path / "absent.json")
    assert "MalformedPolicyDocument" in fault(node, "policy", "make", "p", broken)
    assert "no such policy" in fault(node, "policy", "show", "absent")
    assert "--user, --group and --role" in fault(node, "policy", "attach", "p")
    assert "no user" in fault(node, "policy", "explain", "nobody-here", "s3:GetObject", f"{bucket}/k")
    assert "no action" in fault(node, "policy", "explain", "erin", "s3:EatObject", f"{bucket}/k")
    assert "BUCKET/KEY" in fault(node, "policy", "explain", "erin", "s3:GetObject", bucket)
    assert "no bucket" in fault(node, "policy", "explain", "erin", "s3:ListBucket", "never-made")
    for _ in range(2):
        node.command("key", "make", "erin")
    assert "LimitExceeded" in fault(node, "key", "make", "erin")
    node.command("user", "rm", "erin")


def test_a_master_key_that_is_not_the_nodes(tmp_path: Path) -> None:
    node = Node(tmp_path / "data")
    node.start()
    file = node.data / "master-key"
    key = file.read_text()
    node.command("user", "make", "frank")
    made = json.loads(node.command("key", "make", "frank", "--json"))
    franks = Key(made["access_key"], made["secret_key"])
    node.close()
    file.write_text("nothing")
    with pytest.raises(AssertionError, match="is no master key"):
        node.start()
    file.write_text(key)
    file.chmod(0o644)
    with pytest.raises(AssertionError, match="chmod 600"):
        node.start()
    file.unlink()
    with pytest.raises(AssertionError, match="is missing: put it back from a backup"):
        node.start()
    assert not file.exists()
    file.write_text("5" * 64 + "\n")
    file.chmod(0o600)
    try:
        node.start()
        assert "1 access keys are sealed under another master key" in node.log()
        with refused("InvalidAccessKeyId", 403):
            franks.s3(node).list_buckets()
        assert "frank" in node.command("user", "ls")
        node.close()
        file.write_text(key)
        node.start()
        assert "sealed under" not in node.log()
        with refused("AccessDenied", 403):
            franks.s3(node).list_buckets()
    finally:
        node.close()
