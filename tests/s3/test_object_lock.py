"""Object lock as clients meet it: retention, legal hold, defaults, and what they hold against."""

import datetime as dt
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NUMBERS: Final = itertools.count()
MD5_OF_X: Final = "ndTkYSaMgDT1yFZOFVxnpg=="


def later(days: int = 1) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)


def retention(mode: str, until: dt.datetime) -> Any:
    return {"Mode": mode, "RetainUntilDate": until}


@pytest.fixture
def locked(s3: "S3Client") -> str:
    """A bucket with object lock."""
    name = f"locked-{next(_NUMBERS)}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def put(s3: "S3Client", bucket: str, **more: Any) -> str:
    return s3.put_object(Bucket=bucket, Key="k", Body=b"kept", **more)["VersionId"]


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


DENIED: Final = ("AccessDenied", "Access Denied because object protected by object lock.")


def test_a_bucket_is_made_with_it(s3: "S3Client", locked: str) -> None:
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled"
    }
    suspended: Any = {"Status": "Suspended"}
    assert refused(s3.put_bucket_versioning, Bucket=locked, VersioningConfiguration=suspended) == (
        "InvalidBucketState",
        "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
    )


def test_a_bucket_gets_it_once_it_keeps_versions(s3: "S3Client", bucket: str) -> None:
    enabled: Any = {"ObjectLockEnabled": "Enabled"}
    put_lock = s3.put_object_lock_configuration
    assert refused(s3.get_object_lock_configuration, Bucket=bucket)[0] == "ObjectLockConfigurationNotFoundError"
    assert refused(put_lock, Bucket=bucket, ObjectLockConfiguration=enabled)[0] == "InvalidBucketState"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put_lock(Bucket=bucket, ObjectLockConfiguration=enabled)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == enabled


