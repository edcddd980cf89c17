"""Sessions by the word of an OpenID Connect issuer: what a token must say, and who must trust whom."""

import base64
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.iam.conftest import ACCOUNT, allow, document, key_of
from tests.iam.issuer import CLIENT, SUBJECT, EcKey, Issuer, RsaKey, certified, encoded, serving
from tests.refusal import refused
from tests.served import REGION, Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
INVALID: Final = "InvalidIdentityToken"
_NUMBERS: Final = itertools.count()


def sts_of(node: Node) -> Any:
    """A client that doesn't sign."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=30)
    return boto3.session.Session().client("sts", endpoint_url=node.endpoint, region_name=REGION, config=config)


def trusting(provider: str, action: str | list[str] = ACTION, **more: Any) -> dict[str, Any]:
    """A statement of a trust policy."""
    return {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": action, **more}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serving() as made:
        yield made


@pytest.fixture
def provider(iam: "IAMClient", issuer: Issuer) -> str:
    """The ARN of `issuer` as a provider."""
    made = iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[CLIENT, "other-client"])
    return made["OpenIDConnectProviderArn"]


MakeRole = Callable[..., str]


@pytest.fixture
def make_role(iam: "IAMClient", bucket: str) -> MakeRole:
    """Makes a role with a trust policy of these statements, which reads `bucket`."""

    def make(*statements: dict[str, Any], reads: str = "*", **more: Any) -> str:
        name = f"web-{next(_NUMBERS)}"
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(*statements), **more)
        policy = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/{reads}"))
        iam.put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=policy)
        return made["Role"]["Arn"]

    return make


@pytest.fixture
def role(make_role: MakeRole, provider: str) -> str:
    """A role that trusts the provider."""
    return make_role(trusting(provider))


Assume = Callable[..., Any]


@pytest.fixture
def assume(node: Node, role: str) -> Assume:
    """Asks for a session, of `role` unless another is named."""
    sts = sts_of(node)

    def ask(token: str, **more: Any) -> Any:
        asked = {"RoleArn": role, "RoleSessionName": "morning", "WebIdentityToken": token} | more
        return sts.assume_role_with_web_identity(**asked)

    return ask


def test_a_session_by_a_token(node: Node, issuer: Issuer, provider: str, assume: Assume, bucket: str) -> None:
    assert provider == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.name}"
    told = assume(issuer.token(), DurationSeconds=900)
    assert (told["SubjectFromWebIdentityToken"], told["Audience"], told["Provider"]) == (SUBJECT, CLIENT, issuer.url)
    assert told["AssumedRoleUser"]["Arn"].endswith("/morning")
    session = key_of(told["Credentials"])
    assert session.s3(node).get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"
    with refused("AccessDenied", 403):
        session.s3(node).put_object(Bucket=bucket, Key="k", Body=b"1")
    assert session.client(node, "sts").get_caller_identity()["Arn"] == told["AssumedRoleUser"]["Arn"]
    assert issuer.asked == [f"{issuer.realm}/.well-known/openid-configuration", f"{issuer.realm}/keys"]
    line = next(line for line in node.log().splitlines() if told["Credentials"]["AccessKeyId"] in line)
    for said in ("INFO", issuer.url, SUBJECT, told["AssumedRoleUser"]["Arn"].split("/")[1], "morning"):
        assert said in line, "who it was is in the log"
    assert told["Credentials"]["SecretAccessKey"] not in node.log()
    for _ in range(5):
        assume(issuer.token())
    assert len(issuer.asked) == 2, "keys are remembered"


def test_an_elliptic_key(issuer: Issuer, assume: Assume) -> None:
    issuer.keys = [EcKey("curve"), RsaKey("other")]
    assume(issuer.token())
    assume(issuer.token(key=issuer.keys[1]))


def test_a_key_without_a_name(issuer: Issuer, assume: Assume) -> None:
    assume(issuer.token({"kid": None}))


def test_what_a_token_must_say(issuer: Issuer, assume: Assume) -> None:
    now = int(time.time())
    assume(issuer.token(nbf=now - 10, aud=["somebody", "other-client"]))
    assume(issuer.token(aud="somebody", azp=CLIENT))
    wrong: list[dict[str, Any]] = [
        {"aud": "somebody"},
        {"aud": None},
        {"aud": []},
        {"aud": CLIENT, "azp": "somebody"},
        {"iss": "https://issuer.example"},
        {"iss": None},
        {"iat": None},
        {"iat": now + 600},
        {"nbf": now + 600},
        {"exp": None},
        {"exp": "never"},
        {"sub": None},
        {"sub": ""},
        {"sub": "s" * 256},
    ]
    for claims in wrong:
        with refused(INVALID, 400):
            assume(issuer.token(**claims))
    with refused("ExpiredTokenException", 400):
        assume(issuer.token(iat=now - 900, exp=now - 300))


def test_what_is_no_token(assume: Assume, issuer: Issuer) -> None:
    token = issuer.token()
    header, claims, signature = token.split(".")
    flipped = encoded(bytes([base64.urlsafe_b64decode(signature + "==")[0] ^ 1]) + b"0" * 255)
    for text in (
        "none",
        "a.b.c",
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{header}.{claims}.{signature}.x",
        f"{header}.{claims}.{flipped}",
        f"{header}.{encoded(json.dumps({'iss': issuer.url}).encode())}.{signature}",
        f"{header}.{claims}.{signature}" + "A" * 20_000,
    ):
        with refused(INVALID, 400):
            assume(text)


def test_algorithms_can_not_be_confused(issuer: Issuer, assume: Assume) -> None:
    import hashlib
    import hmac

    secret = json.dumps(issuer.keys[0].public()).encode()

    class Confused:
        algorithm, name = "HS256", "first"

        @staticmethod
        def sign(data: bytes) -> bytes:
            return hmac.digest(secret, data, hashlib.sha256)

    class Unsigned(Confused):
        algorithm = "none"

        @staticmethod
        def sign(data: bytes) -> bytes:
            return data[:0]

    for key in (Confused(), Unsigned()):
        with refused(INVALID, 400):
            assume(issuer.token(key=key))  # type: ignore[arg-type]
    for header in ({"alg": "RS384"}, {"alg": "ES256"}, {"alg": "PS256"}, {"alg": "RS257"}, {"crit": ["exp"]}):
        with refused(INVALID, 400):
            assume(issuer.token(header))
    with refused(INVALID, 400):
        assume(issuer.token(key=RsaKey("first")))


def test_a_key_that_came_later_is_found_and_one_that_went_is_not_believed(issuer: Issuer, assume: Assume) -> None:
    assume(issuer.token())
    later = RsaKey("second")
    issuer.keys = [later]
    with refused(INVALID, 400):
        assume(issuer.token())
    assert len(issuer.asked) == 2, "the issuer isn't asked again at once"
    deadline = time.monotonic() + 30
    while True:
        try:
            assume(issuer.token())
            break
        except ClientError:
            assert time.monotonic() < deadline
            time.sleep(1)
    assert len(issuer.asked) == 4
    old = RsaKey("first")
    with refused(INVALID, 400):
        assume(issuer.token(key=old))


def test_nonsense_makes_an_issuer_no_work(issuer: Issuer, assume: Assume) -> None:
    assume(issuer.token())
    for number in range(20):
        with refused(INVALID, 400):
            assume(issuer.token({"kid": f"unknown-{number}"}))
    assert len(issuer.asked) == 2


def test_an_issuer_that_can_not_be_asked(iam: "IAMClient", node: Node, make_role: MakeRole) -> None:
    with serving() as gone:
        made = iam.create_open_id_connect_provider(Url=gone.url, ClientIDList=[CLIENT])
    role = make_role(trusting(made["OpenIDConnectProviderArn"]))
    for _ in range(3):
        with refused("IDPCommunicationError", 400):
            sts_of(node).assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="morning", WebIdentityToken=gone.token()
            )


@pytest.mark.parametrize(
    "change",
    [
        {"status": 500},
        {"status": 302},
        {"padding": 300_000},
        {"discovery": {"issuer": "http://127.0.0.1:1/other"}},
        {"discovery": {"jwks_uri": "http://issuer.example/keys"}},
        {"discovery": {"jwks_uri": "http://127.0.0.1:1/keys"}},
        {"discovery": {"jwks_uri": 7}},
        {"keys": []},
    ],
)
def test_an_issuer_that_answers_nonsense(issuer: Issuer, assume: Assume, change: dict[str, Any]) -> None:
    token = issuer.token()
    for name, value in change.items():
        setattr(issuer, name, value)
    with refused("IDPCommunicationError", 400):
        assume(token)


def test_whom_a_role_trusts(
    issuer: Issuer, provider: str, make_role: MakeRole, assume: Assume, iam: "IAMClient"
) -> None:
    def may(*statements: dict[str, Any], **claims: Any) -> bool:
        try:
            assume(issuer.token(**claims), RoleArn=make_role(*statements))
        except ClientError as fault:
            assert "AccessDenied" in str(fault), fault
            return False
        return True

    def when(operator: str, claim: str, value: Any) -> dict[str, Any]:
        return trusting(provider, Condition={operator: {f"{issuer.name}:{claim}": value}})

    assert may(when("StringEquals", "sub", SUBJECT))
    assert may(when("StringLike", "sub", "repo:desk/*"))
    assert not may(when("StringEquals", "sub", "repo:other/x:ref:refs/heads/main"))
    assert may(when("StringEquals", "aud", CLIENT))
    assert not may(when("StringEquals", "aud", "other-client"))
    assert may(when("ForAnyValue:StringEquals", "amr", "mfa"), amr=["pwd", "mfa"])
    assert not may(when("ForAnyValue:StringEquals", "amr", "mfa"), amr=["pwd"])
    assert not may(when("StringEquals", "repository", "desk/pricing"), repository="desk/pricing")
    assert may(when("StringEquals", "oaud", "somebody"), aud="somebody", azp=CLIENT)
    assert not may(trusting(f"{provider}/other"))
    assert not may(trusting("accounts.google.com"))
    assert not may({**trusting(provider), "Principal": {"AWS": ACCOUNT}})
    assert not may(trusting(provider, "sts:AssumeRole"))
    assert not may(trusting(provider), {**when("StringEquals", "sub", SUBJECT), "Effect": "Deny"})
    with refused("AccessDenied", 403):
        assume(issuer.token(), RoleArn=f"arn:aws:iam::{ACCOUNT}:role/absent")


def test_what_a_session_may_hangs_on_who_it_is(
    node: Node, issuer: Issuer, provider: str, make_role: MakeRole, assume: Assume, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="home/alice/a", Body=b"hers")
    s3.put_object(Bucket=bucket, Key="home/bob/a", Body=b"his")
    role = make_role(trusting(provider), reads=f"home/${{{issuer.name}:sub}}/*")
    client = key_of(assume(issuer.token(sub="alice"), RoleArn=role)["Credentials"]).s3(node)
    assert client.get_object(Bucket=bucket, Key="home/alice/a")["Body"].read() == b"hers"
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="home/bob/a")


def test_policies_and_length_of_a_session(
    node: Node, issuer: Issuer, assume: Assume, bucket: str, make_role: MakeRole, provider: str
) -> None:
    narrow = document(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/other"))
    client = key_of(assume(issuer.token(), Policy=narrow)["Credentials"]).s3(node)
    with refused("AccessDenied", 403):
        client.get_object(Bucket=bucket, Key="k")
    with refused("ValidationError", 400):
        assume(issuer.token(), DurationSeconds=3601)
    role = make_role(trusting(provider), MaxSessionDuration=7200)
    assume(issuer.token(), RoleArn=role, DurationSeconds=7200)


def test_tags_of_a_token(
    node: Node, issuer: Issuer, provider: str, make_role: MakeRole, assume: Assume, s3: "S3Client", bucket: str
) -> None:
    tags: dict[str, Any] = {"https://aws.amazon.com/tags": {"principal_tags": {"desk": ["fx"]}}}
    with refused("AccessDenied", 403):
        assume(issuer.token(**tags))
    role = make_role(
        trusting(provider, [ACTION, "sts:TagSession"], Condition={"StringEquals": {"aws:RequestTag/desk": "fx"}}),
        reads="${aws:PrincipalTag/desk}*",
    )
    session = key_of(assume(issuer.token(**tags), RoleArn=role)["Credentials"])
    with refused("AccessDenied", 403):
        session.s3(node).get_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="fx/rates", Body=b"rates")
    assert session.s3(node).get_object(Bucket=bucket, Key="fx/rates")["Body"].read() == b"rates"


def test_a_provider_that_was_taken_away_is_not_believed(
    iam: "IAMClient", issuer: Issuer, provider: str, assume: Assume
) -> None:
    assume(issuer.token())
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID=CLIENT)
    with refused(INVALID, 400):
        assume(issuer.token())
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID=CLIENT)
    assume(issuer.token())
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    with refused(INVALID, 400):
        assume(issuer.token())


def test_a_call_that_is_not_signed_is_small(node: Node, issuer: Issuer) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"Action=AssumeRoleWithWebIdentity&WebIdentityToken=" + b"a" * (64 << 10)
    answer = Raw(node).plain("POST", "/", form, body)
    assert (answer.status, answer.code) == (403, "MissingAuthenticationToken")
    both = b"Action=AssumeRoleWithWebIdentity"
    for body in (
        b"",
        b"Action=AssumeRole",
        b"Action=assumerolewithwebidentity",
        b"Action=CreateUser",
        b"Action=AssumeRole&" + both,
        both + b"&Action=AssumeRole",
        b"Action=GetCallerIdentity&" + both,
    ):
        answer = Raw(node).plain("POST", "/", form, body)
        assert (answer.status, answer.code) == (403, "MissingAuthenticationToken")
    answer = Raw(node).plain("POST", "/", form, b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15")
    assert (answer.status, answer.code) == (400, "ValidationError")
    assert issuer.asked == []


def test_an_issuer_over_tls_needs_an_authority(tmp_path: Path) -> None:
    authority, context = certified(tmp_path)
    with serving("https", context, "localhost") as issuer:
        for settings, believed in (({}, False), ({"PACKSTONE_S3__ISSUER_AUTHORITIES": str(authority)}, True)):
            node = Node(tmp_path / f"data-{believed}", settings)
            node.start()
            try:
                client = boto3.session.Session().client(
                    "iam",
                    endpoint_url=node.endpoint,
                    aws_access_key_id=node.user,
                    aws_secret_access_key=node.password,
                    region_name=REGION,
                )
                made = client.create_open_id_connect_provider(Url=issuer.url, ClientIDList=[CLIENT])
                trust = document(trusting(made["OpenIDConnectProviderArn"]))
                role = client.create_role(RoleName="web", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
                asked = {"RoleArn": role, "RoleSessionName": "morning", "WebIdentityToken": issuer.token()}
                if believed:
                    sts_of(node).assume_role_with_web_identity(**asked)
                else:
                    with refused("IDPCommunicationError", 400):
                        sts_of(node).assume_role_with_web_identity(**asked)
            finally:
                node.close()


def test_providers(iam: "IAMClient", node: Node) -> None:
    url = "https://idp.example:8443/realms/desk"
    made = iam.create_open_id_connect_provider(
        Url=url, ClientIDList=["one"], ThumbprintList=["ab" * 20], Tags=[{"Key": "desk", "Value": "fx"}]
    )
    arn = made["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example:8443/realms/desk"
    with refused("EntityAlreadyExists", 409):
        iam.create_open_id_connect_provider(Url=url)
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="two")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="three")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["cd" * 20])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "tier", "Value": "1"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["desk"])
    told = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (told["Url"], told["ClientIDList"]) == ("idp.example:8443/realms/desk", ["one", "two"])
    assert (told["ThumbprintList"], told["Tags"]) == (["cd" * 20], [{"Key": "tier", "Value": "1"}])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == told["Tags"]
    listed = [each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    assert arn in listed
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("NoSuchEntity", 404):
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example",
        "ftp://idp.example",
        "idp.example",
        "https://",
        "https://idp.example/?a=1",
        "https://me@idp.example",
        "https://idp.example/" + "a" * 255,
        "http://127.0.0.1.idp.example",
    ],
)
def test_urls_that_can_not_be_an_issuer(iam: "IAMClient", url: str) -> None:
    with refused("InvalidInput", 400):
        iam.create_open_id_connect_provider(Url=url)


def test_who_may_make_a_provider(iam: "IAMClient", node: Node, user: str, key: Any) -> None:
    own = key.client(node, "iam")
    url = "https://idp.example/limited"
    with refused("AccessDenied", 403):
        own.create_open_id_connect_provider(Url=url)
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example/*"
    may = document(allow(["iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider"], arn))
    iam.put_user_policy(UserName=user, PolicyName="providers", PolicyDocument=may)
    made = own.create_open_id_connect_provider(Url=url)
    with refused("AccessDenied", 403):
        own.create_open_id_connect_provider(Url="https://other.example/limited")
    with refused("AccessDenied", 403):
        own.create_open_id_connect_provider(Url=url + "/tagged", Tags=[{"Key": "a", "Value": "b"}])
    with refused("AccessDenied", 403):
        own.list_open_id_connect_providers()
    own.delete_open_id_connect_provider(OpenIDConnectProviderArn=made["OpenIDConnectProviderArn"])


def test_the_command_line(node: Node) -> None:
    url = "https://idp.example/cli"
    arn = node.command("provider", "make", url, "--client", "one").strip()
    assert arn.endswith(":oidc-provider/idp.example/cli")
    assert "idp.example/cli" in node.command("provider", "ls")
    assert {"url": "idp.example/cli", "arn": arn} in json.loads(node.command("provider", "ls", "--json"))
    node.command("provider", "client", url, "--add", "two", "--remove", "one")
    assert json.loads(node.command("provider", "show", url))["clients"] == ["two"]
    node.command("provider", "rm", url)
    assert "there is no identity provider" in node.command("provider", "show", url, code=1)
    assert "--client" in node.command("provider", "make", url, code=1)
