"""What an S3 client may be in the middle of: each call is done or not begun."""

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from tests.faces.attempt import Attempt, Outcome, nothing
from tests.faces.plan import Plan
from tests.faces.tree import Tree

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MANY: Final = 4
OBJECT_KINDS: Final = ("put", "upload", "delete", "delete_many", "copy", "append", "rename", "mark", "unmark")


class ObjectAttempts:
    """Of one plan, what there is of it in one history."""

    def __init__(self, s3: "S3Client", at: Callable[[str], Any], tree: Tree) -> None:
        """`at` makes arguments of a path that name its key."""
        self._s3, self._at, self._tree = s3, at, tree

    def attempt(self, plan: Plan) -> Attempt | None:
        """None where there is nothing to do it to."""
        makes: dict[str, Callable[[Plan], Attempt | None]] = {
            "put": self._put,
            "upload": self._upload,
            "delete": self._delete,
            "delete_many": self._delete_many,
            "copy": self._copy,
            "append": self._append,
            "rename": self._rename,
            "mark": self._mark,
            "unmark": self._unmark,
        }
        return makes[plan.kind](plan)

    def _key(self, plan: Plan) -> str | None:
        return plan.pick(held for held in self._tree.files if held.startswith(f"{plan.lane}/"))

    @staticmethod
    def _one(what: str, path: str, call: Callable[[], object], done: Callable[[Tree], object]) -> Attempt:
        return Attempt(f"S3 {what}", path, lambda _: call(), [nothing, lambda tree, _: done(tree)])

    def _put(self, plan: Plan) -> Attempt:
        return self._one(
            f"put of {plan.body!r} to {plan.path}",
            plan.path,
            lambda: self._s3.put_object(**self._at(plan.path), Body=plan.body),
            lambda tree: tree.put(plan.path, plan.body),
        )

    def _upload(self, plan: Plan) -> Attempt:
        def upload() -> None:
            key = self._at(plan.path)
            upload = self._s3.create_multipart_upload(**key)["UploadId"]
            part = self._s3.upload_part(**key, UploadId=upload, PartNumber=1, Body=plan.body)
            parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
            self._s3.complete_multipart_upload(**key, UploadId=upload, MultipartUpload=parts)

        return self._one(
            f"upload of {plan.body!r} to {plan.path}", plan.path, upload, lambda tree: tree.put(plan.path, plan.body)
        )

    def _delete(self, plan: Plan) -> Attempt | None:
        if (key := self._key(plan)) is None:
            return None
        return self._one(
            f"delete of {key}", key, lambda: self._s3.delete_object(**self._at(key)), lambda tree: tree.end(key)
        )

    def _delete_many(self, plan: Plan) -> Attempt | None:
        """Each key for itself."""
        keys = sorted(held for held in self._tree.files if held.startswith(f"{plan.lane}/"))[:_MANY]
        if not keys:
            return None

        def ending(some: tuple[str, ...]) -> Outcome:
            def outcome(tree: Tree, seen: bytes | None) -> None:
                for key in some:
                    tree.end(key)

            return outcome

        objects: Any = {"Objects": [{"Key": self._at(key)["Key"]} for key in keys]}
        return Attempt(
            f"S3 delete of {keys}",
            keys[0],
            lambda _: self._s3.delete_objects(Bucket=self._at("")["Bucket"], Delete=objects),
            [ending(some) for count in range(len(keys) + 1) for some in combinations(keys, count)],
        )

    def _copy(self, plan: Plan) -> Attempt | None:
        key = self._key(plan)
        if key is None or key == plan.path:
            return None
        content = self._tree.files[key].published
        return self._one(
            f"copy of {key} to {plan.path}",
            plan.path,
            lambda: self._s3.copy_object(**self._at(plan.path), CopySource=self._at(key)),
            lambda tree: tree.put(plan.path, content),
        )

    def _append(self, plan: Plan) -> Attempt | None:
        key = self._key(plan)
        held = self._tree.files[key] if key is not None else None
        if key is None or held is None or held.is_link or len(self._tree.names(held)) > 1:
            return None
        end = len(held.published)
        return self._one(
            f"append of {plan.piece!r} to {key}",
            key,
            lambda: self._s3.put_object(**self._at(key), Body=plan.piece, WriteOffsetBytes=end),
            lambda tree: tree.extend(key, plan.piece),
        )

    def _rename(self, plan: Plan) -> Attempt | None:
        key = self._key(plan)
        if key is None or key == plan.path or (self._tree.files[key].is_link and plan.path[-1] not in "ab"):
            return None
        return self._one(
            f"rename of {key} to {plan.path}",
            plan.path,
            lambda: self._s3.rename_object(**self._at(plan.path), RenameSource=f"/{self._at(key)['Key']}"),
            lambda tree: tree.carry(key, plan.path),
        )

    def _mark(self, plan: Plan) -> Attempt:
        def mark(tree: Tree) -> None:
            tree.markers[plan.path] = 0o755

        return self._one(
            f"put of {plan.path}/", plan.path, lambda: self._s3.put_object(**self._at(f"{plan.path}/"), Body=b""), mark
        )

    def _unmark(self, plan: Plan) -> Attempt | None:
        marker = plan.pick(held for held in self._tree.markers if held.startswith(f"{plan.lane}/"))
        if marker is None:
            return None
        return self._one(
            f"delete of {marker}/",
            marker,
            lambda: self._s3.delete_object(**self._at(f"{marker}/")),
            lambda tree: tree.markers.pop(marker),
        )