@pytest.mark.parametrize(("unit", "days"), [("Days", 3), ("Years", 365)])
def test_a_default_holds_what_comes(s3: "S3Client", locked: str, unit: str, days: int) -> None:
    count = 3 if unit == "Days" else 1
    rule: Any = {"DefaultRetention": {"Mode": "GOVERNANCE", unit: count}}
    configuration: Any = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == configuration
    version = put(s3, locked)
    head = s3.head_object(Bucket=locked, Key="k")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert abs(head["ObjectLockRetainUntilDate"] - later(days)) < dt.timedelta(minutes=1)
    assert refused(s3.delete_object, Bucket=locked, Key="k", VersionId=version) == DENIED


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<ObjectLockEnabled>Disabled</ObjectLockEnabled>", "MalformedXML"),
        ("<ObjectLockEnabled>enabled</ObjectLockEnabled>", "MalformedXML"),
        ("", "MalformedXML"),
        ("{on}<Rule></Rule>", "MalformedXML"),
        ("{on}<Rule><DefaultRetention><Mode>GOVERNANCE</Mode></DefaultRetention></Rule>", "MalformedXML"),
        ("{on}<Rule><DefaultRetention><Days>1</Days></DefaultRetention></Rule>", "MalformedXML"),
        ("{on}<Rule><DefaultRetention><Mode>SOFT</Mode><Days>1</Days></DefaultRetention></Rule>", "MalformedXML"),
        (
            "{on}<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years></DefaultRetention></Rule>",
            "MalformedXML",
        ),
        (
            "{on}<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>0</Days></DefaultRetention></Rule>",
            "InvalidRetentionPeriod",
        ),
        (
            "{on}<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Years>-1</Years></DefaultRetention></Rule>",
            "InvalidRetentionPeriod",
        ),
        (
            "{on}<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>36501</Days></DefaultRetention></Rule>",
            "InvalidArgument",
        ),
    ],
)
def test_what_is_no_configuration(raw: Raw, s3: "S3Client", locked: str, document: str, code: str) -> None:
    content = document.replace("{on}", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>")
    body = f"<ObjectLockConfiguration>{content}</ObjectLockConfiguration>".encode()
    answer = raw.send("PUT", f"/{locked}?object-lock", {}, body)
    assert (answer.status, answer.code) == (400, code)
    assert "Rule" not in s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_version_under_retention_stays(s3: "S3Client", locked: str, mode: str) -> None:
    until = later()
    version = put(s3, locked, ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    held = s3.get_object_retention(Bucket=locked, Key="k")["Retention"]
    assert (held["Mode"], held["RetainUntilDate"]) == (mode, until)
    read = s3.get_object(Bucket=locked, Key="k")
    assert (read["ObjectLockMode"], read["ObjectLockRetainUntilDate"]) == (mode, until)

    named: Any = {"Bucket": locked, "Key": "k", "VersionId": version}
    assert refused(s3.delete_object, **named) == DENIED
    many = s3.delete_objects(Bucket=locked, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    assert (many["Errors"][0]["Code"], many["Errors"][0]["Message"]) == DENIED
    shorter: list[Any] = [retention(mode, until - dt.timedelta(hours=1)), {}]
    for changed in shorter:
        assert refused(s3.put_object_retention, Retention=changed, **named) == DENIED
    s3.put_object_retention(Retention=retention(mode, until + dt.timedelta(days=1)), **named)

    assert s3.delete_object(Bucket=locked, Key="k")["DeleteMarker"] is True
    put(s3, locked)
    assert s3.get_object(**named)["Body"].read() == b"kept"
    assert refused(s3.delete_bucket, Bucket=locked)[0] == "BucketNotEmpty"


def test_governance_gives_way_to_who_may_bypass_it(s3: "S3Client", locked: str) -> None:
    version = put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(9))
    named: Any = {"Bucket": locked, "Key": "k", "VersionId": version, "BypassGovernanceRetention": True}
    s3.put_object_retention(Retention=retention("GOVERNANCE", later()), **named)
    s3.put_object_retention(Retention={}, **named)
    assert refused(s3.get_object_retention, Bucket=locked, Key="k") == (
        "NoSuchObjectLockConfiguration",
        "The specified object does not have a ObjectLock configuration",
    )
    s3.put_object_retention(Retention=retention("GOVERNANCE", later()), **named)
    assert s3.delete_object(**named)["VersionId"] == version


def test_compliance_gives_way_to_nobody(s3: "S3Client", locked: str) -> None:
    until = later()
    version = put(s3, locked, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    named: Any = {"Bucket": locked, "Key": "k", "VersionId": version, "BypassGovernanceRetention": True}
    assert refused(s3.delete_object, **named) == DENIED
    weaker: list[Any] = [retention("GOVERNANCE", later(9)), retention("COMPLIANCE", until - dt.timedelta(1 / 24)), {}]
    for changed in weaker:
        assert refused(s3.put_object_retention, Retention=changed, **named) == DENIED
    objects: Any = [{"Key": "k", "VersionId": version}]
    many = s3.delete_objects(Bucket=locked, Delete={"Objects": objects}, BypassGovernanceRetention=True)
    assert many["Errors"][0]["Code"] == "AccessDenied"


def test_a_legal_hold_holds_until_it_is_taken_off(s3: "S3Client", locked: str) -> None:
    version = put(s3, locked)
    assert s3.get_object_legal_hold(Bucket=locked, Key="k")["LegalHold"]["Status"] == "OFF"
    s3.put_object_legal_hold(Bucket=locked, Key="k", LegalHold={"Status": "ON"})
    assert s3.head_object(Bucket=locked, Key="k")["ObjectLockLegalHoldStatus"] == "ON"
    named: Any = {"Bucket": locked, "Key": "k", "VersionId": version}
    assert refused(s3.delete_object, BypassGovernanceRetention=True, **named) == DENIED
    s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, **named)
    assert s3.get_object_legal_hold(**named)["LegalHold"]["Status"] == "OFF"
    s3.delete_object(**named)


def test_a_lock_comes_with_uploads_and_copies(s3: "S3Client", locked: str) -> None:
    until = later()
    lock: Any = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    upload = s3.create_multipart_upload(Bucket=locked, Key="parts", ObjectLockLegalHoldStatus="ON", **lock)["UploadId"]
    part = s3.upload_part(Bucket=locked, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    done: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=locked, Key="parts", UploadId=upload, MultipartUpload=done)
    head = s3.head_object(Bucket=locked, Key="parts")
    assert (head["ObjectLockMode"], head["ObjectLockLegalHoldStatus"]) == ("GOVERNANCE", "ON")

    source: Any = {"Bucket": locked, "Key": "parts"}
    s3.copy_object(Bucket=locked, Key="copy", CopySource=source)
    assert "ObjectLockMode" not in s3.head_object(Bucket=locked, Key="copy")
    s3.copy_object(Bucket=locked, Key="locked", CopySource=source, **lock)
    assert s3.head_object(Bucket=locked, Key="locked")["ObjectLockRetainUntilDate"] == until


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            {"mode": "COMPLIANCE"},
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
        ),
        (
            {"retain-until-date": "2099-01-01T00:00:00Z"},
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
        ),
        ({"mode": "SOFT", "retain-until-date": "2099-01-01T00:00:00Z"}, "Unknown wormMode directive."),
        (
            {"mode": "COMPLIANCE", "retain-until-date": "2020-01-01T00:00:00Z"},
            "The retain until date must be in the future!",
        ),
        ({"legal-hold": "MAYBE"}, "Legal Hold must be either of 'ON' or 'OFF'"),
        ({"mode": "COMPLIANCE", "retain-until-date": "tomorrow"}, None),
    ],
)
@pytest.mark.parametrize("verb", ["put", "upload", "copy"])
def test_locks_that_cant_be(
    raw: Raw, s3: "S3Client", locked: str, verb: str, headers: dict[str, str], message: str | None
) -> None:
    s3.put_object(Bucket=locked, Key="source", Body=b"")
    sent = {f"x-amz-object-lock-{name}": value for name, value in headers.items()}
    if verb == "copy":
        sent["x-amz-copy-source"] = f"/{locked}/source"
    method, target = ("POST", f"/{locked}/k?uploads") if verb == "upload" else ("PUT", f"/{locked}/k")
    body = b"x" if verb == "put" else b""
    answer = raw.send(method, target, sent | ({"content-md5": MD5_OF_X} if verb == "put" else {}), body)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    if message is not None:
        assert (answer.element("Message") or "").replace("&apos;", "'") == message
    assert raw.send("HEAD", f"/{locked}/k").status == 404


