"""Sessions: roles, tokens, and what bounds them."""

import base64
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.iam.conftest import ACCOUNT, Key, allow, deny, document, give, key_of, make_key
from tests.refusal import refused
from tests.served import Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient


def trusting(who: str, **more: object) -> str:
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": who}, **more})


@pytest.fixture
def role(iam: "IAMClient", user: str, bucket: str) -> str:
    """The ARN of a role that `user` may assume and that reads `bucket`."""
    name = f"role-of-{user}"
    trust = trusting(f"arn:aws:iam::{ACCOUNT}:user/{user}")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    reads = document(allow(["s3:GetObject", "s3:ListBucket"], [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]))
    iam.put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=reads)
    return arn


def test_trust_is_not_inherited_with_a_name(iam: "IAMClient", node: Node, user: str, role: str) -> None:
    gone = iam.get_user(UserName=user)["User"]["UserId"]
    iam.delete_user(UserName=user)
    iam.create_user(UserName=user)
    again = make_key(iam, user).client(node, "sts")
    with refused("AccessDenied", 403):
        again.assume_role(RoleArn=role, RoleSessionName="morning")
    name = f"role-of-{user}"
    trust: Any = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Principal"]["AWS"] == gone
    with refused("MalformedPolicyDocument", 400, "Invalid principal in policy"):
        iam.update_assume_role_policy(
            RoleName=name, PolicyDocument=trusting(f"arn:aws:iam::{ACCOUNT}:user/{user}-absent")
        )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusting(f"arn:aws:iam::{ACCOUNT}:user/{user}"))
    again.assume_role(RoleArn=role, RoleSessionName="morning")


def test_who_am_i(sts: "STSClient", node: Node, user: str, key: Key) -> None:
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    told = key.client(node, "sts").get_caller_identity()
    assert (told["Account"], told["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/{user}")
    assert told["UserId"].startswith("AIDA")


def test_a_role_is_assumed_by_who_is_trusted(
    iam: "IAMClient", sts: "STSClient", node: Node, key: Key, role: str, bucket: str
) -> None:
    with refused("AccessDenied", 403):
        sts.assume_role(RoleArn=role, RoleSessionName="of-root")
    with refused("AccessDenied", 403):
        key.client(node, "sts").assume_role(RoleArn=role + "-absent", RoleSessionName="session")
    answer = key.client(node, "sts").assume_role(RoleArn=role, RoleSessionName="morning")
    assert answer["AssumedRoleUser"]["Arn"].endswith("/morning")
    left = answer["Credentials"]["Expiration"] - dt.datetime.now(dt.UTC)
    assert dt.timedelta(minutes=59) < left <= dt.timedelta(hours=1)
    session = key_of(answer["Credentials"])
    client = session.s3(node)
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert Raw(node).plain("GET", url.removeprefix(node.endpoint)).body == b"body"
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert session.client(node, "sts").get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    with refused("AccessDenied", 403):
        key.s3(node).get_object(Bucket=bucket, Key="k")
    # What the role may changes for sessions that there are.
    name = role.rpartition("/")[2]
    iam.put_role_policy(RoleName=name, PolicyName="no", PolicyDocument=document(deny("s3:GetObject", "*")))
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    for policy in ("no", "reads"):
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)
    with refused("InvalidToken", 400):
        client.get_object(Bucket=bucket, Key="k")


def test_a_role_that_trusts_the_account_leaves_it_to_policies(
    iam: "IAMClient", node: Node, user: str, key: Key
) -> None:
    name = f"open-{user}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(ACCOUNT))["Role"]["Arn"]
    own = key.client(node, "sts")
    with refused("AccessDenied", 403):
        own.assume_role(RoleArn=arn, RoleSessionName="session")
    give(iam, user, allow("sts:AssumeRole", arn))
    own.assume_role(RoleArn=arn, RoleSessionName="session")
    locked = trusting(ACCOUNT, Condition={"StringEquals": {"sts:ExternalId": "42"}})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=locked)
    with refused("AccessDenied", 403):
        own.assume_role(RoleArn=arn, RoleSessionName="session")
    own.assume_role(RoleArn=arn, RoleSessionName="session", ExternalId="42")
    with refused("ValidationError", 400):
        own.assume_role(RoleArn=arn, RoleSessionName="session", ExternalId="42", DurationSeconds=7200)


def test_a_session_policy_bounds(node: Node, key: Key, role: str, bucket: str) -> None:
    only = document(allow("s3:ListBucket", "*"), allow("s3:PutObject", "*"))
    answer = key.client(node, "sts").assume_role(RoleArn=role, RoleSessionName="session", Policy=only)
    client = key_of(answer["Credentials"]).s3(node)
    client.list_objects_v2(Bucket=bucket)
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        client.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused("MalformedPolicyDocument", 400):
        key.client(node, "sts").assume_role(RoleArn=role, RoleSessionName="session", Policy="{}")


