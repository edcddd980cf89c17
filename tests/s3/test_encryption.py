"""Server-side encryption: what is asked for, what answers say, and who reads what."""

import base64
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.certificate import certify
from tests.refusal import refused
from tests.served import REGION, Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB: Final = 1 << 20
BODY: Final = b"2026-01-05T09:30:00.123456,ES,4501.25,3\n" * 1000
LARGE: Final = bytes(range(256)) * (5 * MIB // 256) + b"tail"
ARN: Final = f"arn:aws:kms:{REGION}:000000000000:key/"
CUSTOMER: Final[Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
OTHER: Final[Any] = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "o" * 32}
_NUMBERS: Final = itertools.count()


@pytest.fixture(scope="module")
def tls_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("encryption")
    node = Node(folder / "data", certify(folder))
    node.start()
    node.command("kms", "make", "desk")
    yield node
    node.close()
    for word in ("Traceback", "panicked", " ERROR "):
        assert word not in node.log(), node.log()[-3000:]


@pytest.fixture(scope="module")
def tls(tls_node: Node) -> "S3Client":
    return tls_node.client()


@pytest.fixture
def tls_bare(tls_node: Node, monkeypatch: pytest.MonkeyPatch) -> "S3Client":
    """A client that announces no checksum unless it is asked to."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    return tls_node.client()


@pytest.fixture
def vault(tls: "S3Client") -> str:
    """An empty bucket on the node that serves TLS."""
    name = f"vault-{next(_NUMBERS)}"
    tls.create_bucket(Bucket=name)
    return name


def said(answer: Any) -> dict[str, str]:
    """What an answer says of encryption, by the rest of the headers' names."""
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    begin = "x-amz-server-side-encryption"
    return {name[len(begin) :]: value for name, value in headers.items() if name.startswith(begin)}


def default(client: "S3Client", bucket: str, **default: str) -> None:
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"ServerSideEncryption": "AES256"}, {"": "AES256"}),
        ({"ServerSideEncryption": "aws:kms"}, {"": "aws:kms", "-aws-kms-key-id": ARN + "aws-s3"}),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "desk"}, {"": "aws:kms", "-aws-kms-key-id": ARN + "desk"}),
        (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ARN + "desk", "BucketKeyEnabled": True},
            {"": "aws:kms", "-aws-kms-key-id": ARN + "desk", "-bucket-key-enabled": "true"},
        ),
    ],
)
@pytest.mark.parametrize("body", [b"", b"x", BODY, LARGE], ids=["empty", "byte", "small", "large"])
def test_the_server_keeps_the_key(
    tls: "S3Client", vault: str, body: bytes, asked: dict[str, Any], told: dict[str, str]
) -> None:
    put = tls.put_object(Bucket=vault, Key="k", Body=body, **asked)
    assert said(put) == told
    got = tls.get_object(Bucket=vault, Key="k")
    assert said(got) == told
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"]
    is_md5 = put["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert is_md5 == (asked["ServerSideEncryption"] == "AES256")
    head = tls.head_object(Bucket=vault, Key="k")
    assert (said(head), head["ContentLength"]) == (told, len(body))
    if len(body) > 10:
        part = tls.get_object(Bucket=vault, Key="k", Range=f"bytes=3-{len(body) - 4}")
        assert part["Body"].read() == body[3:-3]


@pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["empty", "small", "large"])
def test_the_client_keeps_the_key(tls: "S3Client", vault: str, body: bytes) -> None:
    md5 = base64.b64encode(hashlib.md5(CUSTOMER["SSECustomerKey"].encode(), usedforsecurity=False).digest()).decode()
    told = {"-customer-algorithm": "AES256", "-customer-key-md5": md5}
    assert said(tls.put_object(Bucket=vault, Key="k", Body=body, **CUSTOMER)) == told
    got = tls.get_object(Bucket=vault, Key="k", **CUSTOMER)
    assert (said(got), got["Body"].read()) == (told, body)
    assert said(tls.head_object(Bucket=vault, Key="k", **CUSTOMER)) == told
    with refused("InvalidRequest", 400):
        tls.get_object(Bucket=vault, Key="k")
    with refused("400", 400):
        tls.head_object(Bucket=vault, Key="k")
    with refused("AccessDenied", 403):
        tls.get_object(Bucket=vault, Key="k", **OTHER)
    attributes: Any = ["ObjectSize"]
    # boto3 encodes the key of this verb for nobody.
    key = base64.b64encode(CUSTOMER["SSECustomerKey"].encode()).decode()
    encoded: Any = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key, "SSECustomerKeyMD5": md5}
    told_attributes = tls.get_object_attributes(Bucket=vault, Key="k", ObjectAttributes=attributes, **encoded)
    assert told_attributes["ObjectSize"] == len(body)
    with refused("InvalidRequest", 400):
        tls.get_object_attributes(Bucket=vault, Key="k", ObjectAttributes=attributes)
    tls.put_object(Bucket=vault, Key="plain", Body=body)
    with refused("InvalidRequest", 400):
        tls.get_object(Bucket=vault, Key="plain", **CUSTOMER)


