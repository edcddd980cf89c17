"""What programs do on the mount and clients by NFS."""

import errno
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.faces.face_history import BODIES, FACES, LANES, LEAVES, OFFSETS, PATHS, PIECES, FaceHistory
from tests.faces.tree import File

MODES: Final = st.sampled_from((0o600, 0o644, 0o755, 0o700))
SIZES: Final = st.sampled_from((0, 3, 5000, 65_536, 100_000, 1_200_000))


class FileRules(FaceHistory):
    """Files and directories that are made, changed, and given other names."""

    def regular(self, path: str) -> tuple[File | None, int | None]:
        """A file that can be opened, or why none can."""
        refusal = self.tree.not_a_file(path)
        return (None, refusal) if refusal is not None else (self.tree.files[path], None)

    @rule(lane=LANES, path=PATHS, body=BODIES, face=FACES)
    def create(self, lane: int, path: str, body: bytes, face: str) -> None:
        whole = f"{lane}/{path}"
        if not self.tree.is_link(whole):
            self.try_on(face, lane, self.tree.create(whole, body), self.faces[face].create, whole, body)

    @rule(lane=LANES, path=PATHS, offset=OFFSETS, piece=PIECES, face=FACES)
    def patch(self, lane: int, path: str, offset: int, piece: bytes, face: str) -> None:
        whole = f"{lane}/{path}"
        file, refusal = self.regular(whole)
        if refusal == errno.ELOOP:
            return
        self.try_on(face, lane, refusal, self.faces[face].patch, whole, offset, piece)
        if file is not None:
            file.write(offset, piece)
            file.publish()

    @rule(lane=LANES, path=LEAVES, piece=PIECES)
    def patch_mapped(self, lane: int, path: str, piece: bytes) -> None:
        """In the middle of what is there."""
        whole = f"{lane}/{path}"
        file, _ = self.regular(whole)
        if file is not None and len(file.content) >= 2 * len(piece):
            offset = (len(file.content) - len(piece)) // 2
            self.try_on("mount", lane, None, self.mounted.patch_mapped, whole, offset, piece)
            file.write(offset, piece)
            file.publish()

    @rule(lane=LANES, path=LEAVES, piece=PIECES, face=FACES)
    def append_written(self, lane: int, path: str, piece: bytes, face: str) -> None:
        whole = f"{lane}/{path}"
        file, refusal = self.regular(whole)
        if refusal == errno.ELOOP:
            return
        self.try_on(face, lane, refusal, self.faces[face].append, whole, piece)
        if file is not None:
            file.write(len(file.content), piece)
            file.publish()

    @rule(lane=LANES, path=PATHS, size=SIZES, face=FACES)
    def truncate(self, lane: int, path: str, size: int, face: str) -> None:
        whole = f"{lane}/{path}"
        file, refusal = self.regular(whole)
        if refusal == errno.ELOOP:
            return
        self.try_on(face, lane, refusal, self.faces[face].truncate, whole, size)
        if file is not None:
            file.content = file.content[:size].ljust(size, b"\0")
            file.publish()

    @rule(lane=LANES, path=PATHS, face=FACES)
    def make_directory(self, lane: int, path: str, face: str) -> None:
        whole = f"{lane}/{path}"
        self.try_on(face, lane, self.tree.make_directory(whole), self.faces[face].make_directory, whole)

    @rule(lane=LANES, path=PATHS, face=FACES)
    def remove_directory(self, lane: int, path: str, face: str) -> None:
        whole = f"{lane}/{path}"
        self.try_on(face, lane, self.tree.remove_directory(whole), self.faces[face].remove_directory, whole)

    @rule(lane=LANES, path=PATHS, face=FACES)
    def unlink(self, lane: int, path: str, face: str) -> None:
        whole = f"{lane}/{path}"
        self.try_on(face, lane, self.tree.unlink(whole), self.faces[face].unlink, whole)

    @rule(lane=LANES, source=PATHS, path=PATHS, face=FACES)
    def rename(self, lane: int, source: str, path: str, face: str) -> None:
        old, new = f"{lane}/{source}", f"{lane}/{path}"
        if self.tree.is_link(old) and path[-1] not in "ab":
            return
        self.try_on(face, lane, self.tree.rename(old, new), self.faces[face].rename, old, new)

    @rule(lane=LANES, source=PATHS, path=PATHS, face=FACES)
    def link(self, lane: int, source: str, path: str, face: str) -> None:
        old, new = f"{lane}/{source}", f"{lane}/{path}"
        if not self.tree.is_link(old):
            self.try_on(face, lane, self.tree.link(old, new), self.faces[face].link, old, new)

    @rule(lane=LANES, path=LEAVES, leads=st.sampled_from(("a", "nowhere", "../b")), face=FACES)
    def symlink(self, lane: int, path: str, leads: str, face: str) -> None:
        whole = f"{lane}/{path}"
        self.try_on(face, lane, self.tree.symlink(whole, leads), self.faces[face].symlink, whole, leads)

    @rule(lane=LANES, path=PATHS, mode=MODES, face=FACES)
    def change_mode(self, lane: int, path: str, mode: int, face: str) -> None:
        whole = f"{lane}/{path}"
        if not self.tree.is_link(whole):
            self.try_on(face, lane, self.tree.change_mode(whole, mode), self.faces[face].change_mode, whole, mode)

    @rule(lane=LANES, path=LEAVES, value=st.sampled_from((b"fx", b"", None)))
    def set_extended(self, lane: int, path: str, value: bytes | None) -> None:
        whole = f"{lane}/{path}"
        file = self.tree.file(whole)
        if self.tree.no_way_to(whole) is not None or file is None or file.is_link:
            return
        absent = value is None and "user.desk" not in file.extended
        expected = errno.ENODATA if absent else None
        self.try_on("mount", lane, expected, self.mounted.set_extended, whole, "user.desk", value)
        if value is not None:
            file.extended["user.desk"] = value
        else:
            file.extended.pop("user.desk", None)
