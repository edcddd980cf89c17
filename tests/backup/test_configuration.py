"""`packstone backup config` and `restore config`: a node's buckets and people stand on another one as they did."""

import json
from pathlib import Path
from typing import Any, Final

from tests.backup.conftest import SETTINGS
from tests.iam.conftest import Key, allow, document
from tests.refusal import refused
from tests.served import Node

BUCKET: Final = "ticks"
POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
    ],
}
CORS: Final = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://desk.example"]}]}
LOCK: Final = {
    "ObjectLockEnabled": "Enabled",
    "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
}
ENCRYPTION: Final = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "desk"},
            "BucketKeyEnabled": False,
        }
    ]
}
TAGS: Final = {"TagSet": [{"Key": "desk", "Value": "fx"}]}


def furnish(node: Node) -> Key:
    """Buckets with all that can be said of them, and people of every class; the key of one of them."""
    s3: Any = node.client()
    s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=LOCK)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(POLICY))
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=CORS)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging=TAGS)
    node.command("kms", "make", "desk")
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=ENCRYPTION)
    s3.create_bucket(Bucket="shared", ObjectOwnership="ObjectWriter")
    s3.put_bucket_acl(Bucket="shared", ACL="public-read")
    s3.put_bucket_versioning(Bucket="shared", VersioningConfiguration={"Status": "Suspended"})
    iam = Key(node.user, node.password).client(node, "iam")
    arn = iam.create_policy(PolicyName="reads", PolicyDocument=document(allow("s3:*", "arn:aws:s3:::*")))["Policy"][
        "Arn"
    ]
    iam.create_group(GroupName="desk")
    iam.attach_group_policy(GroupName="desk", PolicyArn=arn)
    iam.create_user(UserName="alice", Tags=[{"Key": "packstone:uid", "Value": "1001"}])
    iam.add_user_to_group(GroupName="desk", UserName="alice")
    trust = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName="quant", AssumeRolePolicyDocument=document(trust), MaxSessionDuration=7200)
    made = iam.create_access_key(UserName="alice")["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def told(node: Node) -> dict[str, Any]:
    """What the node says of its buckets and people to its root."""
    s3: Any = node.client()
    iam = Key(node.user, node.password).client(node, "iam")
    answers = {
        "lock": s3.get_object_lock_configuration(Bucket=BUCKET),
        "encryption": s3.get_bucket_encryption(Bucket=BUCKET),
        "policy": s3.get_bucket_policy(Bucket=BUCKET),
        "cors": s3.get_bucket_cors(Bucket=BUCKET),
        "tags": s3.get_bucket_tagging(Bucket=BUCKET),
        "versioning": s3.get_bucket_versioning(Bucket=BUCKET),
        "shared versioning": s3.get_bucket_versioning(Bucket="shared"),
        "acl": s3.get_bucket_acl(Bucket="shared"),
        "ownership": s3.get_bucket_ownership_controls(Bucket="shared"),
        "users": iam.list_users(),
        "user": iam.get_user(UserName="alice"),
        "keys": iam.list_access_keys(UserName="alice"),
        "groups": iam.list_groups_for_user(UserName="alice"),
        "policies": iam.list_attached_group_policies(GroupName="desk"),
        "role": iam.get_role(RoleName="quant"),
    }
    return {name: {key: answer[key] for key in answer if key != "ResponseMetadata"} for name, answer in answers.items()}


def test_an_empty_node_becomes_what_the_first_was(node: Node, other: Node, tmp_path: Path) -> None:
    key = furnish(node)
    file = tmp_path / "node.backup"
    assert "2 buckets and 4 users" in node.command("backup", "config", file)
    assert key.secret.encode() not in file.read_bytes()
    before = told(node)
    node.stop()

    assert "2 buckets and 4 users" in other.command("restore", "config", file)
    assert told(other) == before
    other.stop()
    other.start()
    assert told(other) == before, "it is durable"
    s3 = key.s3(other)
    stored = other.client().put_object(Bucket=BUCKET, Key="k", Body=b"body", ContentMD5="hBotaJrYa9FhFEdFPCLG/A==")
    assert stored["SSEKMSKeyId"].endswith("key/desk")
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=BUCKET, Key="k")
    locked = other.client().get_object_retention(Bucket=BUCKET, Key="k", VersionId=stored["VersionId"])
    assert locked["Retention"]["Mode"] == "COMPLIANCE"


def test_a_node_that_holds_anything_is_left_alone(node: Node, other: Node, tmp_path: Path) -> None:
    furnish(node)
    file = tmp_path / "node.backup"
    node.command("backup", "config", file)
    other.client().create_bucket(Bucket="mine")
    fault = other.command("restore", "config", file, code=1)
    assert fault.startswith("packstone: the node has 1 buckets and 0 users")
    assert fault.count("\n") == 1
    assert [bucket["Name"] for bucket in other.client().list_buckets()["Buckets"]] == ["mine"]
    assert "restored on an empty node only" in node.command("restore", "config", file, code=1)


def test_what_is_wrong_with_a_file_is_said_in_one_line(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "node.backup"
    node.command("backup", "config", file)
    assert "exists already" in node.command("backup", "config", file, code=1)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("another passphrase")
    passphrase.chmod(0o600)
    assert "passphrase" in node.command("restore", "config", file, "--passphrase-file", passphrase, code=1)
    file.write_bytes(file.read_bytes()[:-1])
    assert "is damaged" in node.command("restore", "config", file, code=1)
    assert "can't be read" in node.command("restore", "config", tmp_path / "absent", code=1)


def test_a_kill_in_the_middle_is_carried_on(node: Node, tmp_path: Path) -> None:
    s3 = node.client()
    for number in range(60):
        s3.create_bucket(Bucket=f"bucket-{number:03}")
    file = tmp_path / "node.backup"
    node.command("backup", "config", file)
    half = Node(tmp_path / "half", SETTINGS)
    half.start()
    try:
        restore = half.spawn("restore", "config", file)
        client = half.client()
        while len(client.list_buckets()["Buckets"]) < 5:
            assert restore.poll() is None, "it ended before it could be cut off"
        half.kill()
        restore.wait(timeout=60)
        half.start()
        there = len(half.client().list_buckets()["Buckets"])
        assert there >= 5
        assert f"{60} buckets" in half.command("restore", "config", file)
        assert len(half.client().list_buckets()["Buckets"]) == 60
        assert "restored on an empty node only" in half.command("restore", "config", file, code=1)
    finally:
        half.close()


def test_the_configuration_file_comes_back(node: Node, tmp_path: Path) -> None:
    file, target = tmp_path / "node.backup", tmp_path / "packstone.toml"
    settings = tmp_path / "written.toml"
    settings.write_text('[log]\nlevel = "info"\n')
    node.command("backup", "config", file, "--config", settings)
    node.command_alone("restore", "settings", file, target)
    assert target.read_text() == settings.read_text()
    assert target.stat().st_mode & 0o077 == 0
    assert "exists already" in node.command_alone("restore", "settings", file, target, code=1)


def test_a_weak_passphrase_is_refused(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("short")
    file.chmod(0o600)
    assert "12 characters" in node.command("backup", "config", tmp_path / "b", "--passphrase-file", file, code=1)
    assert not (tmp_path / "b").exists()