def test_a_key_never_comes_in_the_clear(s3: "S3Client", bucket: str) -> None:
    with refused("InvalidRequest", 400, "secure connection"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **CUSTOMER)
    with refused("InvalidRequest", 400, "secure connection"):
        s3.get_object(Bucket=bucket, Key="k", **CUSTOMER)


def test_a_buckets_default(tls: "S3Client", vault: str) -> None:
    default(tls, vault, SSEAlgorithm="AES256")
    assert said(tls.put_object(Bucket=vault, Key="a", Body=BODY)) == {"": "AES256"}
    default(tls, vault, SSEAlgorithm="aws:kms", KMSMasterKeyID="desk")
    by_kms = {"": "aws:kms", "-aws-kms-key-id": ARN + "desk", "-bucket-key-enabled": "true"}
    assert said(tls.put_object(Bucket=vault, Key="b", Body=BODY)) == by_kms
    assert said(tls.put_object(Bucket=vault, Key="c", Body=BODY, ServerSideEncryption="AES256")) == {"": "AES256"}
    assert "-customer-algorithm" in said(tls.put_object(Bucket=vault, Key="d", Body=BODY, **CUSTOMER))
    upload = tls.create_multipart_upload(Bucket=vault, Key="e")
    assert said(upload) == by_kms
    tls.delete_bucket_encryption(Bucket=vault)
    assert said(tls.put_object(Bucket=vault, Key="f", Body=BODY)) == {}
    for key in "abcf":
        assert tls.get_object(Bucket=vault, Key=key)["Body"].read() == BODY


def test_a_default_that_is_not_done_is_refused(tls: "S3Client", vault: str) -> None:
    with refused("NotImplemented", 501):
        default(tls, vault, SSEAlgorithm="aws:kms:dsse")


@pytest.mark.parametrize(
    "asked", [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "desk"}, CUSTOMER]
)
def test_parts(tls: "S3Client", vault: str, asked: dict[str, Any]) -> None:
    customer = asked if asked is CUSTOMER else {}
    upload = tls.create_multipart_upload(Bucket=vault, Key="k", **asked)
    first = said(upload)
    assert first
    of: Any = {"Bucket": vault, "Key": "k", "UploadId": upload["UploadId"]}
    parts = []
    for number, body in enumerate((LARGE, BODY, b"end"), 1):
        part = (
            tls.upload_part(Body=LARGE + body, PartNumber=number, **of, **customer)
            if number < 3
            else tls.upload_part(Body=body, PartNumber=number, **of, **customer)
        )
        assert said(part) == first
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    if customer:
        with refused("InvalidRequest", 400):
            tls.upload_part(Body=b"x", PartNumber=4, **of)
        with refused("InvalidRequest", 400, "did not match the ones used originally"):
            tls.upload_part(Body=b"x", PartNumber=4, **of, **OTHER)
    done: Any = {"Parts": parts}
    assert said(tls.complete_multipart_upload(MultipartUpload=done, **of, **customer)) == first
    whole = LARGE + LARGE + LARGE + BODY + b"end"
    assert tls.get_object(Bucket=vault, Key="k", **customer)["Body"].read() == whole
    cut = 2 * len(LARGE)
    got = tls.get_object(Bucket=vault, Key="k", Range=f"bytes={cut - 5}-{cut + 5}", **customer)
    assert got["Body"].read() == whole[cut - 5 : cut + 6]
    second = tls.get_object(Bucket=vault, Key="k", PartNumber=2, **customer)
    assert (second["ContentLength"], second["PartsCount"]) == (len(LARGE) + len(BODY), 3)