def test_a_session_token_is_its_user(
    iam: "IAMClient", sts: "STSClient", node: Node, user: str, key: Key, bucket: str
) -> None:
    give(iam, user, allow("s3:GetObject", "*"))
    session = key_of(key.client(node, "sts").get_session_token(DurationSeconds=900)["Credentials"])
    session.s3(node).get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        session.s3(node).put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused("AccessDenied", 403):
        session.client(node, "sts").get_session_token()
    of_root = key_of(sts.get_session_token()["Credentials"])
    of_root.s3(node).put_object(Bucket=bucket, Key="k", Body=b"1")


def test_tokens_that_are_none(
    iam: "IAMClient", s3: "S3Client", root: Key, node: Node, user: str, key: Key, bucket: str
) -> None:
    give(iam, user, allow("s3:*", "*"))
    own = key.client(node, "sts")
    one, other = (key_of(own.get_session_token()["Credentials"]) for _ in range(2))
    assert one.token is not None
    raw = bytearray(base64.urlsafe_b64decode(one.token + "=" * (-len(one.token) % 4)))
    raw[20] ^= 1
    forged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    for token in (forged, other.token, None, "x", "", one.token[:-1], one.token + "A", "A" * 4000):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            Key(one.access, one.secret, token).s3(node).get_object(Bucket=bucket, Key="k")
        error = caught.value.response["Error"]["Code"]
        assert error in {"InvalidToken", "InvalidAccessKeyId", "AccessDenied"}, token
    # A token lends nothing to a key that isn't its own.
    for wrong in (Key(key.access, key.secret, one.token), Key(root.access, root.secret, one.token)):
        with refused("InvalidToken", 400):
            wrong.s3(node).get_object(Bucket=bucket, Key="k")
    with refused("InvalidClientTokenId", 403):
        Key(one.access, one.secret, forged).client(node, "sts").get_caller_identity()
    with refused("SignatureDoesNotMatch", 403):
        Key(one.access, other.secret, one.token).s3(node).get_object(Bucket=bucket, Key="k")
    with refused("SignatureDoesNotMatch", 403):
        Key(one.access, other.secret, one.token).client(node, "sts").get_caller_identity()


def test_calls_that_nobody_signed(node: Node) -> None:
    raw = Raw(node)
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = raw.plain("POST", "/", form, b"Action=ListUsers&Version=2010-05-08")
    assert (answer.status, answer.code) == (403, "MissingAuthenticationToken")
    signed = raw.sign("POST", "/", form, "UNSIGNED-PAYLOAD")
    answer = raw.plain("POST", "/", signed, b"Action=ListUsers")
    assert (answer.status, answer.code) == (400, "IncompleteSignature")


def test_a_form_larger_than_any_policy(iam: "IAMClient", user: str) -> None:
    with refused("RequestEntityTooLarge", 413):
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument="a" * (600 << 10))


def test_everything_is_there_after_a_crash(tmp_path_factory: pytest.TempPathFactory) -> None:
    node = Node(tmp_path_factory.mktemp("restart") / "data")
    node.start()
    try:
        root = Key(node.user, node.password)
        iam, s3 = root.client(node, "iam"), root.s3(node)
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="k", Body=b"1")
        iam.create_user(UserName="alice")
        iam.create_group(GroupName="readers")
        iam.add_user_to_group(GroupName="readers", UserName="alice")
        arn = iam.create_policy(PolicyName="reads", PolicyDocument=document(allow("s3:GetObject", "*")))["Policy"][
            "Arn"
        ]
        iam.attach_group_policy(GroupName="readers", PolicyArn=arn)
        iam.create_user(UserName="gone")
        iam.delete_user(UserName="gone")
        made = iam.create_access_key(UserName="alice")["AccessKey"]
        key = Key(made["AccessKeyId"], made["SecretAccessKey"])
        session = key_of(key.client(node, "sts").get_session_token()["Credentials"])
        statement = allow("s3:ListBucket", "arn:aws:s3:::kept", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
        s3.put_bucket_policy(Bucket="kept", Policy=document(statement))
        node.kill()
        node.start()
        for who in (key, session):
            who.s3(node).get_object(Bucket="kept", Key="k")
            who.s3(node).list_objects_v2(Bucket="kept")
            with refused("AccessDenied", 403):
                who.s3(node).put_object(Bucket="kept", Key="k", Body=b"2")
        iam = root.client(node, "iam")
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["alice"]
        secret = key.secret.encode()
        assert not [file for file in node.data.rglob("*") if file.is_file() and secret in file.read_bytes()]
    finally:
        node.close()
