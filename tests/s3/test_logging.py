"""Server access logging: lines as AWS writes them, delivered to another bucket, and who must let that happen."""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.iam.conftest import Key
from tests.refusal import refused
from tests.served import Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OWNER: Final = "7061636b73746f6e652d726f6f740000000000000000000000000000000000aa"
ACCOUNT: Final = "000000000000"
GROUP: Final = "uri=http://acs.amazonaws.com/groups/s3/LogDelivery"
UNFIT: Final = "InvalidTargetBucketForLogging"
_NUMBERS: Final = itertools.count()
FIELD: Final = re.compile(r'\[[^]]*\]|"[^"]*"|\S+')
_NAMED: Final = (
    "owner bucket time ip requester id operation key uri status error sent size took turnaround referer agent version "
    "host_id signature cipher authentication host tls access_point acl"
)
NAMES: Final = _NAMED.split(" ")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that delivers soon."""
    made = Node(tmp_path_factory.mktemp("logging") / "data", {"PACKSTONE_S3__LOG_INTERVAL": "500 ms"})
    made.start()
    yield made
    made.close()
    assert "panicked" not in made.log()


@pytest.fixture(scope="module")
def s3(node: Node) -> "S3Client":
    return node.client()


def policy(bucket: str, **condition: Any) -> str:
    """Lets the service put logs into a bucket."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | condition]})


@pytest.fixture
def target(s3: "S3Client") -> str:
    """A bucket that takes logs."""
    name = f"logs-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=policy(name))
    return name


@pytest.fixture
def source(s3: "S3Client") -> str:
    """A bucket to be logged."""
    name = f"ticks-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name)
    return name


def log(s3: "S3Client", source: str, target: str, **more: Any) -> None:
    """Has `source` logged to `target`."""
    logging: Any = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "log/"} | more}
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=logging)


def encrypt(s3: "S3Client", bucket: str, algorithm: str) -> None:
    """Makes it the bucket's default."""
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)


def stop(s3: "S3Client", source: str) -> None:
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={})


def objects(s3: "S3Client", target: str) -> dict[str, str]:
    """Log objects by key."""
    found = s3.list_objects_v2(Bucket=target, Prefix="log/").get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket=target, Key=each["Key"])["Body"].read().decode() for each in found}


def delivered(s3: "S3Client", target: str, enough: Callable[[list[str]], bool]) -> list[dict[str, str]]:
    """Lines in the order of their delivery, as soon as they are enough."""
    deadline = time.monotonic() + 30
    while True:
        lines = [line for text in objects(s3, target).values() for line in text.splitlines()]
        if enough(lines):
            break
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)
    split = [FIELD.findall(line) for line in lines]
    assert all(len(fields) == len(NAMES) for fields in split), lines
    return [dict(zip(NAMES, fields, strict=True)) for fields in split]