@pytest.mark.parametrize("announced", [{"ChecksumAlgorithm": "CRC32"}, {}], ids=["checksum", "no checksum"])
def test_completing_asks_for_the_key_where_there_will_be_a_checksum(
    tls_bare: "S3Client", vault: str, announced: dict[str, Any]
) -> None:
    upload = tls_bare.create_multipart_upload(Bucket=vault, Key="k", **announced, **CUSTOMER)["UploadId"]
    of: Any = {"Bucket": vault, "Key": "k", "UploadId": upload}
    part = tls_bare.upload_part(Body=BODY, PartNumber=1, **of, **CUSTOMER)
    done: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    # Asked again, as by a client that lost the first answer.
    for _ in range(2):
        if announced:
            with refused("InvalidRequest", 400, "must include the appropriate encryption parameters"):
                tls_bare.complete_multipart_upload(MultipartUpload=done, **of)
        with refused("InvalidRequest", 400, "did not match the ones used originally"):
            tls_bare.complete_multipart_upload(MultipartUpload=done, **of, **OTHER)
        tls_bare.complete_multipart_upload(MultipartUpload=done, **of, **(CUSTOMER if announced else {}))
    assert tls_bare.get_object(Bucket=vault, Key="k", **CUSTOMER)["Body"].read() == BODY


def test_completing_takes_no_key_that_the_upload_has_none_of(tls: "S3Client", vault: str) -> None:
    upload = tls.create_multipart_upload(Bucket=vault, Key="k", ServerSideEncryption="AES256")["UploadId"]
    of: Any = {"Bucket": vault, "Key": "k", "UploadId": upload}
    done: Any = {"Parts": [{"PartNumber": 1, "ETag": tls.upload_part(Body=BODY, PartNumber=1, **of)["ETag"]}]}
    with refused("InvalidRequest", 400):
        tls.complete_multipart_upload(MultipartUpload=done, **of, **CUSTOMER)
    tls.complete_multipart_upload(MultipartUpload=done, **of)


def test_copies_change_keys(tls: "S3Client", vault: str) -> None:
    tls.put_object(Bucket=vault, Key="a", Body=BODY, **CUSTOMER)
    source: Any = {"Bucket": vault, "Key": "a"}
    with refused("InvalidRequest", 400):
        tls.copy_object(Bucket=vault, Key="b", CopySource=source)
    held: Any = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": CUSTOMER["SSECustomerKey"]}
    assert said(tls.copy_object(Bucket=vault, Key="b", CopySource=source, **held)) == {}
    answer = tls.copy_object(Bucket=vault, Key="c", CopySource=source, ServerSideEncryption="AES256", **held)
    assert said(answer) == {"": "AES256"}
    tls.copy_object(Bucket=vault, Key="d", CopySource=source, **held, **OTHER)
    # Onto itself, which changes the key.
    tls.copy_object(Bucket=vault, Key="c", CopySource={"Bucket": vault, "Key": "c"}, ServerSideEncryption="aws:kms")
    assert tls.get_object(Bucket=vault, Key="b")["Body"].read() == BODY
    got = tls.get_object(Bucket=vault, Key="c")
    assert (said(got)[""], got["Body"].read()) == ("aws:kms", BODY)
    assert tls.get_object(Bucket=vault, Key="d", **OTHER)["Body"].read() == BODY
    with refused("AccessDenied", 403):
        tls.get_object(Bucket=vault, Key="d", **CUSTOMER)
    upload = tls.create_multipart_upload(Bucket=vault, Key="e", ServerSideEncryption="AES256")["UploadId"]
    part = tls.upload_part_copy(Bucket=vault, Key="e", UploadId=upload, PartNumber=1, CopySource=source, **held)
    parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    tls.complete_multipart_upload(Bucket=vault, Key="e", UploadId=upload, MultipartUpload=parts)
    assert tls.get_object(Bucket=vault, Key="e")["Body"].read() == BODY


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"": "AES128"}, 400, "InvalidEncryptionAlgorithmError"),
        ({"": "aws:kms:dsse"}, 501, "NotImplemented"),
        ({"": "aws:kms", "-aws-kms-key-id": "absent"}, 400, "KMS.NotFoundException"),
        ({"": "aws:kms", "-aws-kms-key-id": "arn:aws:s3:::bucket"}, 400, "KMS.NotFoundException"),
        ({"": "aws:kms", "-aws-kms-key-id": "arn:aws:kms:us-east-1:1:key/desk"}, 400, "KMS.NotFoundException"),
        ({"": "AES256", "-context": "e30="}, 400, "InvalidArgument"),
        ({"-context": "e30="}, 400, "InvalidArgument"),
        ({"": "AES256", "-aws-kms-key-id": "desk"}, 400, "InvalidArgument"),
        ({"-aws-kms-key-id": "desk"}, 400, "InvalidArgument"),
        ({"": "aws:kms", "-context": "e30"}, 400, "InvalidArgument"),
        ({"": "aws:kms", "-context": base64.b64encode(b"[1]").decode()}, 400, "InvalidArgument"),
    ],
)
def test_what_is_no_encryption(raw: Raw, bucket: str, headers: dict[str, str], status: int, code: str) -> None:
    named = {f"x-amz-server-side-encryption{name}": value for name, value in headers.items()}
    answer = raw.send("PUT", f"/{bucket}/k", named, b"x")
    assert (answer.status, answer.code) == (status, code)
    assert raw.send("HEAD", f"/{bucket}/k").status == 404


