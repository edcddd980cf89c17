"""Versions of objects: their ids, delete markers, listings, and what names nothing."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MADE_UP = "0" * 31 + "1"


@pytest.fixture
def versioned(s3: "S3Client", bucket: str) -> str:
    """A bucket that keeps versions."""
    switch(s3, bucket, "Enabled")
    return bucket


def switch(s3: "S3Client", bucket: str, status: Any) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3: "S3Client", bucket: str, key: str, body: bytes) -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def read(s3: "S3Client", bucket: str, key: str, version: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()


def code(error: "pytest.ExceptionInfo[ClientError]") -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_bucket_says_whether_it_keeps_versions(s3: "S3Client", bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"")
    for status in ("Enabled", "Suspended", "Enabled"):
        switch(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize(
    ("document", "status", "expected"),
    [
        ("<Status>Never</Status>", 400, "MalformedXML"),
        ("<Status>enabled</Status>", 400, "MalformedXML"),
        ("", 400, "IllegalVersioningConfigurationException"),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", 403, "AccessDenied"),
        ("<Status>Enabled</Status><Status>Suspended</Status>", 400, "MalformedXML"),
        ("<Status>Enabled", 400, "MalformedXML"),
    ],
)
def test_what_is_no_versioning(raw: Raw, bucket: str, document: str, status: int, expected: str) -> None:
    body = f'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{document}'
    answer = raw.send("PUT", f"/{bucket}?versioning", {}, f"{body}</VersioningConfiguration>".encode())
    assert (answer.status, answer.code) == (status, expected)
    assert b"<Status>" not in raw.send("GET", f"/{bucket}?versioning").body


def test_every_version_stays_under_its_id(s3: "S3Client", versioned: str) -> None:
    ids = [put(s3, versioned, "k", body) for body in (b"one", b"two", b"three")]
    assert len(set(ids)) == 3
    assert [read(s3, versioned, "k", version) for version in ids] == [b"one", b"two", b"three"]
    current = s3.head_object(Bucket=versioned, Key="k")
    assert current["VersionId"] == ids[2]
    old = s3.get_object_attributes(Bucket=versioned, Key="k", VersionId=ids[0], ObjectAttributes=["ObjectSize"])
    assert (old["VersionId"], old["ObjectSize"]) == (ids[0], 3)


def test_a_delete_marker_hides_and_is_taken_away(s3: "S3Client", raw: Raw, versioned: str) -> None:
    version = put(s3, versioned, "k", b"kept")
    gone = s3.delete_object(Bucket=versioned, Key="k")
    marker = gone["VersionId"]
    assert gone["DeleteMarker"]
    for method in ("GET", "HEAD"):
        current = raw.send(method, f"/{versioned}/k")
        assert (current.status, current.headers["x-amz-delete-marker"]) == (404, "true")
        assert current.headers["x-amz-version-id"] == marker
        named = raw.send(method, f"/{versioned}/k?versionId={marker}")
        assert (named.status, named.headers["allow"]) == (405, "DELETE")
        assert named.headers["x-amz-delete-marker"] == "true"
        assert "last-modified" in named.headers
    assert raw.send("GET", f"/{versioned}/k").code == "NoSuchKey"
    assert raw.send("GET", f"/{versioned}/k").headers["content-type"] == "application/xml"
    assert raw.send("GET", f"/{versioned}/k?versionId={marker}").code == "MethodNotAllowed"
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert read(s3, versioned, "k", version) == b"kept"

    back = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert back["DeleteMarker"]
    assert back["VersionId"] == marker
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"kept"


def test_deleting_the_newest_version_brings_the_one_before_back(s3: "S3Client", versioned: str) -> None:
    first, second = put(s3, versioned, "k", b"first"), put(s3, versioned, "k", b"second")
    gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert gone["VersionId"] == second
    assert not gone.get("DeleteMarker", False)
    current = s3.get_object(Bucket=versioned, Key="k")
    assert (current["VersionId"], current["Body"].read()) == (first, b"first")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=versioned, Key="k", VersionId=second)
    assert code(error) == (404, "NoSuchVersion")


def test_a_suspended_bucket_overwrites_its_null_version(s3: "S3Client", versioned: str) -> None:
    kept = put(s3, versioned, "k", b"kept")
    switch(s3, versioned, "Suspended")
    for body in (b"one", b"two"):
        assert "VersionId" not in s3.put_object(Bucket=versioned, Key="k", Body=body)
    assert s3.head_object(Bucket=versioned, Key="k")["VersionId"] == "null"
    assert read(s3, versioned, "k", "null") == b"two"
    assert s3.delete_object(Bucket=versioned, Key="k")["VersionId"] == "null"
    listed = s3.list_object_versions(Bucket=versioned)
    assert [version["VersionId"] for version in listed["Versions"]] == [kept]
    assert [marker["VersionId"] for marker in listed["DeleteMarkers"]] == ["null"]
    assert read(s3, versioned, "k", kept) == b"kept"


def test_a_version_from_before_is_the_null_version(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    switch(s3, bucket, "Enabled")
    after = put(s3, bucket, "k", b"after")
    assert read(s3, bucket, "k", "null") == b"before"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["VersionId"] == "null"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=after)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("", 400),
        ("x", 400),
        ("NULL", 400),
        ("..%2F..%2Fetc", 400),
        ("A" * 32, 404),
        ("%00" * 32, 400),
        ("1" * 500, 400),
    ],
)
def test_ids_that_nothing_has(raw: Raw, s3: "S3Client", versioned: str, method: str, version: str, status: int) -> None:
    s3.put_object(Bucket=versioned, Key="k", Body=b"kept")
    answer = raw.send(method, f"/{versioned}/k?versionId={version}")
    assert answer.status == status
    if method != "HEAD":
        assert answer.code == {400: "InvalidArgument", 404: "NoSuchVersion"}[status]
    if method == "GET" and version == "x":
        assert answer.element("Message") == "Invalid version id specified"
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"kept"


def test_a_version_of_another_key_is_none_of_this(s3: "S3Client", versioned: str) -> None:
    other, _ = put(s3, versioned, "other", b"other"), put(s3, versioned, "k", b"kept")
    for version in (other, MADE_UP):
        with pytest.raises(ClientError) as error:
            s3.get_object(Bucket=versioned, Key="k", VersionId=version)
        assert code(error) == (404, "NoSuchVersion")
        s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    assert read(s3, versioned, "other", other) == b"other"


def test_a_copy_names_both_versions(s3: "S3Client", versioned: str) -> None:
    first, _ = put(s3, versioned, "k", b"first"), put(s3, versioned, "k", b"second")
    copied = s3.copy_object(
        Bucket=versioned, Key="copy", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first}
    )
    assert copied["CopySourceVersionId"] == first
    assert read(s3, versioned, "copy", copied["VersionId"]) == b"first"
    restored = s3.copy_object(
        Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first}
    )
    assert restored["VersionId"] != first
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"first"


def test_a_copy_of_a_delete_marker_is_refused(s3: "S3Client", versioned: str) -> None:
    put(s3, versioned, "k", b"x")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=versioned, Key="c", CopySource={"Bucket": versioned, "Key": "k"})
    assert code(error) == (404, "NoSuchKey")
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket=versioned, Key="c", CopySource={"Bucket": versioned, "Key": "k", "VersionId": marker})
    assert code(error) == (400, "InvalidRequest")


def test_an_upload_in_parts_makes_a_version(s3: "S3Client", versioned: str) -> None:
    before = put(s3, versioned, "k", b"before")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=versioned, Key="k", UploadId=upload, PartNumber=1, Body=b"parts")
    done = s3.complete_multipart_upload(
        Bucket=versioned,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert read(s3, versioned, "k", done["VersionId"]) == b"parts"
    assert read(s3, versioned, "k", before) == b"before"


def test_many_are_deleted_with_and_without_versions(s3: "S3Client", versioned: str) -> None:
    version, hidden = put(s3, versioned, "a", b""), put(s3, versioned, "b", b"")
    objects: Any = [{"Key": "a", "VersionId": version}, {"Key": "b"}, {"Key": "c", "VersionId": "x"}]
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
    deleted = {entry["Key"]: entry for entry in answer["Deleted"]}
    assert deleted["a"] == {"Key": "a", "VersionId": version}
    marker = deleted["b"]["DeleteMarkerVersionId"]
    assert deleted["b"]["DeleteMarker"] is True
    assert "VersionId" not in deleted["b"]
    assert [(entry["Key"], entry["Code"]) for entry in answer["Errors"]] == [("c", "InvalidArgument")]

    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "b", "VersionId": marker}]})
    assert answer["Deleted"] == [
        {"Key": "b", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    ]
    assert s3.head_object(Bucket=versioned, Key="b")["VersionId"] == hidden


def test_conditions_of_a_delete(s3: "S3Client", versioned: str) -> None:
    s3.put_object(Bucket=versioned, Key="k", Body=b"12345")
    held = s3.head_object(Bucket=versioned, Key="k")
    wrong: list[dict[str, Any]] = [{"ETag": '"' + "0" * 32 + '"'}, {"Size": 4}, {"ETag": held["ETag"], "Size": 6}]
    for condition in wrong:
        victim: Any = {"Key": "k", **condition}
        answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": [victim]})
        assert answer["Errors"][0]["Code"] == "PreconditionFailed", condition
    with pytest.raises(ClientError) as error:
        s3.delete_object(Bucket=versioned, Key="k", IfMatch='"' + "0" * 32 + '"')
    assert code(error) == (412, "PreconditionFailed")
    right: Any = {"Key": "k", "ETag": held["ETag"], "Size": 5, "LastModifiedTime": held["LastModified"]}
    assert "Errors" not in s3.delete_objects(Bucket=versioned, Delete={"Objects": [right]})
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0


def test_a_listing_has_every_version(s3: "S3Client", versioned: str) -> None:
    first, second = put(s3, versioned, "a", b"1"), put(s3, versioned, "a", b"22")
    marker = s3.delete_object(Bucket=versioned, Key="a")["VersionId"]
    put(s3, versioned, "dir/b", b"")
    put(s3, versioned, "dir/c", b"")
    listed = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [(entry["VersionId"], entry["Size"], entry["IsLatest"]) for entry in listed["Versions"]] == [
        (second, 2, False),
        (first, 1, False),
    ]
    assert [(entry["VersionId"], entry["IsLatest"]) for entry in listed["DeleteMarkers"]] == [(marker, True)]
    assert [entry["Prefix"] for entry in listed["CommonPrefixes"]] == ["dir/"]
    assert listed["Versions"][0]["Owner"] == s3.list_buckets()["Owner"]
    assert [entry["Key"] for entry in s3.list_object_versions(Bucket=versioned, Prefix="dir/c")["Versions"]] == [
        "dir/c"
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_of_a_listing_add_up(s3: "S3Client", versioned: str, size: int) -> None:
    keys = ["a", "b b", "c&<", "d/e", "d/f", "é"]
    for key in keys:
        for body in (b"1", b"2"):
            put(s3, versioned, key, body)
        s3.delete_object(Bucket=versioned, Key=key)
    seen: list[tuple[str, str]] = []
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=versioned, PaginationConfig={"PageSize": size}
    ):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        assert len(entries) <= size
        seen += [(entry["Key"], entry["VersionId"]) for entry in entries]
    assert len(seen) == len(set(seen)) == 18
    assert {key for key, _ in seen} == set(keys)


@pytest.mark.parametrize(
    "query",
    ["version-id-marker=x", "key-marker=a&version-id-marker=", "key-marker=a&version-id-marker=x", "max-keys=-1"],
)
def test_listings_that_cant_be(raw: Raw, versioned: str, query: str) -> None:
    answer = raw.send("GET", f"/{versioned}?versions&{query}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_an_unversioned_bucket_lists_null_versions(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    (version,) = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert (version["VersionId"], version["IsLatest"]) == ("null", True)
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_a_bucket_with_a_marker_is_not_empty(s3: "S3Client", versioned: str) -> None:
    marker = s3.delete_object(Bucket=versioned, Key="never-was")["VersionId"]
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket=versioned)
    assert code(error) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=versioned, Key="never-was", VersionId=marker)
    s3.delete_bucket(Bucket=versioned)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_versions_and_delete_markers_stand_in_one_order(s3: "S3Client", raw: Raw, versioned: str, size: int) -> None:
    """By key, the newest first, whichever of both it is; on one page as across several."""
    expected = []
    for key in ("a", "b<Size>", "c"):
        made = [put(s3, versioned, key, b"1")]
        made += [s3.delete_object(Bucket=versioned, Key=key)["VersionId"], put(s3, versioned, key, b"2")]
        made.append(s3.delete_object(Bucket=versioned, Key=key)["VersionId"])
        kinds = ("Version", "DeleteMarker", "Version", "DeleteMarker")
        escaped = key.replace("<", "&lt;").replace(">", "&gt;")
        expected += [(kind, escaped, version) for kind, version in zip(kinds, made, strict=True)][::-1]
    entries, marker = [], ""
    while True:
        answer = raw.send("GET", f"/{versioned}?versions&max-keys={size}{marker}")
        for kind, entry in re.findall(
            r"<(Version|DeleteMarker)>(.*?)</(?:Version|DeleteMarker)>", answer.body.decode()
        ):
            key, version = (re.findall(rf"<{name}>(.*?)</{name}>", entry)[0] for name in ("Key", "VersionId"))
            assert ("<Size>" in entry) == ("<ETag>" in entry) == (kind == "Version")
            entries.append((kind, key, version))
        if answer.element("IsTruncated") == "false":
            break
        key = quote(answer.element("NextKeyMarker").replace("&lt;", "<").replace("&gt;", ">"))
        marker = f"&key-marker={key}&version-id-marker={answer.element('NextVersionIdMarker')}"
    assert entries == expected
    listed = s3.list_object_versions(Bucket=versioned)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (6, 6)
