"""Tags of objects, of their versions and of buckets, and what AWS doesn't allow in them."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def tags(**pairs: str) -> Any:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def numbered(count: int) -> Any:
    return tags(**{f"k{number}": "" for number in range(count)})


@pytest.fixture
def key(s3: "S3Client", bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    return "k"


def test_tags_are_put_read_and_taken_away(s3: "S3Client", bucket: str, key: str) -> None:
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []
    assert "TagCount" not in s3.get_object(Bucket=bucket, Key=key)
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tags(desk="fx", book=""))
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == tags(book="", desk="fx")["TagSet"]
    assert s3.get_object(Bucket=bucket, Key=key)["TagCount"] == 2
    head = s3.head_object(Bucket=bucket, Key=key)
    assert head["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "2"
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tags(other="1"))
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == tags(other="1")["TagSet"]
    s3.delete_object_tagging(Bucket=bucket, Key=key)
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"kept"


def test_tags_come_with_an_object(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging=f"desk={quote('fx + é')}&book=")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags(book="", desk="fx + é")["TagSet"]


def test_tags_come_with_an_upload(s3: "S3Client", bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging="desk=fx")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    done: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=done)
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags(desk="fx")["TagSet"]


def test_a_copy_takes_tags_or_brings_its_own(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="desk=fx")
    source: Any = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    assert s3.get_object_tagging(Bucket=bucket, Key="same")["TagSet"] == tags(desk="fx")["TagSet"]
    s3.copy_object(Bucket=bucket, Key="own", CopySource=source, TaggingDirective="REPLACE", Tagging="a=b")
    assert s3.get_object_tagging(Bucket=bucket, Key="own")["TagSet"] == tags(a="b")["TagSet"]
    s3.copy_object(Bucket=bucket, Key="none", CopySource=source, TaggingDirective="REPLACE")
    assert s3.get_object_tagging(Bucket=bucket, Key="none")["TagSet"] == []
    with pytest.raises(ClientError, match="Unknown tagging directive"):
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source, TaggingDirective="MOVE")  # type: ignore[arg-type]


def test_versions_have_tags_of_their_own(s3: "S3Client", bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="n=1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", Tagging="n=2")["VersionId"]
    assert s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=first, Tagging=tags(n="one"))["VersionId"] == first
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)["TagSet"] == tags(n="one")["TagSet"]
    newest = s3.get_object_tagging(Bucket=bucket, Key="k")
    assert (newest["VersionId"], newest["TagSet"]) == (second, tags(n="2")["TagSet"])
    s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=second)
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=second)["TagSet"] == []

    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with pytest.raises(ClientError) as error:
        s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=marker, Tagging=tags(n="3"))
    assert error.value.response["Error"]["Code"] == "MethodNotAllowed"
    with pytest.raises(ClientError) as error:
        s3.get_object_tagging(Bucket=bucket, Key="k")
    assert error.value.response["Error"]["Code"] == "NoSuchKey"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(f"k{number}", "") for number in range(11)], "Object tags cannot be greater than 10"),
        ([("k" * 129, "")], "The TagKey you have provided is invalid"),
        ([("<k>", "v")], "The TagKey you have provided is invalid"),
        ([("k", "v" * 257)], "The TagValue you have provided is invalid"),
        ([("k", "a"), ("k", "b")], "Cannot provide multiple Tags with the same key"),
        ([("aws:k", "v")], "Your TagKey cannot be prefixed with aws:"),
    ],
)
def test_tags_that_are_not_allowed(
    s3: "S3Client", bucket: str, key: str, pairs: list[tuple[str, str]], message: str
) -> None:
    s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tags(kept="1"))
    wrong: Any = {"TagSet": [{"Key": name, "Value": value} for name, value in pairs]}
    with pytest.raises(ClientError) as error:
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=wrong)
    told = error.value.response["Error"]
    assert (told["Code"], told["Message"]) == ("InvalidTag", message)
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == tags(kept="1")["TagSet"]


@pytest.mark.parametrize("header", ["a=1&a=2", "a=%FF", "&".join(f"k{number}=" for number in range(11)), "aws:a=b"])
def test_headers_that_are_no_tags(raw: Raw, bucket: str, header: str) -> None:
    answer = raw.send("PUT", f"/{bucket}/k", {"x-amz-tagging": header}, b"x")
    assert answer.status == 400
    assert answer.code in {"InvalidArgument", "InvalidTag"}
    assert raw.send("HEAD", f"/{bucket}/k").status == 404


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Tagging/>",
        b"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>",
        b'<!DOCTYPE t [<!ENTITY b "k">]><Tagging><TagSet><Tag><Key>&b;</Key><Value/></Tag></TagSet></Tagging>',
        b"<Tagging>" * 10_000,
    ],
)
def test_documents_that_are_no_tags(raw: Raw, bucket: str, key: str, document: bytes) -> None:
    answer = raw.send("PUT", f"/{bucket}/{key}?tagging", {}, document)
    assert (answer.status, answer.code in {"MalformedXML", "MissingRequestBodyError"}) == (400, True)
    assert answer.code != "MissingRequestBodyError" or not document


def test_a_document_that_broke_on_its_way_changes_nothing(raw: Raw, s3: "S3Client", bucket: str, key: str) -> None:
    document = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
    answer = raw.send("PUT", f"/{bucket}/{key}?tagging", {"content-md5": "nd0Enn7KTLHPE6SeVQ8Hbg=="}, document)
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []


def test_tags_of_what_is_not_there(s3: "S3Client", bucket: str) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object_tagging(Bucket=bucket, Key="absent", Tagging=tags(a="b"))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.get_object_tagging(Bucket="no-such-bucket", Key="absent")


def test_buckets_have_tags(s3: "S3Client", bucket: str) -> None:
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging=numbered(50))
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 50
    with pytest.raises(ClientError, match="InvalidTag"):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=numbered(51))
    s3.delete_bucket_tagging(Bucket=bucket)
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.head_bucket(Bucket=bucket)