@pytest.mark.parametrize("name", ["x-amz-server-side-encryption", "X-Amz-Server-Side-Encryption-Customer-Key"])
def test_no_parameter_asks_for_encryption(raw: Raw, bucket: str, name: str) -> None:
    assert raw.send("PUT", f"/{bucket}/k?{name}=AES256", {}, b"x").status == 501
    assert raw.send("HEAD", f"/{bucket}/k").status == 404


def test_a_reader_asks_for_no_method(raw: Raw, bucket: str) -> None:
    assert raw.send("PUT", f"/{bucket}/k", {}, b"x").status == 200
    answer = raw.send("GET", f"/{bucket}/k", {"x-amz-server-side-encryption": "AES256"})
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_context_is_bound(tls: "S3Client", vault: str) -> None:
    context = base64.b64encode(json.dumps({"desk": "fx"}).encode()).decode()
    by: Any = {"ServerSideEncryption": "aws:kms", "SSEKMSEncryptionContext": context}
    put = tls.put_object(Bucket=vault, Key="k", Body=BODY, **by)
    got = tls.get_object(Bucket=vault, Key="k")
    assert got["Body"].read() == BODY
    # Who makes an object is told its context; who reads it is not, as on AWS.
    copied = tls.copy_object(Bucket=vault, Key="copy", CopySource=f"{vault}/k", **by)
    opened = tls.create_multipart_upload(Bucket=vault, Key="parts", **by)
    assert [told["SSEKMSEncryptionContext"] for told in (put, copied, opened)] == [context] * 3
    assert "x-amz-server-side-encryption-context" not in got["ResponseMetadata"]["HTTPHeaders"]
    plain = tls.put_object(Bucket=vault, Key="k", Body=BODY, ServerSideEncryption="aws:kms")
    assert "SSEKMSEncryptionContext" not in plain


@pytest.fixture
def policy(tls_node: Node, tmp_path: Path) -> Callable[..., None]:
    """Says what the user quant may do beside all of S3."""
    file = tmp_path / "policy.json"

    def put(*statements: dict[str, str], verb: str = "replace") -> None:
        objects = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [objects, *statements]}))
        tls_node.command("policy", verb, "quants", file)

    return put


@pytest.fixture
def quant(tls_node: Node, policy: Callable[..., None]) -> Iterator["S3Client"]:
    """A user who may do everything of S3, and nothing of the KMS."""
    tls_node.command("user", "make", "quant")
    made = json.loads(tls_node.command("key", "make", "quant", "--json"))
    policy(verb="make")
    tls_node.command("policy", "attach", "quants", "--user", "quant")
    yield tls_node.client(made["access_key"], made["secret_key"])
    tls_node.command("policy", "detach", "quants", "--user", "quant")
    tls_node.command("policy", "rm", "quants")
    tls_node.command("user", "rm", "quant")


BY_DESK: Final[Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "desk"}


