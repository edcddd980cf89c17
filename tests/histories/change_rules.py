"""Rules that change what is there: renames, appends, tags, and deletes on a condition."""

from typing import Any, Final

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.histories.bucket_history import BODIES, KEYS, PLACES, BucketHistory, code
from tests.histories.model import NULL, Version

TAGS: Final = st.dictionaries(st.sampled_from(["desk", "book", "år"]), st.sampled_from(["", "fx", "rates"]), max_size=3)
NOBODYS: Final = f'"{"0" * 32}"'


def _set(tags: dict[str, str]) -> Any:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


class ChangeRules(BucketHistory):
    """What happens to objects that are there already."""

    def tags_of(self, key: str, version: str) -> dict[str, str]:
        """The tags of a version as the node tells them."""
        found = self.s3.get_object_tagging(**self.at(key), VersionId=version)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}

    @rule(source=KEYS, destination=KEYS, absent=st.booleans())
    def rename(self, source: str, destination: str, absent: bool) -> None:
        """`absent` says that the destination must not be there."""
        condition: Any = {"DestinationIfNoneMatch": "*"} if absent else {}
        named = f"/{self.bucket}/{source}"
        refusal = code(self.s3.rename_object, **self.at(destination), RenameSource=named, **condition)
        held = self.model.newest(source)
        if held is None or held.body is None:
            assert refusal == "NoSuchKey"
        elif absent and self.model.current(destination) is not None:
            assert refusal == "PreconditionFailed"
        elif self.model.versioning:
            ends = (held, self.model.newest(destination))
            locked = any(version is not None and not version.may_end(bypass=False) for version in ends)
            assert refusal == ("AccessDenied" if locked else "InvalidBucketState")
        else:
            assert refusal is None
            self.model.end(source, NULL)
            self.model.put(destination, held)

    @rule(key=KEYS, piece=BODIES, off=st.sampled_from([0, 0, 0, 1, -1]))
    def append(self, key: str, piece: bytes, off: int) -> None:
        """A piece at the end of an object, or `off` from there."""
        held = self.model.newest(key)
        whole = b"" if held is None or held.body is None else held.body
        offset = max(0, len(whole) + off)
        try:
            answer = self.s3.put_object(**self.at(key), Body=piece, WriteOffsetBytes=offset)
        except ClientError as fault:
            refusal = fault.response["Error"]["Code"]
            assert self.model.versioning or offset != len(whole), fault
            locked = held is not None and held.body is not None and not held.may_end(bypass=False)
            assert refusal in ({"AccessDenied"} if locked else {"InvalidBucketState", "InvalidWriteOffset"})
            assert refusal != "InvalidBucketState" or self.model.versioning
        else:
            assert not self.model.versioning
            assert offset == len(whole)
            if held is None:
                held = Version(NULL, b"")
                self.model.put(key, held)
            held.body, held.etag = whole + piece, answer["ETag"]

    @rule(key=KEYS, place=PLACES, tags=TAGS)
    def tag(self, key: str, place: int, tags: dict[str, str]) -> None:
        name = self.some(key, place)
        version = self.model.named(key, name)
        refusal = code(self.s3.put_object_tagging, **self.at(key), VersionId=name, Tagging=_set(tags))
        if version is None or version.body is None:
            assert refusal in {"NoSuchKey", "NoSuchVersion", "MethodNotAllowed"}
        else:
            assert refusal is None
            version.tags = tags

    @rule(key=KEYS)
    def untag(self, key: str) -> None:
        """Takes the tags off whatever is current."""
        refusal = code(self.s3.delete_object_tagging, **self.at(key))
        newest = self.model.newest(key)
        if newest is None or newest.body is None:
            assert refusal in {"NoSuchKey", "MethodNotAllowed"}
        else:
            assert refusal is None
            newest.tags = {}

    @rule(key=KEYS, condition=st.sampled_from(["its own", "any", "nobody's"]))
    def delete_if(self, key: str, condition: str) -> None:
        newest = self.model.newest(key)
        is_there = newest is not None and newest.body is not None
        own = newest.etag if newest is not None and is_there else NOBODYS
        tag = {"its own": own, "any": "*", "nobody's": NOBODYS}[condition]
        try:
            answer = self.s3.delete_object(**self.at(key), IfMatch=tag)
        except ClientError as fault:
            assert fault.response["Error"]["Code"] == ("PreconditionFailed" if is_there else "NoSuchKey")
            assert condition == "nobody's" or not is_there
        else:
            assert is_there
            assert condition != "nobody's"
            if self.model.versioning:
                self.model.put(key, Version(self.version_of(answer), None))
            else:
                self.model.end(key, NULL)

    @rule(key=KEYS, place=PLACES, fits=st.booleans())
    def delete_version_if(self, key: str, place: int, fits: bool) -> None:
        """Deletes a version that is there if it has that tag."""
        version = self.model.named(key, self.some(key, place))
        if version is None or version.body is None:
            return
        tag = version.etag if fits else NOBODYS
        refusal = code(self.s3.delete_object, **self.at(key), VersionId=version.id, IfMatch=tag)
        if not fits:
            assert refusal == "PreconditionFailed"
        elif version.may_end(bypass=False):
            assert refusal is None
            self.model.end(key, version.id)
        else:
            assert refusal == "AccessDenied"