def test_a_line_for_each_request(node: Node, s3: "S3Client", source: str, target: str) -> None:
    s3.put_object(Bucket=source, Key="before", Body=b"unlogged")
    log(s3, source, target)
    stored = s3.put_object(Bucket=source, Key="a b", Body=b"hello")
    s3.get_object(Bucket=source, Key="a b", Range="bytes=1-2")
    s3.head_object(Bucket=source, Key="a b")
    s3.copy_object(Bucket=source, Key="copy", CopySource={"Bucket": source, "Key": "a b"})
    s3.list_objects_v2(Bucket=source)
    s3.get_bucket_logging(Bucket=source)
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=source, Key="absent")
    Raw(node).plain("GET", f"/{source}/absent")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": source, "Key": "copy"})
    Raw(node).plain("GET", url.removeprefix(node.endpoint))
    with refused("SignatureDoesNotMatch", 403):
        node.client(password="another password").get_object(Bucket=source, Key="copy")
    s3.delete_object(Bucket=source, Key="copy")
    lines = delivered(s3, target, lambda lines: len(lines) >= 11)
    told = [(line["operation"], line["key"], line["status"], line["error"]) for line in lines]
    assert told == [
        ("REST.PUT.OBJECT", "a%20b", "200", "-"),
        ("REST.GET.OBJECT", "a%20b", "206", "-"),
        ("REST.HEAD.OBJECT", "a%20b", "200", "-"),
        ("REST.COPY.OBJECT", "copy", "200", "-"),
        ("REST.GET.BUCKET", "-", "200", "-"),
        ("REST.GET.LOGGING_STATUS", "-", "200", "-"),
        ("REST.GET.OBJECT", "absent", "404", "NoSuchKey"),
        ("REST.GET.OBJECT", "absent", "403", "AccessDenied"),
        ("REST.GET.OBJECT", "copy", "200", "-"),
        ("REST.GET.OBJECT", "copy", "403", "SignatureDoesNotMatch"),
        ("REST.DELETE.OBJECT", "copy", "204", "-"),
    ]
    put, get, anonymous, presigned, forged = lines[0], lines[1], lines[7], lines[8], lines[9]
    assert {(line["owner"], line["bucket"], line["ip"]) for line in lines} == {(OWNER, source, "127.0.0.1")}
    assert put["requester"] == OWNER
    assert put["id"] == stored["ResponseMetadata"]["RequestId"]
    assert put["host_id"] == stored["ResponseMetadata"]["HostId"]
    assert put["uri"] == f'"PUT /{source}/a%20b HTTP/1.1"'
    assert re.fullmatch(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]", put["time"])
    assert (put["sent"], put["size"], get["sent"], get["size"]) == ("-", "5", "2", "5")
    assert (put["signature"], put["authentication"], put["cipher"], put["tls"]) == ("SigV4", "AuthHeader", "-", "-")
    assert put["host"] == node.endpoint.removeprefix("http://")
    assert put["agent"].startswith('"Boto3/')
    assert (anonymous["requester"], anonymous["signature"]) == ("-", "-")
    assert (presigned["requester"], presigned["authentication"]) == (OWNER, "QueryString")
    assert "X-Amz-Signature=***" in presigned["uri"]
    assert (forged["requester"], forged["signature"]) == ("-", "-"), "a signature that doesn't hold names nobody"
    assert all(line["took"].isdigit() for line in lines)


def test_a_user_is_named(node: Node, s3: "S3Client", source: str, target: str) -> None:
    iam = Key(node.user, node.password).client(node, "iam")
    iam.create_user(UserName="logged")
    made = iam.create_access_key(UserName="logged")["AccessKey"]
    log(s3, source, target)
    with refused("AccessDenied", 403):
        node.client(made["AccessKeyId"], made["SecretAccessKey"]).get_object(Bucket=source, Key="k")
    (line,) = delivered(s3, target, lambda lines: len(lines) >= 1)
    assert (line["requester"], line["error"]) == (f"arn:aws:iam::{ACCOUNT}:user/logged", "AccessDenied")


def test_a_form_is_logged(node: Node, s3: "S3Client", source: str, target: str) -> None:
    log(s3, source, target)
    post = s3.generate_presigned_post(source, "by-form")
    parts = [
        f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in post["fields"].items()
    ]
    parts.append('--b\r\ncontent-disposition: form-data; name="file"\r\n\r\nbody\r\n--b--\r\n')
    body = "\r\n".join(parts).encode()
    answer = Raw(node).plain("POST", f"/{source}", {"content-type": "multipart/form-data; boundary=b"}, body)
    assert answer.status == 204
    (line,) = delivered(s3, target, lambda lines: len(lines) >= 1)
    assert (line["operation"], line["key"], line["requester"]) == ("REST.POST.BUCKET", "by-form", OWNER)


