"""Configurations of buckets: given back as they came, and refused where AWS refuses them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TO: Final[dict[str, Any]] = {"Bucket": "arn:aws:s3:::replica"}
LIFECYCLE: Final[list[dict[str, Any]]] = [
    {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 30}},
    {"ID": "legacy", "Status": "Disabled", "Prefix": "", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    {
        "ID": "several",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 10}},
        "Transitions": [{"Days": 60, "StorageClass": "STANDARD_IA"}],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
    },
    {"ID": "all", "Status": "Enabled", "Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
]
# Verb, its argument, a value, what the answer is read from, and the error where there is none.
CONFIGURATIONS: Final[list[tuple[str, str, Any, str | None, str | None]]] = [
    (
        "bucket_cors",
        "CORSConfiguration",
        {
            "CORSRules": [
                {
                    "ID": "one",
                    "AllowedMethods": ["GET", "PUT"],
                    "AllowedOrigins": ["https://*.example.com", "*"],
                    "AllowedHeaders": ["x-amz-*"],
                    "ExposeHeaders": ["ETag"],
                    "MaxAgeSeconds": 60,
                }
            ]
        },
        None,
        "NoSuchCORSConfiguration",
    ),
    (
        "bucket_lifecycle_configuration",
        "LifecycleConfiguration",
        {"Rules": LIFECYCLE},
        None,
        "NoSuchLifecycleConfiguration",
    ),
    (
        "bucket_encryption",
        "ServerSideEncryptionConfiguration",
        {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]},
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    (
        "bucket_ownership_controls",
        "OwnershipControls",
        {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        "OwnershipControls",
        "OwnershipControlsNotFoundError",
    ),
    (
        "public_access_block",
        "PublicAccessBlockConfiguration",
        {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": False},
        "PublicAccessBlockConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
    ),
    ("bucket_tagging", "Tagging", {"TagSet": [{"Key": "desk", "Value": "fx"}]}, None, "NoSuchTagSet"),
    (
        "bucket_replication",
        "ReplicationConfiguration",
        {
            "Role": "arn:aws:iam::1:role/r",
            "Rules": [{"ID": "r", "Status": "Enabled", "Prefix": "", "Destination": _TO}],
        },
        "ReplicationConfiguration",
        "ReplicationConfigurationNotFoundError",
    ),
    ("bucket_accelerate_configuration", "AccelerateConfiguration", {"Status": "Enabled"}, None, None),
    ("bucket_request_payment", "RequestPaymentConfiguration", {"Payer": "Requester"}, None, None),
    (
        "bucket_notification_configuration",
        "NotificationConfiguration",
        {
            "QueueConfigurations": [
                {
                    "Id": "q",
                    "QueueArn": "arn:aws:sqs:us-east-1:1:queue",
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a/"}]}},
                }
            ],
            "TopicConfigurations": [
                {"Id": "t", "TopicArn": "arn:aws:sns:us-east-1:1:topic", "Events": ["s3:ObjectRemoved:Delete"]}
            ],
        },
        None,
        None,
    ),
]
DELETES: Final = {"bucket_lifecycle_configuration": "delete_bucket_lifecycle"}


def verb(s3: "S3Client", name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(s3, name)
    return found


def refused(call: Callable[..., Any], **arguments: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def plain(answer: Any) -> Any:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


@pytest.mark.parametrize(("name", "argument", "value", "element", "absent"), CONFIGURATIONS)
def test_what_was_put_is_given_back(
    s3: "S3Client", bucket: str, name: str, argument: str, value: Any, element: str | None, absent: str | None
) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    get = verb(s3, f"get_{name}")
    if absent:
        with pytest.raises(ClientError) as error:
            get(Bucket=bucket)
        response = error.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (absent, 404)
    for _ in range(2):
        verb(s3, f"put_{name}")(Bucket=bucket, **{argument: value})
        answer = plain(get(Bucket=bucket))
        answer.pop("TransitionDefaultMinimumObjectSize", None)
        assert (answer[element] if element else answer) == value
    if absent:
        delete = verb(s3, DELETES.get(name, f"delete_{name}"))
        for _ in range(2):
            delete(Bucket=bucket)
        assert refused(get, Bucket=bucket) == absent
    s3.head_bucket(Bucket=bucket)


@pytest.mark.parametrize(("name", "argument", "value"), [entry[:3] for entry in CONFIGURATIONS])
def test_no_bucket_no_configuration(s3: "S3Client", name: str, argument: str, value: Any) -> None:
    assert refused(verb(s3, f"get_{name}"), Bucket="no-such-bucket") == "NoSuchBucket"
    assert refused(verb(s3, f"put_{name}"), Bucket="no-such-bucket", **{argument: value}) == "NoSuchBucket"


def test_what_a_bucket_has_that_nobody_configured(s3: "S3Client", bucket: str) -> None:
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert plain(s3.get_bucket_accelerate_configuration(Bucket=bucket)) == {}
    assert plain(s3.get_bucket_logging(Bucket=bucket)) == {}
    assert plain(s3.get_bucket_notification_configuration(Bucket=bucket)) == {}


def test_a_log_goes_to_a_bucket_that_is_there(s3: "S3Client", bucket: str) -> None:
    logging: Any = {"LoggingEnabled": {"TargetBucket": "no-such-bucket", "TargetPrefix": "log/"}}
    put = s3.put_bucket_logging
    assert refused(put, Bucket=bucket, BucketLoggingStatus=logging) == "InvalidTargetBucketForLogging"
    logging["LoggingEnabled"]["TargetBucket"] = bucket
    put(Bucket=bucket, BucketLoggingStatus=logging)
    assert plain(s3.get_bucket_logging(Bucket=bucket)) == logging
    put(Bucket=bucket, BucketLoggingStatus={})
    assert plain(s3.get_bucket_logging(Bucket=bucket)) == {}


def encryption(default: str) -> str:
    inner = f"<ApplyServerSideEncryptionByDefault>{default}</ApplyServerSideEncryptionByDefault>"
    return f"<ServerSideEncryptionConfiguration><Rule>{inner}</Rule></ServerSideEncryptionConfiguration>"


def rule(**more: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}} | more


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([rule(ID="x"), rule(ID="x")], "InvalidArgument"),
        ([rule(ID="x" * 256)], "InvalidArgument"),
        ([rule(Status="enabled")], "MalformedXML"),
        ([rule(Filter={"Prefix": ""})], "MalformedXML"),
        ([{"Status": "Enabled", "Expiration": {"Days": 1}}], "MalformedXML"),
        ([{"Status": "Enabled", "Prefix": ""}], "InvalidRequest"),
        ([rule(Expiration={"Days": 0})], "InvalidArgument"),
        ([rule(Expiration={"Days": -5})], "InvalidArgument"),
        ([rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})], "MalformedXML"),
        ([rule(Expiration={"Date": "2030-01-01T01:00:00Z"})], "InvalidArgument"),
        ([rule(Transitions=[{"Days": 1, "StorageClass": "STANDARD_IA"}])], "InvalidArgument"),
        ([rule(Expiration={"Days": 9}, Transitions=[{"Days": 1, "StorageClass": "GLASS"}])], "MalformedXML"),
        ([rule(Transitions=[{"StorageClass": "GLACIER"}])], "MalformedXML"),
        ([rule(Transitions=[{"Days": 2, "StorageClass": "GLACIER"}])], "InvalidArgument"),
        ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})], "InvalidArgument"),
        ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})], "InvalidArgument"),
        ([rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})], "InvalidArgument"),
        ([], "MalformedXML"),
        ([rule(ID=str(number)) for number in range(1001)], "MalformedXML"),
    ],
)
def test_lifecycles_that_cant_be(s3: "S3Client", bucket: str, rules: Any, code: str) -> None:
    assert (
        refused(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": rules}) == code
    )
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == "NoSuchLifecycleConfiguration"


def test_a_rule_without_an_id_gets_one(s3: "S3Client", bucket: str) -> None:
    rules: Any = [rule(), rule()]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    ids = {held["ID"] for held in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"AllowedMethods": ["PATCH"]}, "InvalidRequest"),
        ({"AllowedMethods": ["get"]}, "InvalidRequest"),
        ({"AllowedOrigins": ["http://*.*"]}, "InvalidRequest"),
        ({"AllowedHeaders": ["*-*"]}, "InvalidRequest"),
        ({"ExposeHeaders": ["x-*"]}, "InvalidRequest"),
        ({"AllowedOrigins": []}, "MalformedXML"),
        ({"AllowedMethods": []}, "MalformedXML"),
        ({"ID": "x" * 256}, "InvalidArgument"),
    ],
)
def test_cors_that_cant_be(s3: "S3Client", bucket: str, changed: dict[str, Any], code: str) -> None:
    rules: Any = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]} | changed]
    assert refused(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": rules}) == code
    assert refused(s3.get_bucket_cors, Bucket=bucket) == "NoSuchCORSConfiguration"


@pytest.mark.parametrize(
    ("part", "document", "code"),
    [
        ("encryption", "<ServerSideEncryptionConfiguration/>", "MalformedXML"),
        ("encryption", encryption("<SSEAlgorithm>ROT13</SSEAlgorithm>"), "MalformedXML"),
        (
            "encryption",
            encryption("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"),
            "InvalidArgument",
        ),
        ("ownershipControls", "<OwnershipControls/>", "MalformedXML"),
        (
            "ownershipControls",
            "<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>",
            "MalformedXML",
        ),
        ("accelerate", "<AccelerateConfiguration/>", "MalformedXML"),
        ("accelerate", "<AccelerateConfiguration><Status>Fast</Status></AccelerateConfiguration>", "MalformedXML"),
        (
            "requestPayment",
            "<RequestPaymentConfiguration><Payer>You</Payer></RequestPaymentConfiguration>",
            "MalformedXML",
        ),
        ("publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAcls>yes</BlockPublicAcls>", "MalformedXML"),
        ("replication", "<ReplicationConfiguration/>", "MalformedXML"),
        ("cors", "<LifecycleConfiguration/>", "MalformedXML"),
        ("lifecycle", "<LifecycleConfiguration><Rule>" * 2000, "MalformedXML"),
        ("tagging", "", "MissingRequestBodyError"),
    ],
)
def test_documents_that_cant_be(raw: Raw, bucket: str, part: str, document: str, code: str) -> None:
    answer = raw.send("PUT", f"/{bucket}?{part}", {}, document.encode())
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    "part", ["cors", "lifecycle", "tagging", "logging", "notification", "object-lock", "versioning"]
)
def test_a_bomb_does_not_go_off(raw: Raw, bucket: str, part: str) -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(10))
    bomb = f'<!DOCTYPE b [<!ENTITY e0 "ha">{entities}]><Tagging><TagSet><Tag><Key>&e10;</Key></Tag></TagSet></Tagging>'
    answer = raw.send("PUT", f"/{bucket}?{part}", {}, bomb.encode())
    assert (answer.status, answer.code) == (400, "MalformedXML")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"QueueArn": "queue"}, "InvalidArgument"),
        ({"QueueArn": "arn:aws:sns:us-east-1:1:topic"}, "InvalidArgument"),
        ({"Events": ["s3:ObjectEaten:*"]}, "InvalidArgument"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "infix", "Value": "a"}]}}}, "InvalidArgument"),
        ({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a"}] * 2}}}, "InvalidArgument"),
    ],
)
def test_notifications_that_cant_be(s3: "S3Client", bucket: str, changed: dict[str, Any], code: str) -> None:
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:1:queue", "Events": ["s3:ObjectCreated:*"]} | changed
    wrong: Any = {"QueueConfigurations": [queue]}
    assert refused(s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=wrong) == code
    assert plain(s3.get_bucket_notification_configuration(Bucket=bucket)) == {}


def test_replication_needs_versions(s3: "S3Client", bucket: str) -> None:
    rules: list[Any] = [{"ID": "r", "Status": "Enabled", "Prefix": "", "Destination": _TO}]
    wanted: Any = {"Role": "arn:aws:iam::1:role/r", "Rules": rules}
    put = s3.put_bucket_replication
    assert refused(put, Bucket=bucket, ReplicationConfiguration=wanted) == "InvalidRequest"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(Bucket=bucket, ReplicationConfiguration=wanted)
    wanted["Rules"] = rules * 2
    assert refused(put, Bucket=bucket, ReplicationConfiguration=wanted) == "InvalidArgument"
    wanted["Rules"] = [rules[0] | {"Destination": {"Bucket": "replica"}}]
    assert refused(put, Bucket=bucket, ReplicationConfiguration=wanted) == "InvalidArgument"


METRICS: Final[Any] = {"Id": "m", "Filter": {"Prefix": "a/"}}
INVENTORY: Final[Any] = {
    "Id": "i",
    "IsEnabled": True,
    "IncludedObjectVersions": "All",
    "Schedule": {"Frequency": "Daily"},
    "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::b", "Format": "CSV"}},
}
ANALYTICS: Final[Any] = {"Id": "a", "StorageClassAnalysis": {}}
TIERING: Final[Any] = {"Id": "t", "Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("metrics", METRICS), ("inventory", INVENTORY), ("analytics", ANALYTICS), ("intelligent_tiering", TIERING)],
)
def test_configurations_with_ids(s3: "S3Client", bucket: str, kind: str, value: Any) -> None:
    argument = "".join(word.capitalize() for word in kind.split("_")) + "Configuration"
    put, get = verb(s3, f"put_bucket_{kind}_configuration"), verb(s3, f"get_bucket_{kind}_configuration")
    delete, every = verb(s3, f"delete_bucket_{kind}_configuration"), verb(s3, f"list_bucket_{kind}_configurations")
    assert refused(get, Bucket=bucket, Id="x") == refused(delete, Bucket=bucket, Id="x") == "NoSuchConfiguration"
    assert refused(put, Bucket=bucket, Id="other", **{argument: value}) == "MalformedXML"
    assert refused(put, Bucket=bucket, Id="a/b", **{argument: value | {"Id": "a/b"}}) == "InvalidArgument"
    put(Bucket=bucket, Id=value["Id"], **{argument: value})
    assert get(Bucket=bucket, Id=value["Id"])[argument] == value
    put(Bucket=bucket, Id="second", **{argument: value | {"Id": "second"}})
    listed = every(Bucket=bucket)
    assert {held["Id"] for held in listed[f"{argument}List"]} == {value["Id"], "second"}
    assert listed["IsTruncated"] is False
    delete(Bucket=bucket, Id="second")
    assert [held["Id"] for held in every(Bucket=bucket)[f"{argument}List"]] == [value["Id"]]


def test_pages_of_configurations(s3: "S3Client", bucket: str) -> None:
    ids = [f"m{number:03}" for number in range(120)]
    for name in ids:
        s3.put_bucket_metrics_configuration(Bucket=bucket, Id=name, MetricsConfiguration={"Id": name})
    first = s3.list_bucket_metrics_configurations(Bucket=bucket)
    rest = s3.list_bucket_metrics_configurations(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    pages = [*first["MetricsConfigurationList"], *rest["MetricsConfigurationList"]]
    assert [held["Id"] for held in pages] == ids


@pytest.mark.parametrize("ownership", ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"])
def test_a_bucket_is_made_with_an_ownership(s3: "S3Client", ownership: Any) -> None:
    name = f"owned-{ownership.lower()}"
    s3.create_bucket(Bucket=name, ObjectOwnership=ownership)
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": ownership}]
    }


def test_an_ownership_that_cant_be(raw: Raw) -> None:
    answer = raw.send("PUT", "/owned-by-nobody", {"x-amz-object-ownership": "Nobody"}, b"")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert raw.send("HEAD", "/owned-by-nobody").status == 404