def test_who_may_use_a_key(tls: "S3Client", quant: "S3Client", vault: str, policy: Callable[..., None]) -> None:
    tls.put_object(Bucket=vault, Key="k", Body=BODY, **BY_DESK)
    quant.put_object(Bucket=vault, Key="own", Body=BODY, ServerSideEncryption="aws:kms")
    with refused("AccessDenied", 403, "kms:Decrypt"):
        quant.get_object(Bucket=vault, Key="k")
    with refused("AccessDenied", 403, "kms:GenerateDataKey"):
        quant.put_object(Bucket=vault, Key="k", Body=BODY, **BY_DESK)
    with refused("AccessDenied", 403):
        quant.copy_object(Bucket=vault, Key="c", CopySource={"Bucket": vault, "Key": "k"})
    attributes: Any = ["Checksum"]
    with refused("AccessDenied", 403, "kms:Decrypt"):
        quant.get_object_attributes(Bucket=vault, Key="k", ObjectAttributes=attributes)
    policy({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ARN + "desk"})
    assert quant.get_object(Bucket=vault, Key="k")["Body"].read() == BODY
    with refused("AccessDenied", 403):
        quant.put_object(Bucket=vault, Key="k", Body=BODY, **BY_DESK)
    policy({"Effect": "Deny", "Action": "kms:*", "Resource": ARN + "aws-s3"})
    with refused("AccessDenied", 403, "explicit deny"):
        quant.get_object(Bucket=vault, Key="own")


def test_who_may_add_to_an_upload(tls: "S3Client", quant: "S3Client", vault: str) -> None:
    with refused("AccessDenied", 403):
        quant.create_multipart_upload(Bucket=vault, Key="k", **BY_DESK)
    quant.put_object(Bucket=vault, Key="own", Body=BODY)
    of: Any = {"Bucket": vault, "Key": "k"}
    of["UploadId"] = tls.create_multipart_upload(**of, **BY_DESK)["UploadId"]
    with refused("AccessDenied", 403, "kms:GenerateDataKey"):
        quant.upload_part(PartNumber=1, Body=BODY, **of)
    with refused("AccessDenied", 403, "kms:GenerateDataKey"):
        quant.upload_part_copy(PartNumber=1, CopySource={"Bucket": vault, "Key": "own"}, **of)
    with refused("AccessDenied", 403, "kms:Decrypt"):
        quant.list_parts(**of)
    part: Any = tls.upload_part(PartNumber=1, Body=BODY, **of)
    done: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    with refused("AccessDenied", 403, "kms:GenerateDataKey"):
        quant.complete_multipart_upload(MultipartUpload=done, **of)
    tls.complete_multipart_upload(MultipartUpload=done, **of)


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        ({"ServerSideEncryption": "AES256"}, {}),
        ({"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "AES256"}),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "desk"}, {}),
        (CUSTOMER, CUSTOMER),
    ],
)
@pytest.mark.parametrize("first", [b"", b"small", LARGE])
def test_appends_and_renames(tls: "S3Client", vault: str, asked: Any, again: Any, first: bytes) -> None:
    tls.put_object(Bucket=vault, Key="k", Body=first, **asked)
    made = tls.put_object(Bucket=vault, Key="k", Body=BODY, WriteOffsetBytes=len(first), **(again if first else asked))
    tls.put_object(Bucket=vault, Key="k", Body=b"tail", WriteOffsetBytes=len(first + BODY), **again)
    tls.rename_object(Bucket=vault, Key="l", RenameSource="k")
    key = CUSTOMER if asked is CUSTOMER else {}
    got = tls.get_object(Bucket=vault, Key="l", **key)
    assert got["Body"].read() == first + BODY + b"tail"
    assert said(got) == said(made)
    assert said(got)
    part = tls.get_object(Bucket=vault, Key="l", PartNumber=2 if first else 1, **key)
    assert part["Body"].read() == BODY


def test_what_is_appended_is_encrypted_as_the_object_is(
    tls: "S3Client", vault: str, s3: "S3Client", raw: Raw, bucket: str
) -> None:
    tls.put_object(Bucket=vault, Key="plain", Body=b"x")
    with refused("InvalidRequest", 400):
        tls.put_object(Bucket=vault, Key="plain", Body=b"y", WriteOffsetBytes=1, ServerSideEncryption="AES256")
    tls.put_object(Bucket=vault, Key="own", Body=b"x", **CUSTOMER)
    wrongs: list[Any] = [{}, OTHER]
    for wrong in wrongs:
        with pytest.raises(ClientError):
            tls.put_object(Bucket=vault, Key="own", Body=b"y", WriteOffsetBytes=1, **wrong)
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    rename = {"x-amz-rename-source": "plain", "x-amz-server-side-encryption": "AES256"}
    assert raw.send("PUT", f"/{bucket}/l?renameObject", rename).status == 501


