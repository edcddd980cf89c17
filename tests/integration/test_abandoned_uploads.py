"""Uploads that nobody completes end by themselves, and only they."""

import time
from pathlib import Path

import pytest

from tests.refusal import refused
from tests.served import Node


@pytest.mark.parametrize(("age", "stays"), [("2 s", False), ("never", True)])
def test_an_upload_ends_when_it_is_old(tmp_path: Path, age: str, stays: bool) -> None:
    node = Node(tmp_path / "data", {"PACKSTONE_UPLOADS__ABANDONED_AFTER": age})
    node.start()
    try:
        s3 = node.client()
        s3.create_bucket(Bucket="ticks")
        s3.put_object(Bucket="ticks", Key="kept", Body=b"x")
        upload = s3.create_multipart_upload(Bucket="ticks", Key="a")["UploadId"]
        part = s3.upload_part(Bucket="ticks", Key="a", UploadId=upload, PartNumber=1, Body=b"x")
        assert "Uploads" in s3.list_multipart_uploads(Bucket="ticks")
        deadline = time.monotonic() + (4 if stays else 30)
        while time.monotonic() < deadline and "Uploads" in s3.list_multipart_uploads(Bucket="ticks"):
            time.sleep(0.2)
        assert ("Uploads" in s3.list_multipart_uploads(Bucket="ticks")) == stays
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        if stays:
            s3.complete_multipart_upload(Bucket="ticks", Key="a", UploadId=upload, MultipartUpload=parts)  # type: ignore[arg-type]
        else:
            with refused("NoSuchUpload", 404):
                s3.complete_multipart_upload(Bucket="ticks", Key="a", UploadId=upload, MultipartUpload=parts)  # type: ignore[arg-type]
        assert s3.get_object(Bucket="ticks", Key="kept")["Body"].read() == b"x"
    finally:
        node.close()
