"""What a bucket holds after a history of operations, by the rules of S3 and nothing else."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["COMPLIANCE", "GOVERNANCE"]
NULL = "null"


@dataclass
class Version:
    """A version of an object, or a delete marker, which has no body. No retention of a history ends within it."""

    id: str
    body: bytes | None
    etag: str = ""
    mode: Mode | None = None
    until: dt.datetime | None = None
    held: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    def may_end(self, *, bypass: bool) -> bool:
        """Whether it may be deleted."""
        return not self.held and (self.mode is None or (self.mode == "GOVERNANCE" and bypass))

    def may_be_retained(self, mode: Mode, until: dt.datetime, *, bypass: bool) -> bool:
        """Whether its retention may become this one."""
        if self.until is None or (self.mode == "GOVERNANCE" and bypass):
            return True
        return mode == self.mode and until >= self.until


@dataclass
class Bucket:
    """Keys with their versions, the newest first."""

    locks: bool
    versioning: Literal["", "Enabled", "Suspended"] = ""
    keys: dict[str, list[Version]] = field(default_factory=dict)

    def newest(self, key: str) -> Version | None:
        """The newest version of a key, which may be a delete marker."""
        return next(iter(self.keys.get(key, [])), None)

    def current(self, key: str) -> bytes | None:
        """What a GET of the key reads, if anything."""
        newest = self.newest(key)
        return None if newest is None else newest.body

    def named(self, key: str, version: str) -> Version | None:
        """The version of that id."""
        return next((held for held in self.keys.get(key, []) if held.id == version), None)

    def put(self, key: str, version: Version) -> None:
        """A version comes, or a delete marker; the null version gives way to another one."""
        held = self.keys.setdefault(key, [])
        if version.id == NULL:
            held[:] = [other for other in held if other.id != NULL]
        held.insert(0, version)

    def end(self, key: str, version: str) -> None:
        """A version ends, if there is one of that id."""
        kept = [held for held in self.keys.get(key, []) if held.id != version]
        self.keys[key] = kept
        if not kept:
            del self.keys[key]

    def listed(self) -> list[tuple[str, str, bool, bool]]:
        """What ListObjectVersions tells in order: key, version, whether it is the newest, whether it is a marker."""
        return [
            (key, version.id, place == 0, version.body is None)
            for key in sorted(self.keys, key=lambda key: key.encode())
            for place, version in enumerate(self.keys[key])
        ]
