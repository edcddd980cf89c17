"""What S3 clients do."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.faces.face_history import BODIES, LANES, LEAVES, PATHS, PIECES, FaceHistory
from tests.histories.bucket_history import code


class ObjectRules(FaceHistory):
    """Objects that come, go, are copied, appended to and renamed."""

    @rule(lane=LANES, path=PATHS, body=BODIES)
    def put(self, lane: int, path: str, body: bytes) -> None:
        self.s3.put_object(**self.at(f"{lane}/{path}"), Body=body)
        self.tree.put(f"{lane}/{path}", body)
        self.note(lane, "s3")

    @rule(lane=LANES, path=LEAVES, body=BODIES)
    def upload(self, lane: int, path: str, body: bytes) -> None:
        key = self.at(f"{lane}/{path}")
        upload = self.s3.create_multipart_upload(**key)["UploadId"]
        part = self.s3.upload_part(**key, UploadId=upload, PartNumber=3, Body=body)
        parts: Any = {"Parts": [{"PartNumber": 3, "ETag": part["ETag"]}]}
        self.s3.complete_multipart_upload(**key, UploadId=upload, MultipartUpload=parts)
        self.tree.put(f"{lane}/{path}", body)
        self.note(lane, "s3")

    @rule(lane=LANES, path=PATHS)
    def delete(self, lane: int, path: str) -> None:
        self.s3.delete_object(**self.at(f"{lane}/{path}"))
        self.tree.end(f"{lane}/{path}")
        self.note(lane, "s3")

    @rule(lane=LANES, paths=st.lists(PATHS, min_size=1, max_size=4, unique=True))
    def delete_many(self, lane: int, paths: list[str]) -> None:
        objects: Any = {"Objects": [{"Key": self.at(f"{lane}/{path}")["Key"]} for path in paths]}
        answer = self.s3.delete_objects(Bucket=self.at("")["Bucket"], Delete=objects)
        assert answer.get("Errors", []) == []
        for path in paths:
            self.tree.end(f"{lane}/{path}")
        self.note(lane, "s3")

    @rule(lane=LANES, path=st.sampled_from(("d", "d/e", "e")), there=st.booleans())
    def mark(self, lane: int, path: str, there: bool) -> None:
        """Put a directory's marker, or delete it."""
        key = self.at(f"{lane}/{path}/")
        if there:
            self.s3.put_object(**key, Body=b"")
            self.tree.markers[f"{lane}/{path}"] = 0o755
        else:
            self.s3.delete_object(**key)
            self.tree.markers.pop(f"{lane}/{path}", None)
        self.note(lane, "s3")

    @rule(lane=LANES, source=PATHS, path=PATHS)
    def copy(self, lane: int, source: str, path: str) -> None:
        if source == path:
            return
        held = self.tree.files.get(f"{lane}/{source}")
        wanted: Any = self.at(f"{lane}/{source}")
        if held is not None and held.is_dirty:
            self.compare_key(f"{lane}/{source}", held)
        refusal = code(self.s3.copy_object, **self.at(f"{lane}/{path}"), CopySource=wanted)
        assert refusal == (None if held is not None else "NoSuchKey")
        if held is not None:
            self.tree.put(f"{lane}/{path}", held.published)
            self.note(lane, "s3")

    @rule(lane=LANES, path=PATHS, piece=PIECES, off=st.sampled_from((0, 0, 0, 1)))
    def append(self, lane: int, path: str, piece: bytes, off: int) -> None:
        """A piece at the end of an object, or behind it."""
        key = f"{lane}/{path}"
        held = self.tree.files.get(key)
        if held is not None and held.is_link:
            return
        if held is not None and held.is_dirty:
            self.compare_key(key, held)
        whole = held.published if held is not None else b""
        refusal = code(self.s3.put_object, **self.at(key), Body=piece, WriteOffsetBytes=len(whole) + off)
        if held is not None and len(self.tree.names(held)) > 1:
            assert refusal in {"InvalidBucketState", "InvalidWriteOffset"}
        elif off:
            assert refusal == "InvalidWriteOffset"
        else:
            assert refusal is None
            self.tree.extend(key, piece)
            self.note(lane, "s3")

    @rule(lane=LANES, source=PATHS, path=PATHS, absent=st.booleans())
    def rename_object(self, lane: int, source: str, path: str, absent: bool) -> None:
        old, new = f"{lane}/{source}", f"{lane}/{path}"
        held = self.tree.files.get(old)
        if source == path or (held is not None and held.is_link and path[-1] not in "ab"):
            return
        condition: Any = {"DestinationIfNoneMatch": "*"} if absent else {}
        named = self.at(old)["Key"]
        refusal = code(self.s3.rename_object, **self.at(new), RenameSource=f"/{named}", **condition)
        if held is None:
            assert refusal == "NoSuchKey"
        elif absent and new in self.tree.files:
            assert refusal == "PreconditionFailed"
        else:
            assert refusal is None
            self.tree.carry(old, new)
            self.note(lane, "s3")