def test_an_append_names_the_key_and_context_of_the_object_or_none(
    tls: "S3Client", quant: "S3Client", vault: str
) -> None:
    context = base64.b64encode(b'{"desk": "fx"}').decode()
    tls.put_object(Bucket=vault, Key="k", Body=b"x", SSEKMSEncryptionContext=context, **BY_DESK)
    at: Any = {"Bucket": vault, "Key": "k", "Body": b"y"}
    for wrong in [
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "bond"},
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ARN + "aws-s3"},
        {"ServerSideEncryption": "AES256"},
        BY_DESK | {"SSEKMSEncryptionContext": base64.b64encode(b"{}").decode()},
    ]:
        with refused("InvalidRequest", 400):
            tls.put_object(WriteOffsetBytes=1, **at, **wrong)
    with refused("AccessDenied", 403, "kms:GenerateDataKey"):
        quant.put_object(WriteOffsetBytes=1, **at, **BY_DESK)
    tls.put_object(WriteOffsetBytes=1, **at, ServerSideEncryption="aws:kms", SSEKMSKeyId=ARN + "desk")
    tls.put_object(WriteOffsetBytes=2, **at, SSEKMSEncryptionContext=context, **BY_DESK)
    assert tls.get_object(Bucket=vault, Key="k")["Body"].read() == b"xyy"


def test_an_upload_may_end_with_a_part_without_bytes(tls: "S3Client", vault: str) -> None:
    upload = tls.create_multipart_upload(Bucket=vault, Key="k", ServerSideEncryption="AES256")["UploadId"]
    parts: Any = [
        {
            "PartNumber": number,
            "ETag": tls.upload_part(Bucket=vault, Key="k", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in [(1, LARGE), (2, b"")]
    ]
    tls.complete_multipart_upload(Bucket=vault, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert tls.get_object(Bucket=vault, Key="k")["Body"].read() == LARGE


def test_keys_of_the_kms_are_listed_and_made_once(tls_node: Node) -> None:
    tls_node.command("kms", "make", "once")
    assert "there is a key once already" in tls_node.command("kms", "make", "once", code=1)
    assert "1 to 128 letters" in tls_node.command("kms", "make", "a/b", code=1)
    listed = json.loads(tls_node.command("kms", "ls", "--json"))
    assert {"desk", "once"} <= {key["id"] for key in listed}
    assert "once" in tls_node.command("kms", "ls")


def test_it_survives_a_kill_and_needs_its_master_key(tmp_path: Path) -> None:
    node = Node(tmp_path / "data")
    node.start()
    s3 = node.client()
    s3.create_bucket(Bucket="vault")
    # Neither compresses, so that what isn't encrypted is found as it is.
    secret, plain = random.Random(1).randbytes(4096), random.Random(2).randbytes(4096)
    s3.put_object(Bucket="vault", Key="k", Body=BODY, ServerSideEncryption="AES256")
    s3.put_object(Bucket="vault", Key="secret", Body=secret, ServerSideEncryption="AES256")
    s3.put_object(Bucket="vault", Key="open", Body=plain)
    node.kill()
    file = node.data / "master-key"
    key = file.read_text()
    file.write_text("0" * 64 + "\n")
    node.start()
    s3 = node.client()
    assert "can't be read or written until the right one is put back" in node.log()
    assert "the right one is put back" in node.command("status", "--json")
    with refused("ServiceUnavailable", 503):
        s3.get_object(Bucket="vault", Key="k")
    with refused("ServiceUnavailable", 503):
        s3.put_object(Bucket="vault", Key="l", Body=BODY, ServerSideEncryption="aws:kms")
    s3.put_object(Bucket="vault", Key="plain", Body=b"x")
    node.kill()
    file.write_text(key)
    node.start()
    assert node.client().get_object(Bucket="vault", Key="k")["Body"].read() == BODY
    assert "the right one is put back" not in node.command("status", "--json")
    node.kill()
    node.command("rebuild-index")
    node.start()
    assert node.client().get_object(Bucket="vault", Key="k")["Body"].read() == BODY
    node.close()
    files = [path.read_bytes() for path in node.data.rglob("*") if path.is_file()]
    assert any(plain[:64] in content for content in files)
    assert not any(secret[:64] in content for content in files)