def test_a_locked_body_is_vouched_for(raw: Raw, locked: str) -> None:
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z"}
    answer = raw.send("PUT", f"/{locked}/k", lock, b"x")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert raw.send("PUT", f"/{locked}/k", lock | {"content-md5": MD5_OF_X}, b"x").status == 200


def test_a_bucket_without_lock_takes_none(s3: "S3Client", bucket: str) -> None:
    expected = ("InvalidRequest", "Bucket is missing Object Lock Configuration")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    named: Any = {"Bucket": bucket, "Key": "k"}
    until = later()
    assert refused(s3.put_object, Body=b"x", ObjectLockLegalHoldStatus="ON", **named) == expected
    assert (
        refused(s3.put_object, Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until, **named)
        == expected
    )
    assert refused(s3.put_object_retention, Retention=retention("COMPLIANCE", until), **named) == expected
    assert refused(s3.get_object_retention, **named) == expected
    assert refused(s3.put_object_legal_hold, LegalHold={"Status": "ON"}, **named) == expected
    assert refused(s3.get_object_legal_hold, **named) == expected
    assert refused(s3.create_multipart_upload, ObjectLockLegalHoldStatus="ON", **named) == expected


@pytest.mark.parametrize(
    "document",
    [
        "<Retention><Mode>COMPLIANCE</Mode></Retention>",
        "<Retention><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>",
        "<Retention><Mode>compliance</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>",
        "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>soon</RetainUntilDate></Retention>",
        "<LegalHold><Status>ON</Status></LegalHold>",
        "",
    ],
)
def test_what_is_no_retention(raw: Raw, s3: "S3Client", locked: str, document: str) -> None:
    put(s3, locked)
    answer = raw.send("PUT", f"/{locked}/k?retention", {}, document.encode())
    assert (answer.status, answer.code) in {(400, "MalformedXML"), (400, "MissingRequestBodyError")}
    assert "ObjectLockMode" not in s3.head_object(Bucket=locked, Key="k")


def test_a_retention_ends_in_the_future(s3: "S3Client", locked: str) -> None:
    put(s3, locked)
    past = retention("GOVERNANCE", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert refused(s3.put_object_retention, Bucket=locked, Key="k", Retention=past) == (
        "InvalidArgument",
        "The retain until date must be in the future!",
    )


def test_a_delete_marker_is_not_locked(s3: "S3Client", locked: str) -> None:
    put(s3, locked)
    marker = s3.delete_object(Bucket=locked, Key="k")["VersionId"]
    named: Any = {"Bucket": locked, "Key": "k", "VersionId": marker}
    assert (
        refused(s3.put_object_retention, Retention=retention("COMPLIANCE", later()), **named)[0] == "MethodNotAllowed"
    )
    assert refused(s3.get_object_legal_hold, **named)[0] == "MethodNotAllowed"
    s3.delete_object(**named)


def test_a_bypass_that_was_not_signed_for_is_refused(raw: Raw, s3: "S3Client", locked: str) -> None:
    version = put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later())
    parameters = {"Bucket": locked, "Key": "k", "VersionId": version}
    url = s3.generate_presigned_url("delete_object", Params=parameters)
    target = url.split("/", 3)[3]
    answer = raw.plain("DELETE", f"/{target}", {"x-amz-bypass-governance-retention": "true"}, b"")
    assert answer.status == 403
    assert s3.head_object(Bucket=locked, Key="k", VersionId=version)["ObjectLockMode"] == "GOVERNANCE"