def test_keys_of_log_objects(s3: "S3Client", source: str, target: str) -> None:
    day = time.strftime("%Y/%m/%d", time.gmtime())
    date = day.replace("/", "-")
    folder = f"log/{ACCOUNT}/us-east-1/{source}/{day}/"
    for form, expected in (
        ({"SimplePrefix": {}}, rf"log/{date}-\d\d-\d\d-\d\d-[0-9A-F]{{16}}"),
        ({"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}, rf"{folder}{date}-00-00-00-[0-9A-F]{{16}}"),
        (
            {"PartitionedPrefix": {"PartitionDateSource": "DeliveryTime"}},
            rf"{folder}{date}-\d\d-\d\d-\d\d-[0-9A-F]{{16}}",
        ),
    ):
        log(s3, source, target, TargetObjectKeyFormat=form)
        got: Any = s3.get_bucket_logging(Bucket=source)["LoggingEnabled"]
        assert got["TargetObjectKeyFormat"] == form
        known = set(objects(s3, target))
        s3.list_objects_v2(Bucket=source)
        deadline = time.monotonic() + 30
        while not any(re.fullmatch(expected, key) for key in set(objects(s3, target)) - known):
            assert time.monotonic() < deadline, (expected, set(objects(s3, target)) - known)
            time.sleep(0.1)


def test_lines_that_wait_when_the_node_stops_are_delivered(tmp_path: Path) -> None:
    node = Node(tmp_path / "data")
    node.start()
    try:
        s3 = node.client()
        for name in ("ticks", "logs"):
            s3.create_bucket(Bucket=name)
        s3.put_bucket_policy(Bucket="logs", Policy=policy("logs"))
        log(s3, "ticks", "logs")
        for _ in range(5):
            s3.list_objects_v2(Bucket="ticks")
        assert objects(s3, "logs") == {}, "they wait for five minutes"
        node.stop()
        node.start()
        (text,) = objects(node.client(), "logs").values()
        assert text.count("REST.GET.BUCKET") == 5
    finally:
        node.close()


def test_an_object_is_delivered_once_it_is_large(tmp_path: Path) -> None:
    node = Node(tmp_path / "data")
    node.start()
    try:
        s3 = node.client()
        for name in ("ticks", "logs"):
            s3.create_bucket(Bucket=name)
        s3.put_bucket_policy(Bucket="logs", Policy=policy("logs"))
        log(s3, "ticks", "logs")
        key = "k" * 1000
        while not objects(s3, "logs"):
            for _ in range(100):
                with refused("404", 404):
                    s3.head_object(Bucket="ticks", Key=key)
        (text,) = objects(s3, "logs").values()
        assert 1 << 20 <= len(text) < (1 << 20) + 10_000
    finally:
        node.close()


def test_a_bucket_logged_to_itself_does_not_grow_by_that(s3: "S3Client", target: str) -> None:
    log(s3, target, target)
    s3.head_bucket(Bucket=target)
    time.sleep(2)
    stop(s3, target)
    time.sleep(1)
    lines = [line for text in objects(s3, target).values() for line in text.splitlines()]
    assert [FIELD.findall(line)[6] for line in lines] == ["REST.HEAD.BUCKET", "REST.PUT.LOGGING_STATUS"]


def test_what_is_not_let_is_lost_and_counted(node: Node, s3: "S3Client", source: str) -> None:
    def lost() -> float:
        text = httpx.get(f"{node.control}/metrics").text
        return float(re.findall(r"^packstone_s3_log_lines_lost_total (\S+)", text, re.MULTILINE)[0])

    s3.create_bucket(Bucket=f"shut-{source}")
    log(s3, source, f"shut-{source}")
    before = lost()
    s3.list_objects_v2(Bucket=source)
    deadline = time.monotonic() + 30
    while lost() == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert objects(s3, f"shut-{source}") == {}
    assert "access log lines could not be delivered" in node.log()


def test_whose_logs_a_target_takes(s3: "S3Client", source: str, target: str) -> None:
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"}}
    s3.put_bucket_policy(Bucket=target, Policy=policy(target, Condition=condition))
    other = f"other-{source}"
    s3.create_bucket(Bucket=other)
    log(s3, other, target)
    log(s3, source, target)
    s3.list_objects_v2(Bucket=other)
    s3.list_objects_v2(Bucket=source)
    lines = delivered(s3, target, lambda lines: len(lines) >= 1)
    time.sleep(1)
    assert {line["bucket"] for line in lines} == {source}


def test_by_acl(s3: "S3Client", source: str) -> None:
    target = f"by-acl-{source}"
    s3.create_bucket(Bucket=target, ObjectOwnership="BucketOwnerPreferred")
    with refused(UNFIT, 400):
        log(s3, source, target)
    s3.put_bucket_acl(Bucket=target, GrantWrite=GROUP, GrantFullControl=f"id={OWNER}")
    with refused(UNFIT, 400):
        log(s3, source, target)
    s3.put_bucket_acl(Bucket=target, ACL="log-delivery-write")  # type: ignore[arg-type]
    readers = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}
    log(s3, source, target, TargetGrants=[{"Grantee": readers, "Permission": "READ"}])
    s3.list_objects_v2(Bucket=source)
    delivered(s3, target, lambda lines: len(lines) >= 1)
    acl = s3.get_object_acl(Bucket=target, Key=next(iter(objects(s3, target))))
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL", "READ"]
    assert acl["Grants"][1]["Grantee"]["URI"] == readers["URI"]


def test_a_policy_may_stand_for_the_acl(s3: "S3Client", source: str) -> None:
    target = f"by-policy-{source}"
    s3.create_bucket(Bucket=target, ObjectOwnership="BucketOwnerPreferred")
    s3.put_bucket_policy(Bucket=target, Policy=policy(target))
    log(s3, source, target)
    s3.list_objects_v2(Bucket=source)
    delivered(s3, target, lambda lines: len(lines) >= 1)


def test_a_target_that_encrypts(s3: "S3Client", source: str, target: str) -> None:
    encrypt(s3, target, "AES256")
    log(s3, source, target)
    s3.list_objects_v2(Bucket=source)
    delivered(s3, target, lambda lines: len(lines) >= 1)
    told = s3.head_object(Bucket=target, Key=next(iter(objects(s3, target))))
    assert told["ServerSideEncryption"] == "AES256"


def test_targets_that_do_not_fit(s3: "S3Client", source: str, target: str) -> None:
    with refused(UNFIT, 400):
        log(s3, source, "no-such-bucket")
    locked = f"locked-{source}"
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    log(s3, source, locked)
    default: Any = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=default)
    with refused(UNFIT, 400):
        log(s3, source, locked)
    keyed = f"keyed-{source}"
    s3.create_bucket(Bucket=keyed)
    encrypt(s3, keyed, "aws:kms")
    with refused(UNFIT, 400):
        log(s3, source, keyed)
    s3.put_bucket_request_payment(Bucket=target, RequestPaymentConfiguration={"Payer": "Requester"})
    with refused(UNFIT, 400):
        log(s3, source, target)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (
            {"TargetGrants": [{"Grantee": {"Type": "CanonicalUser", "ID": OWNER}, "Permission": "READ"}]},
            "AccessControlListNotSupported",
        ),
        ({"TargetObjectKeyFormat": {}}, "MalformedXML"),
        ({"TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "Noon"}}}, "MalformedXML"),
        (
            {"TargetObjectKeyFormat": {"SimplePrefix": {}, "PartitionedPrefix": {"PartitionDateSource": "EventTime"}}},
            "MalformedXML",
        ),
        ({"TargetPrefix": "p" * 801}, "InvalidArgument"),
    ],
)
def test_configurations_that_are_refused(
    s3: "S3Client", source: str, target: str, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as fault:
        log(s3, source, target, **more)
    assert fault.value.response["Error"]["Code"] == code
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=source)
