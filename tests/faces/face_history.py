"""What every rule of a history over all faces has: a folder of a bucket, its model, and when who may look.

A face shows what the others changed after a bound that is its own (`docs/namespace.md`, `docs/nfs.md`). The folder has
several lanes, directories that histories work in by turns: who comes to one waits for what is left of the bound since
another face changed something there.
"""

import itertools
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.faces.file_face import FileFace
from tests.faces.mount_face import MountFace
from tests.faces.nfs4_face import Nfs4Face
from tests.faces.nfs_face import NfsFace
from tests.faces.seen import Seen
from tests.faces.tree import File, Tree
from tests.fuse.mounted import Mount
from tests.nfs.client import Client
from tests.nfs.exported import Nfs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET: Final = "faces"
_NUMBERS: Final = itertools.count()
_SETTLED_SECONDS: Final = 30
_MARGIN: Final = 0.1

COUNT: Final = 6
LANES: Final = st.integers(min_value=0, max_value=COUNT - 1)
# Parents before what is in them. Only those that end with a or b become symbolic links.
PATHS: Final = st.sampled_from(("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "e", "e/a"))
LEAVES: Final = st.sampled_from(("a", "b", "d/a", "d/b", "d/e/a", "e/a"))
FACES: Final = st.sampled_from(("mount", "nfs", "nfs4"))


class Body(bytes):
    """Bytes that are told by their number: every step of every history keeps its text."""

    def __repr__(self) -> str:
        """How many."""
        return f"{len(self)} bytes of {bytes(self[:4])!r}"


def _bodies(*sizes: int) -> st.SearchStrategy[Body]:
    return st.sampled_from([Body(bytes([letter]) * size) for size in sizes for letter in b"abcd"])


# What lies in the journal, and what in a stream; a file is gathered in pages of 64 KiB.
BODIES: Final = _bodies(0, 4, 5000, 70_000, 1_300_000)
PIECES: Final = _bodies(1, 4, 5000, 70_000)
OFFSETS: Final = st.sampled_from((0, 1, 4096, 65_530, 400_000, 1_100_000))


@dataclass(eq=False)
class Handle:
    """A file that is open on the mount, to be read and written."""

    descriptor: int
    file: File
    lane: int


class FaceHistory(RuleBasedStateMachine):
    """One folder on all faces, and the model of it."""

    mount: ClassVar[Mount]
    nfs: ClassVar[Nfs]
    s3: ClassVar["S3Client"]

    def __init__(self) -> None:
        """Make the folder and its lanes, through the mount."""
        super().__init__()
        self.folder = f"history-{next(_NUMBERS)}"
        whole = self.mount.path / BUCKET / self.folder
        whole.mkdir()
        self.tree = Tree()
        self.mounted = MountFace(whole)
        self.faces: dict[str, FileFace] = {"mount": self.mounted}
        self._clients: dict[str, Client] = {}
        self.mount_nfs()
        self.changes: dict[tuple[int, str], float] = {}
        self.handles: list[Handle] = []
        for lane in range(COUNT):
            self.mounted.make_directory(str(lane))
            self.tree.make_directory(str(lane))
            self.note(lane, "mount")

    def mount_nfs(self) -> None:
        """Mount the export, anew where it was: libnfs keeps names by the time of change of their directory.

        That goes back where the node was restarted.
        """
        self.close_nfs()
        self.device = self.nfs.device()
        self._mount_version("nfs", 3, NfsFace)
        self.mount_nfs4()

    def mount_nfs4(self) -> None:
        """Do so for NFS 4 alone, whose libnfs doesn't connect again."""
        self._mount_version("nfs4", 4, Nfs4Face)

    def _mount_version(self, name: str, version: int, kind: type[NfsFace]) -> None:
        if name in self._clients:
            self._clients.pop(name).close()
        self._clients[name] = self.nfs.mount(BUCKET, version)
        self.faces[name] = kind(self._clients[name], self.folder)

    def close_nfs(self) -> None:
        while self._clients:
            self._clients.popitem()[1].close()

    def at(self, path: str) -> Any:
        """The arguments that name a key."""
        return {"Bucket": BUCKET, "Key": f"{self.folder}/{path}"}

    def read_object(self, path: str) -> bytes:
        """What S3 has of a key."""
        return self.s3.get_object(**self.at(path))["Body"].read()

    def note(self, lane: int, face: str) -> None:
        """A face has changed something in a lane."""
        self.changes[lane, face] = time.monotonic()

    def come(self, lane: int, face: str) -> None:
        """Wait until a face shows what others have done in a lane."""
        if face in self.faces:
            others = [then for (where, who), then in self.changes.items() if where == lane and who != face]
            over = max(others, default=0.0) + self.faces[face].bound + _MARGIN
            time.sleep(max(0.0, over - time.monotonic()))

    def try_on(self, face: str, lane: int, expected: int | None, call: Callable[..., None], *arguments: Any) -> None:
        """Have a face do what the model did, or refused with that number."""
        self.come(lane, face)
        number: int | None = None
        try:
            call(*arguments)
        except OSError as fault:
            number = fault.errno
            assert expected is not None, (face, call.__name__, arguments, fault)
        else:
            assert expected is None, (face, call.__name__, arguments, os.strerror(expected or 0))
        if self.faces[face].tells_why:
            assert number == expected, (face, call.__name__, arguments, os.strerror(number or 0), expected)
        self.note(lane, face)

    def compare(self, lane: int) -> None:
        """Everything that the model holds in a lane is there on every face, and nothing else."""
        self.compare_keys(lane)
        for name, face in self.faces.items():
            self.come(lane, name)
            try:
                self._settle(lambda face=face: self.compare_files(face, lane))  # type: ignore[misc]
            except AssertionError as fault:
                raise AssertionError(f"{name} differs: {fault}") from None
        for file in self._files_of(lane).values():
            file.was_read = True

    def _settle(self, compare: Callable[[], None]) -> None:
        """A machine that is loaded may show something later than its bound, and must show it."""
        deadline = time.monotonic() + _SETTLED_SECONDS
        while True:
            with suppress(AssertionError, OSError):
                return compare()
            if time.monotonic() > deadline:
                return compare()
            time.sleep(0.2)

    def _files_of(self, lane: int) -> dict[str, File]:
        return {path: file for path, file in self.tree.files.items() if path.startswith(f"{lane}/")}

    def compare_files(self, face: FileFace, lane: int) -> None:
        directories, files = self.tree.shown()
        directories = {path for path in directories if path.startswith(f"{lane}/")}
        files = {path: file for path, file in files.items() if path.startswith(f"{lane}/")}
        found = face.walk(str(lane))
        expect(sorted(path for path, seen in found.items() if seen.is_directory), sorted(directories), "directories")
        expect(sorted(path for path, seen in found.items() if not seen.is_directory), sorted(files), "files")
        for path in directories & self.tree.markers.keys():
            expect(oct(found[path].mode & 0o7777), oct(self.tree.markers[path]), path)
        for path, file in files.items():
            self._compare_file(path, file, found[path])

    def _compare_file(self, path: str, file: File, seen: Seen) -> None:
        expect(seen.is_link, file.is_link, f"whether {path} is a link")
        expect(oct(seen.mode & 0o7777), oct(file.mode), f"the mode of {path}")
        expect(seen.links, len(self.tree.names(file)), f"the links of {path}")
        expect(seen.size, len(file.content), f"the size of {path}")
        assert seen.content in {None, file.content}, f"{path}: {differing(seen.content or b'', file.content)}"
        if seen.extended is not None and not file.is_link:
            expect(dict(seen.extended), file.extended, f"what is said of {path}")
        expect(seen.inode, file.inode or seen.inode, f"the number of {path}")
        file.inode = seen.inode

    def compare_keys(self, lane: int) -> None:
        """What S3 lists and reads."""
        expected = {key: file for key, file in self.tree.keys().items() if key.startswith(f"{lane}/")}
        found: dict[str, int] = {}
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=f"{self.folder}/{lane}/", PaginationConfig={"PageSize": 3}
        )
        for page in pages:
            for entry in page.get("Contents", []):
                found[entry["Key"].removeprefix(f"{self.folder}/")] = entry["Size"]
        expect(sorted(found), sorted(expected), "keys")
        for key, file in expected.items():
            if file is not None:
                self.compare_key(key, file)
                expect(found[key], len(file.published), f"the listed size of {key}")

    def compare_key(self, key: str, file: File) -> None:
        """What was written and not published may have been, by whoever read it."""
        got = self.read_object(key)
        if file.is_dirty and file.was_read and got == file.content != file.published:
            file.publish()
        assert got == file.published, f"{key}: {differing(got, file.published)}"


def expect(got: object, wanted: object, what: str) -> None:
    """Say both where they differ."""
    assert got == wanted, f"{what}: {got}, not {wanted}"


def differing(got: bytes, wanted: bytes) -> str:
    """Where two contents differ, in few words."""
    at = next((at for at, pair in enumerate(zip(got, wanted, strict=False)) if pair[0] != pair[1]), None)
    place = f"first at {at}: {got[at : at + 4]!r}, not {wanted[at : at + 4]!r}" if at is not None else "one is longer"
    return f"{len(got)} bytes, not {len(wanted)}; {place}"
